"""Requests that two parsers could read differently: one 400, a count for the log, an end; nothing goes upstream.

Each is sent whole, byte by byte, and cut in two at every byte; then, behind a good request in the same write. What is
accepted instead is read by h11 from the client's own bytes as well, with the same meaning. Security: P1, P4, U3.
"""

import re

import h11
import pytest

from proxy.http1 import MAX_HEAD_BYTES, MAX_HEADERS, MAX_TARGET_BYTES
from tests.proxy.dataplane import HOST, PODS, plane, request, settle

POST = b"POST " + PODS + b" HTTP/1.1\r\nHost: kwit.example\r\n"
GET = b"GET " + PODS + b" HTTP/1.1\r\nHost: kwit.example\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
BODY = b"5\r\nhello\r\n0\r\n\r\n"


def post(*lines: bytes, body: bytes = b"") -> bytes:
    return POST + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


def get(*lines: bytes, line: bytes = b"") -> bytes:
    return (line + b"\r\nHost: kwit.example\r\n" if line else GET) + b"".join(x + b"\r\n" for x in lines) + b"\r\n"


def lengths(*values: bytes) -> list[bytes]:
    return [post(b"Content-Length:" + value, body=b"hello") for value in values]


def encodings(*values: bytes) -> list[bytes]:
    return [post(b"Transfer-Encoding:" + value, body=BODY) for value in values]


