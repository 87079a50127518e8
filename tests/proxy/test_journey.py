"""Claims about whole requests: what each side sees and what the log says, whichever way they end."""

import asyncio
import re
import ssl

import pytest

from auth.locks import Lock, Locks, LockTarget
from auth.rbac import compile_policy
from proxy.config import KubeLimits
from proxy.upstream import MAX_IDLE_PER_IDENTITY
from recordings.audit.record import Outcome
from tests.proxy.dataplane import CLUSTER, LOGIN, OK, PERSON, PODS, plane, request, settle

INTENT, STARTED, DONE = Outcome.INTENT, Outcome.STARTED, Outcome.DONE
REFUSED, ABORTED, FAILED = Outcome.REFUSED, Outcome.ABORTED, Outcome.FAILED

WRITES = [request(b"POST", body=b"{}"), request(b"PUT", PODS + b"/p", body=b"{}"), request(b"DELETE", PODS + b"/p")]
METHODS = [request(), request(b"HEAD"), *WRITES]
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def codes(data):
    return [int(code) for code in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", data)]


def intent(data):
    """The outcomes that come before the last one."""
    return [] if data.startswith((b"GET", b"HEAD")) else [INTENT]


async def test_a_read_is_one_request_upstream_and_one_record():
    async with plane() as it:
        client = it.client()
        answer = await client.ask(request())
        (seen,), (record,) = it.server.seen, it.log.records
        assert (seen.method, seen.target, seen.body) == (b"GET", PODS, b"")
        assert answer == (
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n"
            b"audit-id: " + record.audit_id.encode() + b"\r\n\r\n{}"
        )
        assert (record.outcome, record.code) == (DONE, 200)
        assert not client.closed


# -- the API server's faults


@pytest.mark.parametrize("data", METHODS)
@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ConnectionRefusedError(111, "Connection refused"), 502, "Connection refused"),
        (TimeoutError(), 504, "does not answer"),
        (ssl.SSLCertVerificationError(1, "certificate verify failed"), 502, "TLS: "),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), 502, "TLS: "),
        (OSError(), 502, "OSError"),
    ],
)
async def test_an_api_server_that_cannot_be_reached_is_said_and_recorded(data, error, code, words):
    async with plane() as it:
        it.server.refuses = error
        client = it.client()
        answer = await client.ask(data)
        assert (codes(answer), it.log.outcomes[-1], it.server.seen) == ([code], (FAILED, code), [])
        assert (words.encode() in answer) is not data.startswith(b"HEAD")
        assert client.closed
        assert [outcome for outcome, _ in it.log.outcomes[:-1]] == intent(data)


MALFORMED = [
    b"HTTP/2 200 OK\r\n\r\n",
    b"HTTP/1.1 20 OK\r\n\r\n",
    b"HTTP/1.1 2000 OK\r\n\r\n",
    b"HTTP/1.1 600 OK\r\n\r\n",
    b"HTTP/1.1  200 OK\r\n\r\n",
    b"200 OK\r\n\r\n",
    b"SSH-2.0-OpenSSH_9\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
    b"HTTP/1.1 200 O\0K\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: y\rSet-Cookie: a\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: y\nSet-Cookie: a\r\n\r\n",
    b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nSet-Cookie: a\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 101 + b"\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000,
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n" * 9,
    b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n",
    OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged",
    OK + b"\r\n",
]


@pytest.mark.parametrize("data", [request(), WRITES[0]])
@pytest.mark.parametrize("answer", MALFORMED, ids=lambda answer: repr(answer[:70]))
async def test_an_answer_that_is_not_valid_is_502_and_nothing_of_it_passes(data, answer):
    async with plane() as it:
        it.server.answer = lambda _seen: answer
        client = it.client()
        told = await client.ask(data)
        assert codes(told) == [502]
        assert b"sent an answer that is not valid HTTP" in told
        assert (client.closed, it.server.wires[0].aborted) == (True, True)
        assert it.log.outcomes == [*((one, None) for one in intent(data)), (FAILED, 502)]
        assert len(it.server.seen) == 1  # not even a read is sent again: it was answered


