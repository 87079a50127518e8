"""Nobody ever gets a byte of what was meant for somebody else, whatever an API server does to its framing.

Security P2. People ask at the same time over connections of their own; answers come in any order, in pieces, with too
many bytes, too few, or a second answer nobody asked for; idle connections are used again.
"""

from __future__ import annotations

import random
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.proxy.dataplane import PERSON, PODS, request, run_plane, settle

PEOPLE = [replace(PERSON, subject=f"00u{n}", username=f"person-{n}") for n in range(4)]
TAG = re.compile(rb"[0-9a-f-]{36}")
"""An audit id: of one request."""
OURS = re.compile(rb"\r\naudit-id: ([0-9a-f-]{36})\r\n")


def good(tag: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(tag), tag)


def chunked(tag: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n%b" % (len(tag), tag, end)


ANSWERS = {
    "plain": good,
    "chunked": chunked,
    "empty": lambda _: b"HTTP/1.1 204 No Content\r\n\r\n",
    "a second answer behind it": lambda tag: good(tag) + good(tag),
    "bytes behind it": lambda tag: good(tag) + tag,
    "an empty line behind it": lambda tag: good(tag) + b"\r\n",
    "a second answer behind chunks": lambda tag: chunked(tag) + good(tag),
    "an answer behind none": lambda tag: b"HTTP/1.1 304 Not Modified\r\n\r\n" + good(tag),
    "a body longer than said": lambda tag: good(tag).replace(b"Length: 36", b"Length: 4"),
    "a body shorter than said": lambda tag: good(tag).replace(b"Length: 36", b"Length: 900"),
    "two lengths": lambda tag: good(tag).replace(b"Content-Length: 36", b"Content-Length: 36\r\nContent-Length: 4"),
    "length and chunks": lambda tag: chunked(tag).replace(b"Transfer", b"Content-Length: 3\r\nTransfer"),
    "chunks without an end": lambda tag: chunked(tag, end=b""),
    "a chunk that is none": lambda tag: chunked(tag, end=b"zz\r\n" + tag),
    "trailers": lambda tag: chunked(tag, end=b"0\r\nX: " + tag + b"\r\n\r\n"),
    "until the end": lambda tag: b"HTTP/1.1 200 OK\r\n\r\n" + tag,
    "on the way": lambda tag: b"HTTP/1.1 103 X\r\nX: " + tag + b"\r\n\r\n" + good(tag),
    "switching unasked": lambda tag: b"HTTP/1.1 101 X\r\nUpgrade: x\r\n\r\n" + tag,
    "no head": lambda tag: tag,
    "half a head": lambda tag: b"HTTP/1.1 200 OK\r\nX: " + tag,
    "close": lambda tag: good(tag).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1),
}


def own(it, clients) -> None:
    """No connection to the API server served two people, and each answer has the bytes of its own request alone."""
    served: dict[int, set[bytes]] = {}
    for seen in it.server.seen:
        served.setdefault(id(seen.wire), set()).update(seen.get(b"impersonate-user"))
    assert all(len(people) == 1 for people in served.values())
    for client in clients.values():
        for one in client.received.split(b"HTTP/1.1 ")[1:]:
            assert set(TAG.findall(one)) <= set(OURS.findall(one)[:1]), one


async def ask(it, clients, person: int, method: bytes) -> None:
    """On the person's connection, or a new one where that has ended."""
    it.state.live = replace(it.state.live, identity=PEOPLE[person])
    if person in clients and clients[person].closed:
        own(it, clients)
        del clients[person]
    if person not in clients:
        clients[person] = it.client()
    clients[person].send(request(method, PODS + b"/p", body=b"{}" if method == b"PUT" else b""))
    await settle()


async def answer(it, seen, kind: str, pieces: int, *, ends: bool) -> None:
    data = ANSWERS[kind](seen.get(b"audit-id")[0])
    step = max(1, len(data) // pieces)
    for at in range(0, len(data), step):
        if not seen.wire.closing:
            seen.wire.receive(data[at : at + step])
        await settle()
    if ends and not seen.wire.closing:
        seen.wire.end()
        await settle()


async def conversation(it, chosen: random.Random, kinds: list[str]) -> int:
    """How many were answered."""
    it.server.answer = None
    clients: dict = {}
    answered = 0
    for kind in kinds:
        for _ in range(chosen.randint(1, 3)):
            await ask(it, clients, chosen.randrange(len(PEOPLE)), chosen.choice([b"GET", b"HEAD", b"PUT"]))
        waiting = [seen for seen in it.server.seen[answered:] if not seen.wire.closing]
        chosen.shuffle(waiting)
        for seen in waiting:
            await answer(it, seen, kind, chosen.choice([1, 2, 50]), ends=chosen.random() < 0.3)
        answered = len(it.server.seen)
        own(it, clients)
    for client in clients.values():
        client.wire.end()
    await settle()
    for wire in it.server.wires:
        wire.end()
    await settle()
    own(it, clients)
    return answered


@pytest.mark.parametrize("kind", ANSWERS)
def test_behind_each_way_to_break_an_answer_the_next_is_whole_and_ones_own(kind):
    async def behave(it):
        assert await conversation(it, random.Random(7), [kind, "plain", "chunked"] * 3) > 3

    run_plane(behave)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.sampled_from(sorted(ANSWERS)), min_size=2, max_size=8))
def test_whatever_comes_in_whatever_order_each_gets_what_is_theirs(seed, kinds):
    async def behave(it):
        await conversation(it, random.Random(seed), kinds)

    run_plane(behave)