TWO_LENGTHS = [
    post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=BODY),
    post(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=BODY),
    post(b"Transfer-Encoding: chunked", b"Content-Length: 0", body=BODY),
    post(b"TRANSFER-ENCODING: Chunked", b"content-length: 5", body=BODY),
    post(b"Content-Length: 5", b"Content-Length: 5", body=b"hello"),
    post(b"Content-Length: 5", b"Content-Length: 6", body=b"hello"),
    post(b"Content-Length: 0", b"Content-Length: 5", body=b"hello"),
    post(b"Content-Length: 5", b"content-length: 5", body=b"hello"),
    post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=BODY),
    post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=BODY),
    post(b"Transfer-Encoding: identity", b"Content-Length: 5", body=b"hello"),
]
LENGTHS = lengths(
    b" +5", b" -5", b" 5,5", b" 5, 5", b" 5 5", b" 0x5", b" 5;", b" 5.0", b" 5e0", b"", b" ", b" five", b" \x0b5",
    b" 5\x0c", b' "5"', b" 5_0", b" 99999999999999999999", b" 5\x00", b" \xd9\xa5", b" 5#",
)  # fmt: skip
ENCODINGS = encodings(
    b" gzip, chunked", b" chunked, gzip", b" chunked, identity", b" identity", b" xchunked", b" chunkedx",
    b" chunked,", b" ,chunked", b" chunked;q=1", b' "chunked"', b" chunk", b"", b" chunked\x0b", b" \x0cchunked",
    b" chunked, chunked", b" cow", b" chunked\x00", b" \x00chunked", b" ch\xc3\xbcnked", b" deflate",
)  # fmt: skip
LINES = [
    get(b"X : y"),
    get(b"Content-Length : 5"),
    get(b"Transfer-Encoding : chunked"),
    get(b"Transfer-Encoding\t: chunked"),
    get(b" Transfer-Encoding: chunked"),
    get(b"X: y", b" folded"),
    get(b"X: y", b"\tfolded: z"),
    get(b"X: y\r"),
    get(b"X: y\rZ: z"),
    get(b"X: a\x00b"),
    get(b"X: a\x01b"),
    get(b"X: a\x7fb"),
    get(b"X: caf\xc3\xa9"),
    get(b"X\x00: y"),
    get(b"X(y): z"),
    get(b"caf\xc3\xa9: y"),
    get(b"no colon at all"),
    get(b": no name"),
    get(b"\x0bX: y"),
    GET.replace(b"\r\n", b"\n") + b"\n",
    GET + b"X: y\n\r\n",
    GET + b"\n\r\n",
    GET + b"X: y\r\n\n",
    GET[:-2] + b"\nX: y\r\n\r\n",
    GET[:-1] + b"\rX: y\r\n\r\n",
    POST.replace(b"\r\n", b"\n", 1) + b"\r\n",
    get(*(b"X: y" for _ in range(MAX_HEADERS))),
    get(b"X: " + b"y" * MAX_HEAD_BYTES),
]
TARGETS = [
    get(line=line)
    for line in (
        b"GET https://kwit.example" + PODS + b" HTTP/1.1",
        b"GET http://other.example/ HTTP/1.1",
        b"GET * HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"CONNECT kwit.example:443 HTTP/1.1",
        b"CONNECT " + PODS + b" HTTP/1.1",
        b"GET api HTTP/1.1",
        b"GET " + PODS + b"\x00 HTTP/1.1",
        b"GET " + PODS + b"\xff HTTP/1.1",
        b"GET " + PODS + b" x HTTP/1.1",
        b"GET " + PODS + b"\x0b HTTP/1.1",
        b"GET  " + PODS + b" HTTP/1.1",
        b"GET\t" + PODS + b" HTTP/1.1",
        b"GET " + PODS + b"  HTTP/1.1",
        b" GET " + PODS + b" HTTP/1.1",
        b"\r\nGET " + PODS + b" HTTP/1.1",
        b"GET " + PODS,
        b"GET " + PODS + b" HTTP/0.9",
        b"GET " + PODS + b" HTTP/1.0",
        b"GET " + PODS + b" HTTP/1.2",
        b"GET " + PODS + b" HTTP/2.0",
        b"GET " + PODS + b" http/1.1",
        b"GET " + PODS + b" HTTP/01.1",
        b"GET " + PODS + b" HTTP/1.1 ",
        b"GET " + PODS + b" HTTPS/1.1",
        b"get " + PODS + b" HTTP/1.1",
        b"TRACE " + PODS + b" HTTP/1.1",
        b"OPTIONS " + PODS + b" HTTP/1.1",
        b"PROPFIND " + PODS + b" HTTP/1.1",
        b"GET" + PODS + b" HTTP/1.1",
        b"GET /" + b"a" * MAX_TARGET_BYTES + b" HTTP/1.1",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET " + PODS + b" HTTP/1.1",
    )
]
OTHERS = [
    GET[:-20] + b"\r\n\r\n",  # no Host
    b"GET " + PODS + b" HTTP/1.1\r\n\r\n",
    b"GET " + PODS + b" HTTP/1.1\r\nHost:\r\n\r\n",
    get(b"Host: kwit.example"),
    get(b"host: other.example"),
    get(b"Content-Length: 5"),
    get(b"Transfer-Encoding: chunked"),
    get(b"Authorization: Bearer a", b"Authorization: Bearer b"),
    post(b"Content-Length: 5", b"Expect: 200-ok", body=b"hello"),
    post(b"Content-Length: 5", b"Expect: 100-continue, other", body=b"hello"),
    post(b"Content-Length: 5", b"Expect: 100-continue", b"Expect: 100-continue", body=b"hello"),
    get(b"Upgrade: websocket"),
    get(b"Connection: upgrade"),
    get(b"Connection: Upgrade", b"Upgrade: websocket", b"Upgrade: SPDY/3.1"),
    get(b"Connection: noupgrade", b"Upgrade: websocket"),
    get(b"Connection: close, upgrade"),
    post(b"Content-Type: a/b", b"Content-Type: c/d"),
]
VECTORS = [*TWO_LENGTHS, *LENGTHS, *ENCODINGS, *LINES, *TARGETS, *OTHERS]
SMALL = [vector for vector in VECTORS if len(vector) < 1024]


def codes(data):
    return re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", data)


async def refused(it, pieces):
    """Sent in pieces on a connection of its own: (answer's status line, its body is ours, upstream, log, counted)."""
    it.refused.clear()
    client = it.client()
    for piece in pieces:
        client.send(piece)
    await settle()
    status, _, body = client.received.partition(b"\r\n")
    seen = (len(it.server.seen), len(it.log.records))
    return status, b'"kind":"Status"' in body, client.closed, seen, [what[0] for what in it.refused]


