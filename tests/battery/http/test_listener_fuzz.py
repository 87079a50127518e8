"""The whole listener fed with what nobody would send: it answers, waits or ends; nothing happens that has no record.

`plane` checks at its end that no effect is without its record and no task failed; here is what is fed to it.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.proxy.dataplane import PODS, request, run_plane, settle

PIECES = [
    request(),
    request(b"POST", body=b"{}"),
    request(b"POST", PODS, b"Transfer-Encoding: chunked") + b"2\r\n{}\r\n0\r\n\r\n",
    request(b"DELETE", PODS + b"/p"),
    request(b"GET", PODS + b"?watch=1"),
    request(b"GET", PODS, b"Connection: close"),
    request(b"PUT", PODS + b"/p", b"Expect: 100-continue", body=b"x" * 40),
    request(b"GET", PODS + b"/p/exec?command=sh", b"Connection: Upgrade", b"Upgrade: websocket"),
    request(b"HEAD"),
    b"GET / HTTP/1.0\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
    b"\r\n\r\n",
    b"0\r\n\r\n",
    b"Host: kwit.example\r\n\r\n",
]
ANSWERS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"HTTP/1.1 500 X\r\nContent-Length: 9999\r\n\r\nshort",
    b"",
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Good and bad requests one after another, some bytes changed, doubled or gone."""
    data = bytearray(b"".join(draw(st.lists(st.sampled_from(PIECES), min_size=1, max_size=4))))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        kind = draw(st.sampled_from(["flip", "cut", "double", "insert"]))
        if kind == "flip" and data:
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "cut":
            del data[at : at + draw(st.integers(1, 20))]
        elif kind == "double":
            data[at:at] = data[at : at + draw(st.integers(1, 60))]
        else:
            data[at:at] = draw(st.binary(max_size=8))
    return bytes(data)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False) if start < end]


@settings(deadline=None)
@given(mutated() | st.binary(max_size=400), st.lists(st.integers(0, 2000), max_size=5), st.data())
def test_it_answers_waits_or_ends_whatever_comes(data, places, choose):
    answer = choose.draw(st.sampled_from(ANSWERS))
    leaves = choose.draw(st.booleans())

    async def feed(it):
        it.server.answer = lambda _seen: answer
        client = it.client()
        for piece in cut(data, places):
            client.send(piece)
            await settle()
        if leaves:
            client.wire.end()
        await it.loop.turn(700)
        if not client.closed:  # it waits for the next request, or serves a watch
            client.wire.end()
            await settle()
        assert client.closed
        if client.received:
            assert client.received.startswith(b"HTTP/1.1 ")
        assert len([record for record in it.log.records if record.outcome == "done"]) <= len(it.server.seen)

    run_plane(feed)


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES[:6]), min_size=1, max_size=6), st.lists(st.integers(0, 4000), max_size=8))
def test_good_requests_however_they_are_cut_are_each_one_request(pieces, places):
    pieces = [piece for piece in pieces if b"watch=1" not in piece]
    closing = next((n for n, piece in enumerate(pieces) if b"Connection: close" in piece), len(pieces) - 1)

    async def feed(it):
        client = it.client()
        for piece in cut(b"".join(pieces), places):
            client.send(piece)
            await settle()
        await settle()
        assert [seen.method for seen in it.server.seen] == [piece.split(b" ")[0] for piece in pieces[: closing + 1]]
        assert client.received.count(b"HTTP/1.1 200 ") == len(pieces[: closing + 1])

    run_plane(feed)