@pytest.mark.parametrize("answer", MALFORMED, ids=lambda answer: repr(answer[:70]))
async def test_an_answer_that_is_not_valid_never_passes_byte_by_byte_either(answer):
    """What is only seen to be wrong in the body may have begun: then it is torn, never ended."""
    async with plane() as it:
        it.server.answer = None
        client = it.client()
        await client.ask(request())
        wire = it.server.wires[0]
        for i in range(len(answer)):
            if not wire.receive(answer[i : i + 1]):
                break
        await settle()
        if answer.startswith(OK):  # whole before the bytes behind it came: those end the connection in the pool
            assert (codes(client.received), client.closed, wire.aborted) == ([200], False, True)
            assert await client.ask(request()) == b""
            assert len(it.server.wires) == 2
            it.server.respond(OK)
        elif it.log.outcomes == [(FAILED, 200)]:
            assert (codes(client.received), client.wire.aborted) == ([200], True)
            assert not client.received.partition(b"\r\n\r\n")[2].endswith(b"0\r\n\r\n")  # an audit id may end in 0
        else:
            assert (codes(client.received), client.closed) == ([502], True)
            assert it.log.outcomes == [(FAILED, 502)]


WHOLE = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world",
    CHUNKED + b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
]


@pytest.mark.parametrize("whole", WHOLE)
@pytest.mark.parametrize("error", [None, ConnectionResetError()])
async def test_an_answer_that_breaks_off_looks_torn_wherever_it_breaks(whole, error):
    for cut in range(len(whole)):
        async with plane() as it:
            it.server.answer = None
            client = it.client()
            await client.ask(request())
            if cut:
                it.server.respond(whole[:cut])
            it.server.wires[0].end(error)
            await settle()
            begun = whole[:cut].find(b"\r\n\r\n") >= 0
            assert codes(client.received) == ([200] if begun else [502])
            assert it.log.outcomes == [(FAILED, 200 if begun else 502)]
            assert (client.closed, client.wire.aborted) == (True, begun)
            assert len(it.server.seen) == 1  # the connection was new, so the request may have been acted upon


@pytest.mark.parametrize("status", [b"100 Continue", b"102 Processing", b"103 Early Hints\r\nLink: </a>"])
async def test_answers_on_the_way_stay_between_us_and_the_api_server(status):
    async with plane() as it:
        it.server.answer = lambda _seen: (b"HTTP/1.1 " + status + b"\r\n\r\n") * 8 + OK
        assert codes(await it.client().ask(request())) == [200]


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n"])
async def test_an_answer_that_ends_with_its_connection_is_announced_and_ends_the_clients(head):
    async with plane() as it:
        it.server.answer = None
        client = it.client()
        await client.ask(request())
        it.server.respond(head + b"log line")
        await settle()
        assert b"\r\nconnection: close\r\n" in client.received
        assert not client.closed
        it.server.wires[0].end()
        await settle()
        assert client.received.endswith(b"\r\n\r\nlog line")
        assert (client.closed, client.wire.aborted, it.log.outcomes) == (True, False, [(DONE, 200)])


async def test_an_answer_without_length_that_is_reset_is_torn():
    async with plane() as it:
        it.server.answer = None
        client = it.client()
        await client.ask(request())
        it.server.respond(b"HTTP/1.1 200 OK\r\n\r\nlog line")
        it.server.wires[0].end(ConnectionResetError())
        await settle()
        assert (client.wire.aborted, it.log.outcomes) == (True, [(FAILED, 200)])


