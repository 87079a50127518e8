"""Claims about what leaves at the end of a pass of the loop."""

import asyncio

import pytest

from proxy.config import KubeLimits
from proxy.connection import KubeConnection
from proxy.outbox import Outbox
from proxy.upstream import UpstreamConnection


class Letter:
    def __init__(self, name, sent, *, then=None):
        self.name, self.sent, self.then = name, sent, then

    def flush(self):
        self.sent.append(self.name)
        if self.then is not None:
            self.then()


async def test_all_of_one_pass_leaves_in_order_when_it_is_over():
    sent = []
    outbox = Outbox(asyncio.get_running_loop())
    for name in "abc":
        outbox.put(Letter(name, sent))
    assert sent == []
    await asyncio.sleep(0)
    assert sent == ["a", "b", "c"]


async def test_what_is_put_in_while_it_is_emptied_leaves_with_the_next_pass():
    sent = []
    outbox = Outbox(asyncio.get_running_loop())
    outbox.put(Letter("a", sent, then=lambda: outbox.put(Letter("b", sent))))
    await asyncio.sleep(0)
    assert sent == ["a"]
    await asyncio.sleep(0)
    assert sent == ["a", "b"]


async def test_each_goes_once():
    sent = []
    outbox = Outbox(asyncio.get_running_loop())
    outbox.put(Letter("a", sent))
    for _ in range(3):
        await asyncio.sleep(0)
    assert sent == ["a"]


class Wire:
    """A transport that notes what is done to it."""

    def __init__(self):
        self.done = []

    def get_extra_info(self, _name, default=None):
        return default

    def write(self, data):
        self.done.append(data)

    def close(self):
        self.done.append("closed")

    def abort(self):
        self.done.append("aborted")


class Owner:
    draining = False

    def __init__(self):
        self.loop = asyncio.get_running_loop()
        self.outbox = Outbox(self.loop)
        self.limits = KubeLimits()

    def opened(self, connection):
        pass


def client():
    wire, connection = Wire(), KubeConnection(Owner())
    connection.connection_made(wire)
    return wire, connection


def upstream():
    wire, connection = Wire(), UpstreamConnection(("c1", 1, ("issuer", "subject")), Outbox(asyncio.get_running_loop()))
    connection.connection_made(wire)
    return wire, connection


async def test_an_answers_end_leaves_with_the_pass_and_nothing_overtakes_it():
    wire, connection = client()
    connection.write_last(b"one ")
    connection.write_last(b"two ")
    assert wire.done == []
    connection.write(b"three ")
    assert wire.done == [b"one two ", b"three "]
    connection.write_last(b"four")
    await asyncio.sleep(0)
    assert wire.done == [b"one two ", b"three ", b"four"]


async def test_an_answers_end_leaves_before_its_connection_is_closed_and_is_dropped_when_it_is_aborted():
    wire, connection = client()
    connection.write_last(b"end")
    connection.close()
    await asyncio.sleep(0)
    assert wire.done == [b"end", "closed"]
    wire, connection = client()
    connection.write_last(b"end")
    connection.abort()
    await asyncio.sleep(0)
    assert wire.done == ["aborted"]


@pytest.mark.parametrize("has_body", [True, False])
async def test_a_requests_head_leaves_with_the_pass_or_right_before_its_body(has_body):
    wire, connection = upstream()
    connection.start(None, "POST", b"head ", has_body=has_body)
    assert wire.done == []
    if has_body:
        connection.send(b"body")
        assert wire.done == [b"head ", b"body"]
    await asyncio.sleep(0)
    assert wire.done[0] == b"head "
    assert len(wire.done) == 1 + has_body


async def test_a_request_that_was_given_up_in_the_same_pass_is_not_sent():
    wire, connection = upstream()
    connection.start(None, "GET", b"head", has_body=False)
    connection.abort()
    await asyncio.sleep(0)
    assert wire.done == ["aborted"]