REFUSED = (b"HTTP/1.1 400 BadRequest", True, True, (0, 0), ["malformed"])


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: repr(vector[-60:]))
async def test_it_is_refused_whole_and_byte_by_byte(vector):
    async with plane() as it:
        assert await refused(it, [vector]) == REFUSED
        if len(vector) < MAX_TARGET_BYTES:
            assert await refused(it, [vector[i : i + 1] for i in range(len(vector))]) == REFUSED


@pytest.mark.parametrize("part", range(8))
async def test_it_is_refused_wherever_it_is_cut(part):
    async with plane() as it:
        for vector in SMALL[part::8]:
            for cut in range(1, len(vector), 3):
                assert await refused(it, [vector[:cut], vector[cut:]]) == REFUSED, (vector, cut)


@pytest.mark.parametrize("part", range(4))
async def test_behind_a_good_request_it_is_refused_when_that_is_answered(part):
    for vector in SMALL[part::4]:
        async with plane() as it:
            client = it.client()
            answer = await client.ask(request() + vector)
            assert codes(answer) == [b"200", b"400"], vector
            assert (client.closed, len(it.server.seen), [x[0] for x in it.refused]) == (True, 1, ["malformed"])


CHUNKS = [
    b"5;x=y\r\nhello\r\n0\r\n\r\n",
    b"5;\r\nhello\r\n0\r\n\r\n",
    b"5 \r\nhello\r\n0\r\n\r\n",
    b" 5\r\nhello\r\n0\r\n\r\n",
    b"0x5\r\nhello\r\n0\r\n\r\n",
    b"+5\r\nhello\r\n0\r\n\r\n",
    b"-5\r\nhello\r\n0\r\n\r\n",
    b"5\nhello\n0\n\n",
    b"5\r\nhello\n0\r\n\r\n",
    b"5\r\nhello0\r\n\r\n",
    b"5\r\nhelloX\r\n0\r\n\r\n",
    b"5\rhello\r\n0\r\n\r\n",
    b"5\r\n\r\nhello\r\n0\r\n\r\n",
    b"g\r\nhello\r\n0\r\n\r\n",
    b"\r\n5\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhello\r\n0\r\nTrailer: x\r\n\r\n",
    b"5\r\nhello\r\n0\r\nContent-Length: 3\r\n\r\n",
    b"5\r\nhello\r\n0\n\n",
    b"5\r\nhello\r\n00000000000000000\r\n\r\n",
    b"00000000000000005\r\nhello\r\n0\r\n\r\n",
    b"fffffffffffffffff\r\nhello",
    b"5\r\nhello\r\n\x00\r\n\r\n",
    b"5\r\nhello\r\n-0\r\n\r\n",
    b"1_0\r\nhello\r\n0\r\n\r\n",
    b"\xd9\xa5\r\nhello\r\n0\r\n\r\n",
    b"5\x0b\r\nhello\r\n0\r\n\r\n",
    b"5\r\r\nhello\r\n0\r\n\r\n",
]


@pytest.mark.parametrize("chunks", CHUNKS)
async def test_a_body_that_is_not_plain_chunks_is_refused_and_never_whole_upstream(chunks):
    """By then its head, with its intent, may be upstream: it is recorded as aborted, and torn there."""
    for pieces in ([chunks], [chunks[i : i + 1] for i in range(len(chunks))]):
        async with plane() as it:
            client = it.client()
            client.send(POST + CHUNKED + b"\r\n")
            await settle()
            for piece in pieces:
                client.send(piece)
            await settle()
            assert (codes(client.received), client.closed) == ([b"400"], True)
            assert [seen.whole for seen in it.server.seen] == [False]
            assert it.server.wires[0].aborted
            assert [record.outcome for record in it.log.records] == ["intent", "aborted"]
            assert [what[0] for what in it.refused] == ["malformed"]