@pytest.mark.parametrize(
    ("method", "answer", "told"),
    [
        (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 512\r\n\r\n", b"content-length: 512\r\n"),
        (b"HEAD", b"HTTP/1.1 200 OK\r\n\r\n", b""),
        (b"HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b""),
        (b"GET", b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 512\r\n\r\n", b""),
        (b"GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"content-length: 0\r\n"),
    ],
)
async def test_an_answer_without_a_body_keeps_the_connection_and_tells_no_length_of_ours(method, answer, told):
    async with plane() as it:
        it.server.answer = lambda _seen: answer
        client = it.client()
        head = await client.ask(request(method))
        (record,) = it.log.records
        status = answer.partition(b"\r\n")[0]
        assert head == status + b"\r\n" + told + b"audit-id: " + record.audit_id.encode() + b"\r\n\r\n"
        assert codes(await client.ask(request(method))) == codes(answer)
        assert len(it.server.wires) == 1


# -- connections to the API server


async def ready(it):
    """A client whose connection to the API server lies idle."""
    client = it.client()
    assert codes(await client.ask(request())) == [200]
    it.log.records.clear()
    it.server.seen.clear()
    return client


async def test_a_read_that_meets_a_dying_idle_connection_is_sent_once_more_over_a_new_one():
    for method in (b"GET", b"HEAD"):
        async with plane() as it:
            client = await ready(it)
            it.server.answer = None
            await client.ask(request(method))
            it.server.wires[0].end()
            await settle()
            it.server.respond(OK if method == b"GET" else b"HTTP/1.1 200 OK\r\n\r\n")
            await settle()
            assert codes(client.received) == [200, 200]
            assert [seen.method for seen in it.server.seen] == [method] * 2
            assert it.log.outcomes == [(DONE, 200)]


async def test_it_is_not_sent_a_third_time():
    async with plane() as it:
        client = await ready(it)
        it.server.answer = None
        await client.ask(request())
        for wire in (0, 1):
            it.server.wires[wire].end()
            await settle()
        assert (codes(client.received), len(it.server.seen)) == ([200, 502], 2)
        assert it.log.outcomes == [(FAILED, 502)]


@pytest.mark.parametrize("data", WRITES)
async def test_a_write_is_never_sent_twice(data):
    async with plane() as it:
        client = await ready(it)
        it.server.answer = None
        await client.ask(data)
        it.server.wires[0].end()
        await settle()
        assert (codes(client.received), len(it.server.seen)) == ([200, 502], 1)
        assert it.log.outcomes == [(INTENT, None), (FAILED, 502)]


async def test_a_read_of_which_an_answer_began_is_not_sent_again():
    async with plane() as it:
        client = await ready(it)
        it.server.answer = None
        await client.ask(request())
        it.server.respond(CHUNKED)
        it.server.wires[0].end()
        await settle()
        assert (codes(client.received), client.wire.aborted, len(it.server.seen)) == ([200, 200], True, 1)


async def test_a_client_that_leaves_during_the_second_try_is_recorded_once():
    async with plane() as it:
        client = await ready(it)
        it.server.answer = None
        it.pool.dials = asyncio.Event()
        await client.ask(request())
        it.server.wires[0].end()
        await settle()
        client.wire.end()
        await settle()
        it.pool.dials.set()
        await settle()
        assert (it.log.outcomes, len(it.server.seen)) == ([(ABORTED, None)], 1)
        assert it.server.wires[1].aborted


@pytest.mark.parametrize("how", ["end", "bytes"])
async def test_an_idle_connection_that_ends_or_speaks_is_not_used_again(how):
    async with plane() as it:
        client = await ready(it)
        if how == "end":
            it.server.wires[0].end()
        else:
            it.server.wires[0].receive(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
        assert codes(await client.ask(request())) == [200]
        assert (len(it.server.wires), b"forged" in client.received) == (2, False)


@pytest.mark.parametrize(
    "answer",
    [
        OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        OK.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive, Close\r\n\r\n"),
        OK.replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
)
async def test_a_connection_that_the_api_server_closes_is_not_kept_and_the_clients_is(answer):
    async with plane() as it:
        it.server.answer = lambda _seen: answer
        client = it.client()
        for _ in range(2):
            assert codes(await client.ask(request())) == [200]
        assert [wire.aborted for wire in it.server.wires] == [True, True]


async def test_connections_are_not_shared_between_settings_of_a_cluster_or_people():
    from dataclasses import replace

    from tests.proxy.dataplane import PERSON

    async with plane() as it:
        await ready(it)
        it.state.live = replace(it.state.live, identity=replace(PERSON, subject="00u2"))
        assert codes(await it.client().ask(request())) == [200]
        assert len(it.server.wires) == 2
        assert it.pool.server is it.server
        held = [one.endpoint for idle in it.pool._idle.values() for one in idle]
        assert held == [it.cluster, it.cluster]  # while it lives, nothing else can get its id


async def test_idle_connections_are_closed_after_a_minute_and_at_the_end():
    async with plane() as it:
        await ready(it)
        it.pool.sweep(it.loop.time() + 60)
        assert not it.server.wires[0].aborted
        it.pool.sweep(it.loop.time() + 60.1)
        assert it.server.wires[0].aborted
        assert it.pool._idle == {}
        await ready(it)
        it.pool.close()
        assert it.server.wires[1].aborted


async def test_no_more_than_so_many_stay_idle_for_a_person(monkeypatch):
    monkeypatch.setattr("proxy.upstream.MAX_IDLE_PER_IDENTITY", 2)
    assert MAX_IDLE_PER_IDENTITY == 256
    async with plane() as it:
        it.server.answer = None
        clients = [it.client() for _ in range(3)]
        for client in clients:
            await client.ask(request())
        for number in range(3):
            it.server.respond(OK, number)
        await settle()
        assert [codes(client.received) for client in clients] == [[200]] * 3
        assert [wire.aborted for wire in it.server.wires] == [False, False, True]


# -- bodies


async def test_an_early_answer_is_passed_with_close_and_both_connections_end():
    """A 413 while the body is still coming: nothing that follows may be read as a request, on either side."""
    async with plane() as it:
        it.server.answer = None
        client = it.client()
        client.send(request(b"POST", PODS, b"Content-Length: 1000000") + b"x" * 1000)
        await settle()
        it.server.respond(b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 2\r\n\r\n{}")
        await settle()
        assert codes(client.received) == [413]
        assert b"\r\nconnection: close\r\n" in client.received
        assert (it.server.wires[0].aborted, it.log.outcomes) == (True, [(INTENT, None), (DONE, 413)])
        assert not client.closed  # it may be sending still: closing now could cost it the answer
        client.send(b"x" * 900_000 + request())
        await settle()
        assert len(it.server.seen) == 1
        await it.loop.turn(5)
        assert client.closed


async def test_a_refusal_of_a_large_body_is_not_lost_with_the_connection():
    async with plane() as it:
        client = it.client()
        client.send(request(b"POST", b"/api/v1/nodes//x", b"Content-Length: 1000000"))
        await settle()
        assert codes(client.received) == [400]
        assert b"\r\nconnection: close\r\n" in client.received
        assert not client.closed
        assert client.send(b"x" * 200_000)
        client.wire.end()
        await settle()
        assert it.server.seen == []


async def test_an_answer_before_the_request_is_read_whole_does_not_give_the_connection_back():
    """The API server answered without taking what we had still to write."""
    async with plane() as it:
        it.server.answer = None
        client = it.client()
        client.send(request(b"POST", PODS, b"Content-Length: 200000"))
        await settle()
        it.server.wires[0].stalled = True
        client.send(b"x" * 200_000)
        it.server.respond(OK)
        await settle()
        assert (codes(client.received), it.server.wires[0].aborted) == ([200], True)


@pytest.mark.parametrize("early", [b"", b"hel"])
async def test_who_waits_for_100_gets_it_when_the_request_is_on_its_way_and_only_before_the_body(early):
    async with plane() as it:
        client = it.client()
        head = request(b"POST", PODS, b"Expect: 100-continue", b"Content-Length: 5")
        assert await client.ask(head + early) == (b"" if early else b"HTTP/1.1 100 Continue\r\n\r\n")
        assert codes(await client.ask(b"hello"[len(early) :])) == [200]
        (seen,) = it.server.seen
        assert (seen.body, seen.get(b"expect")) == (b"hello", [])


async def test_who_waits_for_100_and_is_refused_gets_the_refusal_alone():
    async with plane() as it:
        it.state.live = None
        head = request(b"POST", PODS, b"Expect: 100-continue", b"Content-Length: 5")
        assert codes(await it.client().ask(head)) == [403]


# -- back-pressure: bytes kept for others are counted


async def test_a_client_that_does_not_read_stops_the_api_server():
    async with plane() as it:
        it.server.answer = None
        client = it.client()
        await client.ask(request())
        client.wire.stalled = True
        it.server.respond(CHUNKED)
        piece = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        sent = 0
        while it.server.respond(piece):
            sent += 1
            assert sent < 10
        assert client.wire.buffered < 64 * 1024 + 2 * len(piece)
        client.wire.flow()
        assert it.server.respond(piece + b"0\r\n\r\n")
        await settle()
        assert client.received.count(b"x") == (sent + 1) * 0x10000
        assert it.log.outcomes == [(DONE, 200)]


@pytest.mark.parametrize("early", [0, 1, 100_000])
async def test_an_api_server_that_does_not_read_stops_the_client(early):
    """However much of the body came before there was anywhere to send it."""
    async with plane() as it:
        it.server.answer = None
        it.pool.dials = asyncio.Event()
        client = it.client()
        size = 10_000_000
        client.send(request(b"POST", PODS, b"Content-Length: %d" % size) + b"x" * early)
        await settle()

        def stall(wire):
            wire.stalled = True

        it.server.on_accept = stall
        it.pool.dials.set()
        await settle()
        sent = early
        while client.send(b"x" * 50_000):
            sent += 50_000
            assert sent < 1_000_000
        assert it.server.wires[0].buffered < 64 * 1024 + 250_000
        while sent < size:
            it.server.wires[0].flow()
            assert client.send(b"x" * min(50_000, size - sent))
            sent += min(50_000, size - sent)
        await settle()
        assert [(len(seen.body), seen.whole) for seen in it.server.seen] == [(size, True)]
        it.server.respond(OK)
        await settle()
        assert codes(client.received) == [200]


async def test_what_a_client_sends_ahead_is_bounded():
    async with plane() as it:
        it.server.answer = None
        client = it.client()
        await client.ask(request())
        sent = 0
        while client.send(b"y" * 50_000):
            sent += 50_000
            assert sent < 500_000
        it.server.respond(OK)
        await settle()
        assert codes(client.received) == [200, 400]


# -- the client leaves


@pytest.mark.parametrize("data", METHODS)
async def test_a_client_that_leaves_before_the_answer_takes_the_request_with_it(data):
    async with plane() as it:
        it.server.answer = None
        client = it.client()
        await client.ask(data)
        client.wire.end(ConnectionResetError())
        await settle()
        assert it.server.wires[0].aborted
        assert it.log.outcomes == [*((one, None) for one in intent(data)), (ABORTED, None)]


async def test_a_client_that_leaves_in_the_middle_of_an_answer_takes_the_watch_with_it():
    async with plane() as it:
        it.server.answer = None
        client = it.client()
        await client.ask(request(b"GET", PODS + b"?watch=1"))
        it.server.respond(CHUNKED + b"2\r\n{}\r\n")
        await settle()
        client.wire.end()
        await settle()
        assert it.server.wires[0].aborted
        assert it.log.outcomes == [(ABORTED, 200)]
        await it.loop.turn(10)  # no ResponseStarted behind the end


async def test_a_client_that_leaves_in_the_middle_of_its_body_is_aborted():
    async with plane() as it:
        client = it.client()
        await client.ask(request(b"POST", PODS, b"Content-Length: 5") + b"he")
        client.wire.end()
        await settle()
        assert [(seen.body, seen.whole) for seen in it.server.seen] == [(b"he", False)]
        assert (it.server.wires[0].aborted, it.log.outcomes) == (True, [(INTENT, None), (ABORTED, None)])


@pytest.mark.parametrize("wait", ["intent", "dial"])
async def test_a_client_that_leaves_while_we_wait_has_one_outcome_and_nothing_goes_upstream(wait):
    async with plane() as it:
        waits = asyncio.Event()
        if wait == "intent":
            it.log.syncs = waits
        else:
            it.pool.dials = waits
        client = it.client()
        await client.ask(WRITES[0])
        client.wire.end()
        await settle()
        waits.set()
        await settle()
        assert it.log.outcomes == [(INTENT, None), (ABORTED, None)]
        assert (it.server.seen, [wire.aborted for wire in it.server.wires]) == ([], [True] * (wait == "dial"))


async def test_requests_behind_one_that_was_refused_do_not_happen_when_the_client_has_left():
    async with plane() as it:
        it.log.syncs = asyncio.Event()
        client = it.client()
        client.send(request(b"GET", PODS + b"/p/exec?command=sh") + request(b"GET", PODS + b"?watch=1"))
        await settle()
        client.wire.end()
        await settle()
        it.log.syncs.set()
        await settle()
        assert (it.log.outcomes, it.server.seen) == ([(REFUSED, 403)], [])


# -- the log fails


@pytest.mark.parametrize("data", METHODS)
async def test_while_the_log_cannot_be_written_nothing_happens(data):
    async with plane() as it:
        it.log.cause = "no space left on the log's disk"
        client = it.client()
        answer = await client.ask(data)
        assert (codes(answer), it.server.seen, it.log.records) == ([503], [], [])
        assert b"\r\nretry-after: 1\r\n" in answer
        it.log.cause = ""
        assert codes(await it.client().ask(data)) == [200]


@pytest.mark.parametrize("data", WRITES)
@pytest.mark.parametrize("how", ["append", "sync"])
async def test_a_write_whose_intent_fails_is_503_and_does_not_happen(data, how):
    async with plane(owed=how == "sync") as it:
        if how == "append":
            it.log.refuse = {INTENT}
        else:
            it.log.sync_fails = True
        answer = await it.client().ask(data)
        assert (codes(answer), it.server.seen, it.server.wires) == ([503], [], [])


async def test_a_refusal_that_cannot_be_recorded_is_503():
    async with plane() as it:
        it.log.refuse = {REFUSED}
        assert codes(await it.client().ask(request(b"GET", PODS + b"/p/exec?command=sh"))) == [503]


@pytest.mark.parametrize("pieces", [[OK], [OK[:-2], OK[-2:]], [OK[:-1], OK[-1:]]])
async def test_an_answer_whose_outcome_cannot_be_written_is_never_whole(pieces):
    async with plane(owed=True) as it:
        it.server.answer = None
        client = it.client()
        await client.ask(request())
        it.log.refuse = {DONE}
        for piece in pieces:
            it.server.respond(piece)
        await settle()
        assert (client.wire.aborted, client.received.endswith(b"{}")) == (True, False)
        assert len(client.received) == 0 or codes(client.received) == [200]


async def test_a_start_that_cannot_be_recorded_harms_nothing():
    async with plane() as it:
        it.server.answer = None
        client = it.client()
        await client.ask(request(b"GET", PODS + b"?watch=1"))
        it.server.respond(CHUNKED)
        it.log.refuse = {STARTED}
        await it.loop.turn(2)
        it.server.respond(b"0\r\n\r\n")
        await settle()
        assert (codes(client.received), it.log.outcomes) == ([200], [(DONE, 200)])


async def test_a_long_answer_has_a_record_of_its_start_after_a_second():
    async with plane() as it:
        it.server.answer = None
        client = it.client()
        await client.ask(request(b"GET", PODS + b"?watch=1"))
        it.server.respond(CHUNKED)
        await it.loop.turn(0.9)
        assert it.log.outcomes == []
        await it.loop.turn(0.2)
        it.server.respond(b"0\r\n\r\n")
        await settle()
        assert it.log.outcomes == [(STARTED, 200), (DONE, 200)]


# -- the end of rights


def locked(it, *targets):
    it.state.locks = Locks(Lock(f"l{n}", LockTarget.parse(one), "", 0.0, "bob") for n, one in enumerate(targets))


@pytest.mark.parametrize("target", [b"/p/log?follow=1", b"?watch=1"])
@pytest.mark.parametrize("lost", ["lock", "cluster", "logout", "role"])
async def test_an_answer_without_end_is_torn_once_its_person_may_not_any_more(target, lost):
    async with plane() as it:
        it.server.answer = None
        client = it.client()
        await client.ask(request(b"GET", PODS + target))
        it.server.respond(CHUNKED + b"2\r\n{}\r\n")
        await it.loop.turn(1.1)
        it.journey.sweep()
        assert not client.wire.closing
        if lost == "lock":
            locked(it, "group:eng")
        elif lost == "cluster":
            locked(it, f"cluster:{CLUSTER}")
        elif lost == "logout":
            it.state.live = None
        else:
            it.roles[0] = compile_policy([], [], ["corp"])
        it.journey.sweep()
        await settle()
        assert (client.wire.aborted, it.server.wires[0].aborted) == (True, True)
        assert it.log.outcomes == [(STARTED, 200), (ABORTED, 200)]
        it.journey.sweep()


async def test_of_many_watches_each_is_looked_at_once_in_four_sweeps(monkeypatch):
    monkeypatch.setattr("proxy.journey.SWEPT_AT_ONCE", 1)
    async with plane() as it:
        it.server.answer = None
        clients = [it.client() for _ in range(6)]
        for client in clients:
            await client.ask(request(b"GET", PODS + b"?watch=1"))
            it.server.respond(CHUNKED)
        await it.loop.turn(1.1)
        it.journey.sweep()
        clients[5].wire.end()
        it.server.respond(b"0\r\n\r\n", 4)  # its connection may serve another request from here on
        await settle()
        it.state.live = None
        torn = []
        for _ in range(5):
            it.journey.sweep()
            await settle()
            torn.append([number for number, client in enumerate(clients[:5]) if client.wire.aborted])
        assert torn == [[2, 3], [2, 3], [0, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3]]
        assert not it.server.wires[4].aborted


async def test_a_lock_of_somebody_else_or_elsewhere_cuts_nothing():
    async with plane() as it:
        it.server.answer = None
        client = it.client()
        await client.ask(request(b"GET", PODS + b"?watch=1"))
        it.server.respond(CHUNKED)
        await it.loop.turn(1.1)
        locked(it, "user:somebody-else", "group:none", "cluster:other", "login:" + "z" * 26)
        it.journey.sweep()
        it.server.respond(b"0\r\n\r\n")
        await settle()
        assert it.log.outcomes == [(STARTED, 200), (DONE, 200)]


@pytest.mark.parametrize("data", [request(), request(b"POST", body=b"{}")])
async def test_what_has_an_end_is_left_to_it(data):
    """Nobody would know what a write did that was cut in the middle."""
    async with plane() as it:
        it.server.answer = None
        client = it.client()
        await client.ask(data)
        it.server.respond(CHUNKED)
        await it.loop.turn(1.1)
        locked(it, "group:eng")
        it.journey.sweep()
        it.server.respond(b"0\r\n\r\n")
        await settle()
        assert it.log.outcomes[-1] == (DONE, 200)


async def test_what_passed_a_hundred_times_is_refused_once_it_is_locked_and_passes_again_after_it():
    """Verdicts are remembered (`proxy.filters.remembered`); whether somebody is locked never is."""
    async with plane() as it:
        client = it.client()
        for target in ["group:eng", f"cluster:{CLUSTER}", f"login:{LOGIN}", f"user:{PERSON.username}"]:
            assert [codes(await client.ask(request())) for _ in range(3)] == [[200]] * 3
            locked(it, target)
            told = await client.ask(request())
            assert codes(told) == [403]
            assert b"locked" in told
            assert (it.log.outcomes[-1], len(it.server.seen) % 3) == ((REFUSED, 403), 0)
            locked(it)


# -- the end of the server


async def test_a_drain_lets_what_runs_end_and_tells_the_client_that_it_was_the_last():
    async with plane() as it:
        it.server.answer = None
        idle, busy = it.client(), it.client()
        await busy.ask(request())
        stopping = asyncio.ensure_future(it.listener.stop())
        await settle()
        assert (idle.closed, busy.closed, stopping.done()) == (True, False, False)
        it.server.respond(OK)
        await settle()
        assert (codes(busy.received), busy.closed, stopping.done()) == ([200], True, True)
        assert it.log.outcomes == [(DONE, 200)]


async def test_a_request_that_begins_during_a_drain_is_announced_as_the_last():
    async with plane() as it:
        it.log.syncs = asyncio.Event()
        client = it.client()
        await client.ask(WRITES[0])
        stopping = asyncio.ensure_future(it.listener.stop())
        await settle()
        it.log.syncs.set()
        await settle()
        assert (codes(client.received), b"\r\nconnection: close\r\n" in client.received) == ([200], True)
        assert (client.closed, stopping.done()) == (True, True)


async def test_a_connection_that_comes_during_a_drain_does_not_hold_it_up():
    async with plane() as it:
        busy = it.client()
        it.server.answer = None
        await busy.ask(request())
        stopping = asyncio.ensure_future(it.listener.stop())
        await settle()
        late = it.client()
        await settle()
        assert late.closed
        it.server.respond(OK)
        await settle()
        assert stopping.done()


async def test_what_runs_on_is_cut_at_the_limit_and_its_outcome_is_there_when_stop_returns():
    async with plane(limits=KubeLimits.model_construct(**dict(KubeLimits()) | {"drain_timeout": 0})) as it:
        it.server.answer = None
        watch, dialling, writing = it.client(), it.client(), it.client()
        await watch.ask(request(b"GET", PODS + b"?watch=1"))
        it.server.respond(CHUNKED)
        it.pool.dials = asyncio.Event()
        await dialling.ask(request())
        it.log.syncs = asyncio.Event()
        await writing.ask(WRITES[0])
        await it.listener.stop()
        assert sorted(it.log.outcomes, key=lambda one: (one[0], one[1] or 0)) == [
            (ABORTED, None),
            (ABORTED, None),
            (ABORTED, 200),
            (INTENT, None),
        ]
        assert (watch.closed, dialling.closed, writing.closed) == (True, True, True)
        assert len(it.server.seen) == 1


EFFECT = "kubewitness.dev/effect"
LOOK = b"is not known, so look before you try again"


@pytest.mark.parametrize("data", WRITES)
@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 2000 OK\r\n\r\n"])
async def test_a_write_that_was_sent_and_never_answered_is_recorded_as_of_unknown_effect(data, said):
    async with plane() as it:
        it.server.answer = None
        client = it.client()
        await client.ask(data)
        it.server.respond(said or b"\r")
        it.server.wires[0].end()
        await settle()
        assert it.log.records[-1].annotations[EFFECT] == "unknown"
        assert LOOK in client.received


@pytest.mark.parametrize("data", WRITES)
async def test_so_is_one_whose_client_left_before_the_answer(data):
    async with plane() as it:
        it.server.answer = None
        client = it.client()
        await client.ask(data)
        client.wire.end()
        await settle()
        assert it.log.outcomes[-1] == (ABORTED, None)
        assert it.log.records[-1].annotations[EFFECT] == "unknown"


async def test_nothing_is_unknown_of_a_read_of_what_was_never_sent_or_was_answered():
    async with plane() as it:
        it.server.answer = None
        client = it.client()
        await client.ask(request())
        it.server.wires[0].end()
        await settle()
        it.server.refuses = OSError("no way")
        await it.client().ask(WRITES[0])
        it.server.refuses = None
        await it.client().ask(WRITES[0])
        it.server.respond(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{")
        it.server.wires[-1].end()
        await settle()
        assert [outcome for outcome, _ in it.log.outcomes] == [FAILED, INTENT, FAILED, INTENT, FAILED]
        assert [record for record in it.log.records if EFFECT in record.annotations] == []
        assert LOOK not in client.received
