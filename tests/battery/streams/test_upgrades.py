"""Upgrades that were misread elsewhere: what is asked in 24 spellings, what is answered in 14 ways to three kinds of
client. Nothing is joined but what both sides agreed on; one request upstream, one end in the log. Security: U1, U3, U5.
"""

import re

import pytest

from recordings.audit.record import Outcome
from recordings.recorder.directory import RecordingDirectory
from tests.proxy.dataplane import plane, request, settle
from tests.proxy.streams.conversations import KEY, Conversation, roles, until

EXEC = b"/api/v1/namespaces/n/pods/p/exec?command=sh&stdout=true"
SECOND = request(b"DELETE", b"/api/v1/namespaces/n/pods/second")
STATUS = b'{"kind":"Status"}'
ENDS = (Outcome.DONE, Outcome.REFUSED, Outcome.ABORTED, Outcome.FAILED)
WEBSOCKET = Conversation("exec-websocket-1.37").request
ASKED = {
    "websocket": WEBSOCKET,
    "spdy": Conversation("exec-spdy-1.37").request,
    "unknown": WEBSOCKET.replace(b"Upgrade: websocket", b"Upgrade: kubernetes/1"),
}


def answer(status: bytes, *lines: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join((b"HTTP/1.1 " + status, *lines, b"Content-Length: %d" % len(body), b"", body))


SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
ANSWERED = {
    "100 and 200": b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"200 OK"),
    "103 and 101": b"HTTP/1.1 103 Early Hints\r\n\r\n" + SWITCH + b"Upgrade: websocket\r\n\r\n",
    "200": answer(b"200 OK", body=b"{}"),
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "302": answer(b"302 Found", b"Location: https://169.254.169.254/latest"),
    **{str(code): answer(b"%d X" % code, body=STATUS) for code in (400, 403, 404, 426, 500)},
    "101 without Upgrade": SWITCH + b"\r\n",
    "101 to another protocol": SWITCH + b"Upgrade: h2c\r\n\r\n",
    "101 with a wrong key": SWITCH + b"Upgrade: websocket\r\nSec-WebSocket-Accept: " + KEY + b"\r\n\r\n",
    "a head over the limit": SWITCH + b"X: " + b"y" * 70_000 + b"\r\n\r\n",
}
"""Each is followed by bytes that must not arrive."""
BEHIND = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nbehind"


async def answered(it, client, asked: bytes, data: bytes, then: str) -> bytes:
    """Everything that the API server got."""
    client.send(asked + (SECOND if then == "early" else b""))
    await until(lambda: client.closed or (it.server.streams and it.server.streams[0].written))
    for server in it.server.streams:
        if then == "leaves":
            client.wire.end()
        server.receive(data + BEHIND)
    await settle()
    if then == "late":
        client.send(SECOND)
    await until(lambda: client.closed and all(server.closing for server in it.server.streams))
    await until(lambda: any(outcome in ENDS for outcome, _ in it.log.outcomes))
    await settle()
    return b"".join(server.written for server in it.server.streams)


@pytest.mark.parametrize("then", ["early", "late", "leaves"])
@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("data", ANSWERED)
async def test_what_is_no_upgrade_joins_nothing_and_has_one_end_with_the_true_status(tmp_path, data, asked, then):
    async with plane(recordings=tmp_path, roles=roles()) as it:
        client = it.client()
        got = await answered(it, client, ASKED[asked], ANSWERED[data], then)
        assert got.count(b"HTTP/1.1\r\n") == len(it.server.streams) == (asked != "unknown")
        assert got.endswith(b"\r\n\r\n"[: len(got)])
        assert b"second" not in got
        assert it.server.seen == []
        assert b"behind" not in client.received
        assert b"169.254" not in client.received
        (told,) = re.findall(rb"^HTTP/1\.1 ([0-9]+)", client.received) or [b""]
        (end,) = [one for one in it.log.outcomes if one[0] in ENDS]
        relayed = data in ("400", "403", "404", "426", "500")
        if asked == "unknown":
            assert (told, end) == (b"400", (Outcome.REFUSED, 400))
        elif then == "leaves" and not told:
            assert end[0] in (Outcome.ABORTED, Outcome.FAILED, Outcome.DONE)
        elif relayed:
            assert (told, end) == (data.encode(), (Outcome.DONE, int(data)))
        else:
            assert (told, end) == (b"502", (Outcome.FAILED, 502))
    assert list(RecordingDirectory(tmp_path).paths()) == []


