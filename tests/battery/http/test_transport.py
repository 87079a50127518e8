"""TLS as it really is on the socket: nothing is resumed, nothing older is spoken, nothing plain is read as a request.

The attacks are security T1 to T3 and D7. `serving` is the listener over real TLS, with certificates that live in 2027.
"""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
import struct

import pytest
import uvloop

from auth.keystore import load_or_create_ca, serving_certificate
from proxy.listeners import kube_ssl_context
from tests.proxy.test_listeners import NOW, serving

ASKED = b"GET /api HTTP/1.1\r\nHost: a\r\n\r\n"
RACES = 200
LOOPS = pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])


async def handshake(port: int, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> ssl.SSLObject:
    """One request over a new connection, so that any ticket has come; `session` is offered for resumption."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1", session=session)

    async def until(work):
        while True:
            try:
                done = work()
            except ssl.SSLWantReadError:
                done = None
            if data := outgoing.read():
                writer.write(data)
            if done is not None:
                return done
            data = await reader.read(16384)
            assert data, "the listener hung up"
            incoming.write(data)

    await until(lambda: tls.do_handshake() or True)
    tls.write(ASKED)
    answer = await until(lambda: tls.read(16384))
    assert answer.startswith(b"HTTP/1.1 204 ")
    writer.close()
    return tls


async def resumed(tmp_path) -> tuple[bool, bool, bool]:
    """(a ticket was given, the session came back, both requests were heard)."""
    async with serving(tmp_path, keep_alive=True) as (_, _, heads, connect):
        _, writer = await connect()
        port = writer.get_extra_info("peername")[1]
        context = writer.get_extra_info("ssl_object").context
        writer.close()
        first = await handshake(port, context)
        again = await handshake(port, context, first.session)
        return first.session.has_ticket, again.session_reused, len(heads) == 2


@LOOPS
def test_no_session_outlives_its_connection(tmp_path, factory):
    """T1: a resumed session would bring its certificate back after its end."""
    with asyncio.Runner(loop_factory=factory) as runner:
        assert runner.run(resumed(tmp_path)) == (False, False, True)


async def test_nothing_older_than_tls_13_is_spoken(tmp_path):
    async with serving(tmp_path, keep_alive=True) as (_, refused, heads, connect):
        _, writer = await connect()
        port, context = writer.get_extra_info("peername")[1], writer.get_extra_info("ssl_object").context
        writer.close()
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises((ssl.SSLError, OSError)):
            await asyncio.open_connection("127.0.0.1", port, ssl=context)
        assert heads == []
        async with asyncio.timeout(10):
            while not refused:
                await asyncio.sleep(0)
        assert [reason for reason, *_ in refused] == ["old_tls"]


async def test_http_11_is_all_that_is_offered(tmp_path):
    """D7: a client that also speaks HTTP/2 is told so, and one that speaks nothing else gets no request through."""
    async with serving(tmp_path, keep_alive=True) as (_, _, heads, connect):
        _, writer = await connect()
        port, context = writer.get_extra_info("peername")[1], writer.get_extra_info("ssl_object").context
        writer.close()
        context.set_alpn_protocols(["h2", "http/1.1"])
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        writer.close()
        assert heads == []


def test_what_cannot_be_tried_over_tls_13_is_switched_off(tmp_path):
    """T3: renegotiation and compression are not part of it; a later library may still think so."""
    ca = load_or_create_ca(tmp_path, "client", "client CA", NOW)
    chain, key = serving_certificate(tmp_path, "kube", ca, ["127.0.0.1"], now=NOW)
    context = kube_ssl_context(str(chain), str(key), ca.pem)
    off = ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_NO_TICKET
    assert context.options & off == off
    assert context.verify_mode is ssl.CERT_REQUIRED


async def races(tmp_path) -> int:
    """How many requests were heard: plain ones, some behind half a ClientHello, then a reset (CVE-2023-40217)."""
    chosen = random.Random(1)
    async with serving(tmp_path, keep_alive=True) as (listener, _, heads, connect):
        _, writer = await connect()
        port = writer.get_extra_info("peername")[1]
        writer.close()
        for _ in range(RACES):
            with socket.create_connection(("127.0.0.1", port)) as plain:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                plain.send(chosen.choice([b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"]) + ASKED)
            if chosen.random() < 0.5:
                await asyncio.sleep(0)
        async with asyncio.timeout(20):
            while listener._handshakes or listener._connections:
                await asyncio.sleep(0)
        reader, writer = await connect()
        writer.write(ASKED)
        answer = await reader.readuntil(b"\r\n\r\n")
        writer.close()
        assert answer.startswith(b"HTTP/1.1 204 ")
        return len(heads)


@LOOPS
def test_plain_bytes_before_a_reset_are_never_a_request(tmp_path, factory):
    """T2: afterwards it serves as before, and that one request is the only one."""
    with asyncio.Runner(loop_factory=factory) as runner:
        assert runner.run(races(tmp_path)) == 1
