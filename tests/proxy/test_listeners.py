"""The listener over real TLS, on both event loops: a request reaches the journey and its answer comes back."""

import asyncio
import os
import ssl
from contextlib import asynccontextmanager

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from auth.ca import issue
from auth.identity import LoginID
from auth.keystore import load_or_create_ca, serving_certificate
from proxy.config import KubeLimits
from proxy.listeners import KubeListener, kube_ssl_context, listen
from proxy.metrics import Metrics

NOW = 1_800_000_000.0
LOGIN = LoginID("a" * 26)
LIMITS = KubeLimits(drain_timeout="1s")


def client_context(tmp_path, ca, server_ca):
    key = ec.generate_private_key(ec.SECP256R1())
    pem = issue(
        ca, key.public_key(), installation="demo", cluster="c1", login_id=LOGIN, now=NOW, lifetime_seconds=3600,
        serial_number=x509.random_serial_number(),
    ).pem  # fmt: skip
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "client.pem").write_bytes(private + pem.encode())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=server_ca.pem)
    context.verify_flags |= 0x200000  # the certificates of this test live at NOW
    context.load_cert_chain(tmp_path / "client.pem")
    return context


@asynccontextmanager
async def serving(tmp_path, *, keep_alive, limits=LIMITS):
    """The listener, what it refused, the heads that reached the journey, and a way to connect to it."""
    ca = load_or_create_ca(tmp_path, "client", "client CA", NOW)
    server_ca = load_or_create_ca(tmp_path, "server", "server CA", NOW)
    chain, key = serving_certificate(tmp_path, "kube", server_ca, ["127.0.0.1"], now=NOW)
    refused, heads, context = [], [], client_context(tmp_path, ca, server_ca)

    async def journey(connection, head):
        heads.append((connection.credential.login_id, head.method, head.target))
        connection.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        connection.next_request(keep_alive=keep_alive)

    listening = listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    listener = KubeListener(
        kube_ssl_context(str(chain), str(key), ca.pem),
        journey,
        loop=asyncio.get_running_loop(),
        installation="demo",
        limits=limits,
        refused=lambda *what: refused.append(what),
        metrics=Metrics(),
        clock=lambda: NOW,
        random=os.urandom,
    )
    listener.start(listening)
    try:
        yield listener, refused, heads, lambda: asyncio.open_connection("127.0.0.1", port, ssl=context)
    finally:
        await listener.stop()


async def exchange(tmp_path, request):
    async with serving(tmp_path, keep_alive=False) as (_, refused, heads, connect):
        reader, writer = await connect()
        writer.write(request)
        answer = await reader.read()
        writer.close()
    return answer, heads, [reason for reason, *_ in refused]


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_request_over_mutual_tls_reaches_the_journey_with_its_login(tmp_path, factory):
    with asyncio.Runner(loop_factory=factory) as runner:
        found = runner.run(exchange(tmp_path, b"GET /api HTTP/1.1\r\nHost: a\r\n\r\n"))
    assert found == (b"HTTP/1.1 204 No Content\r\n\r\n", [(LOGIN, "GET", b"/api")], [])


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_malformed_request_is_told_once_recorded_once_and_the_connection_ends(tmp_path, factory):
    with asyncio.Runner(loop_factory=factory) as runner:
        answer, heads, refused = runner.run(exchange(tmp_path, b"GET /api HTTP/1.0\r\nHost: a\r\n\r\n"))
    assert (answer.startswith(b"HTTP/1.1 400 "), heads, refused) == (True, [], ["malformed"])


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (KubeLimits(drain_timeout="1s", connections=1), "too_many_connections"),
        (KubeLimits(drain_timeout="1s", connections_per_source=1), "too_many_from_source"),
    ],
)
async def test_a_connection_over_a_limit_is_closed_and_recorded_and_there_is_room_after_it(tmp_path, limits, reason):
    async with serving(tmp_path, keep_alive=True, limits=limits) as (listener, refused, _, connect):

        async def ask():
            reader, writer = await connect()
            writer.write(b"GET /api HTTP/1.1\r\nHost: a\r\n\r\n")
            return await reader.readuntil(b"\r\n\r\n"), writer

        answer, first = await ask()
        assert answer.startswith(b"HTTP/1.1 204 ")
        with pytest.raises((OSError, asyncio.IncompleteReadError)):
            await ask()
        assert refused == [(reason, "127.0.0.1", "")]
        first.close()
        await first.wait_closed()
        async with asyncio.timeout(10):
            while listener._connections:
                await asyncio.sleep(0.01)
        answer, again = await ask()
        again.close()
        assert answer.startswith(b"HTTP/1.1 204 ")