SPELLINGS = [
    (b"Connection: Upgrade", b"Upgrade: websocket"),
    (b"connection: upgrade", b"upgrade: WebSocket"),
    (b"Connection: UPGRADE", b"Upgrade: WEBSOCKET"),
    (b"Connection: keep-alive, Upgrade", b"Upgrade: websocket"),
    (b"Connection: Upgrade, keep-alive", b"Upgrade: websocket"),
    (b"Connection:Upgrade", b"Upgrade:websocket"),
    (b"Connection: close, Upgrade", b"Upgrade: websocket"),
    (b"Connection: Upgrade,,", b"Upgrade: websocket"),
    (b"Connection: Upgrade", b"Connection: keep-alive", b"Upgrade: websocket"),
    (b"Connection: keep-alive", b"Connection: Upgrade", b"Upgrade: websocket"),
]
"""RFC 9110, section 7.6.1: a list of tokens, in any case, over any number of lines, empty elements ignored."""
NO_UPGRADES = [
    (b"Connection: noupgrade", b"Upgrade: websocket"),
    (b"Connection: upgrade-insecure-requests", b"Upgrade: websocket"),
    (b"Connection: Upgraded", b"Upgrade: websocket"),
    (b"Connection: Upgrade;q=1", b"Upgrade: websocket"),
    (b'Connection: "Upgrade"', b"Upgrade: websocket"),
    (b"Connection: Up grade", b"Upgrade: websocket"),
    (b"Upgrade: websocket",),
    (b"Connection: Upgrade",),
    (b"Connection: Upgrade", b"Upgrade: "),
    (b"Connection: Upgrade", b"Upgrade: websocket", b"Upgrade: websocket"),
    (b"Connection: Upgrade", b"Upgrade: websocket, h2c"),
    (b"Connection: Upgrade", b"Upgrade: websocket/13"),
    (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"),
    (b"Connection: Upgrade", b"Upgrade: websocke\xc5\xa5"),
]


def spelt(lines: tuple[bytes, ...]) -> bytes:
    return request(b"GET", EXEC, *lines, b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: " + KEY) + SECOND


@pytest.mark.parametrize("lines", SPELLINGS)
async def test_the_api_server_is_asked_in_one_spelling_however_the_client_spells_it(tmp_path, lines):
    async with plane(recordings=tmp_path, roles=roles()) as it:
        client = it.client()
        client.send(spelt(lines))
        await until(lambda: it.server.streams and it.server.streams[0].written)
        (server,) = it.server.streams
        own = re.findall(rb"(?im)^((?:connection|upgrade):.*)\r$", server.written)
        assert own == [b"Connection: Upgrade", b"Upgrade: websocket"]
        server.end()
        await until(lambda: client.closed)
        assert (it.server.seen, b"second" in server.written) == ([], False)


@pytest.mark.parametrize("lines", NO_UPGRADES)
async def test_what_only_looks_like_an_upgrade_is_refused_with_all_that_follows(tmp_path, lines):
    async with plane(recordings=tmp_path, roles=roles()) as it:
        client = it.client()
        client.send(spelt(lines))
        await until(lambda: client.closed)
        assert re.findall(rb"HTTP/1\.1 ([0-9]+)", client.received) == [b"400"]
        assert (it.server.streams, it.server.seen) == ([], [])
