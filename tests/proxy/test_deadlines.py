"""Claims about peers that stand still: API servers that never answer, clients that send or take nothing."""

import asyncio
import socket
import ssl

import pytest

from proxy import listeners
from proxy.connection import BODY_SECONDS, STALL_SECONDS
from recordings.audit.record import Outcome
from tests.proxy.dataplane import PODS, plane, request, settle

LIMIT = 120
LARGE = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 300_000


@pytest.mark.parametrize("data", [request(), request(b"POST", body=b"{}"), request(b"HEAD")])
async def test_an_api_server_that_never_answers_is_given_up_and_recorded(data):
    async with plane() as it:
        it.server.answer = None
        client = it.client()
        await client.ask(data)
        await it.loop.turn(LIMIT - 2)
        assert not client.closed
        await it.loop.turn(4)
        assert client.received.startswith(b"HTTP/1.1 504 ")
        assert it.log.outcomes[-1] == (Outcome.FAILED, 504)
        assert it.log.records[-1].message == "no answer for 120 s"
        assert it.server.wires[0].aborted


async def test_the_time_begins_when_the_request_is_whole():
    async with plane() as it:
        it.server.answer = None
        client = it.client()
        data = request(b"POST", body=b"x" * 100)
        await client.ask(data[:-1])
        await it.loop.turn(BODY_SECONDS - 2)
        await client.ask(data[-1:])
        await it.loop.turn(LIMIT - 2)
        assert not client.closed
        await it.loop.turn(4)
        assert client.received.startswith(b"HTTP/1.1 504 ")


@pytest.mark.parametrize("target", [PODS + b"?watch=1", PODS + b"/p/log?follow=true", PODS + b"/p/proxy/slow"])
async def test_what_may_take_for_ever_may(target):
    async with plane() as it:
        it.server.answer = None
        client = it.client()
        await client.ask(request(target=target))
        if not it.server.seen:  # the plane's role does not proxy
            return
        await it.loop.turn(10 * LIMIT)
        assert not client.closed
        it.server.respond(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await settle()
        assert it.log.outcomes == [(Outcome.DONE, 200)]


async def test_an_answer_that_goes_on_may_take_its_time():
    async with plane() as it:
        it.server.answer = None
        client = it.client()
        await client.ask(request())
        it.server.respond(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        for _ in range(10):
            await it.loop.turn(LIMIT - 2)
            it.server.respond(b"x")
        await settle()
        assert it.log.outcomes[-1] == (Outcome.DONE, 200)


@pytest.mark.parametrize("data", [request(), request(b"POST", body=b"{}")])
async def test_an_answer_that_stops_in_the_middle_is_torn_and_recorded(data):
    async with plane() as it:
        it.server.answer = None
        client = it.client()
        await client.ask(data)
        it.server.respond(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{")
        await it.loop.turn(LIMIT - 2)
        assert not client.closed
        await it.loop.turn(4)
        assert client.wire.aborted
        assert it.log.outcomes[-1] == (Outcome.FAILED, 200)
        assert it.log.records[-1].message == "no more of the answer for 120 s"
        assert it.server.wires[0].aborted


async def test_an_api_server_that_stops_once_a_slow_client_takes_again_is_given_up():
    async with plane() as it:
        it.server.answer = None
        client = it.client()
        client.wire.stalled = True
        await client.ask(request())
        it.server.respond(LARGE)
        await it.loop.turn(2 * LIMIT)
        client.wire.flow()
        await it.loop.turn(LIMIT - 2)
        assert not client.closed
        await it.loop.turn(4)
        assert it.log.outcomes[-1] == (Outcome.FAILED, 200)


async def test_a_client_that_takes_nothing_of_its_answer_is_left():
    async with plane() as it:
        it.server.answer = None
        client = it.client()
        client.wire.stalled = True
        await client.ask(request())
        it.server.respond(LARGE)
        await settle()
        await it.loop.turn(STALL_SECONDS - 2)
        assert not client.closed
        await it.loop.turn(4)
        assert client.wire.aborted
        assert it.log.outcomes[-1] == (Outcome.ABORTED, 200)
        assert it.log.records[-1].message == "the client took nothing of its answer for 600 s"
        assert it.server.wires[0].aborted


async def test_a_client_that_takes_a_little_now_and_then_is_not():
    async with plane() as it:
        it.server.answer = None
        client = it.client()
        client.wire.stalled = True
        await client.ask(request())
        it.server.respond(LARGE)
        await settle()
        await it.loop.turn(STALL_SECONDS - 2)
        client.wire.flow()
        await it.loop.turn(LIMIT - 2)
        assert not client.closed
        it.server.respond(b"x" * 700_000)
        await settle()
        assert it.log.outcomes[-1] == (Outcome.DONE, 200)


async def test_a_watch_may_stand_still_in_a_pager():
    async with plane() as it:
        it.server.answer = None
        client = it.client()
        client.wire.stalled = True
        await client.ask(request(target=PODS + b"?watch=1"))
        it.server.respond(LARGE)
        await settle()
        await it.loop.turn(4 * STALL_SECONDS)
        assert not client.closed
        client.wire.end()
        await settle()


async def test_a_body_that_stops_is_told_apart_from_a_client_that_leaves():
    async with plane() as it:
        it.server.answer = None
        client = it.client()
        await client.ask(request(b"POST", body=b"x" * 100)[:-1])
        await it.loop.turn(BODY_SECONDS + 2)
        assert client.closed
        assert it.log.outcomes[-1][0] is Outcome.ABORTED
        assert it.log.records[-1].message == "no byte of the request's body for 60 s"
        assert ("body_timeout", "192.0.2.7", "") in it.refused


async def test_silent_handshakes_do_not_keep_others_out(monkeypatch):
    monkeypatch.setattr(listeners, "MAX_HANDSHAKES", 3)
    async with plane() as it:
        it.listener.loop = asyncio.get_running_loop()
        listening = listeners.listen("127.0.0.1", 0)
        address = listening.getsockname()
        it.listener.start(listening)
        silent = []
        for _ in range(5):
            reader, writer = await asyncio.open_connection(*address)
            silent.append((reader, writer))
        assert await asyncio.wait_for(silent[0][0].read(), 5) == b""  # the oldest was given up
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with pytest.raises((ssl.SSLError, ConnectionError)):  # it has no certificate to show, but is heard
            await asyncio.open_connection(*address, ssl=context)
        assert [reason for reason, _, _ in it.refused].count("handshake_given_up") >= 2
        for _, writer in silent:
            writer.close()
        await it.listener.stop()
        with pytest.raises(OSError), socket.create_connection(address, 1):
            pass