ACCEPTED = [
    request(),
    request(b"GET", PODS + b"?limit=500&labelSelector=a%3Db"),
    request(b"HEAD"),
    request(b"DELETE"),
    request(b"DELETE", PODS + b"/p", b"Content-Type: application/json", body=b'{"kind":"DeleteOptions"}'),
    request(b"POST", PODS, body=b"hello"),
    post(b"Content-Length: 0"),
    post(b"Content-Length: 0005", body=b"hello"),
    post(b"content-length:5", body=b"hello"),
    post(b"Transfer-Encoding: chunked", body=BODY),
    post(b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    post(b"Transfer-Encoding: Chunked", body=b"00A\r\n0123456789\r\n5\r\nhello\r\n000\r\n\r\n"),
    post(b"Transfer-Encoding: \t chunked", body=BODY),
    post(b"Content-Length: \t 5", body=b"hello"),
    get(b"X:", b"X:y", b"X:  y \t"),
    get(b"Connection: keep-alive", b"Keep-Alive: timeout=5"),
    get(b"Connection: close"),
    request(b"PUT", PODS + b"/p", b"Expect: 100-continue", body=b"hello"),
    request(b"PATCH", PODS + b"/p", b"Content-Type: application/merge-patch+json", body=b"{}"),
]


def by_h11(data: bytes) -> tuple[bytes, bytes, bytes, bool]:
    """What h11 makes of a client's bytes: (method, target, body, whether they were one whole request)."""
    theirs = h11.Connection(h11.SERVER, max_incomplete_event_size=256 * 1024)
    theirs.receive_data(data)
    head, body = theirs.next_event(), b""
    while isinstance(event := theirs.next_event(), h11.Data):
        body += event.data
    whole = isinstance(event, h11.EndOfMessage) and theirs.trailing_data[0] == b""
    return head.method, head.target, body, whole


@pytest.mark.parametrize("data", ACCEPTED, ids=lambda data: repr(data[:60]))
async def test_what_is_accepted_means_the_same_to_h11_and_upstream_wherever_it_is_cut(data):
    meant = by_h11(data)
    async with plane() as it:
        for cut in range(len(data)):
            client = it.client()
            if cut:
                client.send(data[:cut])
            client.send(data[cut:])
            await settle()
            seen = it.server.seen[-1]
            assert (seen.method, seen.target, seen.body, seen.whole) == meant
            assert seen.get(b"host") == [b"api"]
        assert len(it.server.seen) == len(data)


@pytest.mark.parametrize(
    "host", [b"other.example", b"kwit.example:444", b"kwit.example.", b"kwit.example, a", b"[::1]"]
)
async def test_another_host_is_refused_with_a_record_and_the_connection_stays(host):
    async with plane() as it:
        client = it.client()
        answer = await client.ask(request().replace(HOST, host))
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert (it.server.seen, it.log.outcomes) == ([], [("refused", 403)])
        assert (await client.ask(request())).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("upgrade", [b"websocket", b"SPDY/3.1", b"h2c", b"TLS/1.0", b"websocket, h2c"])
@pytest.mark.parametrize(("target", "code"), [(PODS + b"?watch=1", 501), (PODS + b"/p/exec?command=sh", 403)])
async def test_what_is_glued_to_a_refused_upgrade_is_never_a_request(upgrade, target, code):
    async with plane() as it:
        client = it.client()
        answer = await client.ask(request(b"GET", target, b"Connection: Upgrade", b"Upgrade: " + upgrade) + request())
        assert (codes(answer), client.closed, it.server.seen) == ([b"%d" % code], True, [])
        assert it.log.outcomes == [("refused", code)]


async def test_pipelined_requests_are_answered_in_order_one_at_a_time():
    async with plane() as it:
        client = it.client()
        targets = [PODS + b"/p%d" % n for n in range(4)]
        it.server.answer = lambda seen: (
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(seen.target), seen.target)
        )
        answer = await client.ask(
            request(b"GET", targets[0])
            + request(b"POST", targets[1], body=b"hello")
            + request(b"GET", targets[2])
            + request(b"GET", targets[3])
        )
        assert [seen.target for seen in it.server.seen] == targets
        assert [part.rpartition(b"\r\n\r\n")[2] for part in answer.split(b"HTTP/1.1 200 OK")[1:]] == targets
        assert len(it.server.wires) == 1
