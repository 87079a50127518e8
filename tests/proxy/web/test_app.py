from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import trustme
from aiohttp import web

from proxy.web.app import KEEPALIVE_SECONDS, WebListener, web_ssl_context


async def hello(_: web.Request) -> web.Response:
    return web.Response(text="hello")


def app() -> web.Application:
    made = web.Application()
    made.router.add_get("/", hello)
    return made


@pytest.fixture
def listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


@pytest.fixture
async def quick(listening: socket.socket) -> AsyncIterator[int]:
    """A listener that is out of patience at once."""
    listener = WebListener(app(), head_seconds=0.0)
    await listener.start(listening, None)
    yield listening.getsockname()[1]
    await listener.stop()


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: "])
async def test_a_connection_without_a_whole_head_is_dropped(quick: int, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", quick)
    writer.write(sent)
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        async with asyncio.timeout(KEEPALIVE_SECONDS / 2):  # aiohttp itself would close it, but later
            await reader.readexactly(1)
    writer.close()


async def test_a_connection_that_asked_in_time_stays(listening: socket.socket) -> None:
    listener = WebListener(app())
    await listener.start(listening, None)
    port = listening.getsockname()[1]
    async with aiohttp.ClientSession() as client:
        for _ in range(2):
            assert (await client.get(f"http://127.0.0.1:{port}/")).status == 200
    assert listener._silent == {}
    await listener.stop()


@pytest.fixture
def authority(tmp_path: Path) -> tuple[trustme.CA, ssl.SSLContext]:
    ca = trustme.CA()
    issued = ca.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    for pem in issued.cert_chain_pems:
        pem.write_to_path(str(tmp_path / "chain.pem"), append=True)
    return ca, web_ssl_context(str(tmp_path / "chain.pem"), str(tmp_path / "key.pem"))


async def test_it_speaks_tls_13_and_http_11_only(
    listening: socket.socket, authority: tuple[trustme.CA, ssl.SSLContext]
) -> None:
    ca, context = authority
    listener = WebListener(app())
    await listener.start(listening, context)
    port = listening.getsockname()[1]
    client = ssl.create_default_context()
    ca.configure_trust(client)
    client.set_alpn_protocols(["h2", "http/1.1"])
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
    tls = writer.get_extra_info("ssl_object")
    assert (tls.version(), tls.selected_alpn_protocol()) == ("TLSv1.3", "http/1.1")
    writer.close()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        await asyncio.open_connection("127.0.0.1", port, ssl=client)
    await listener.stop()


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X-%d: 1\r\n" % i for i in range(100)) + b"\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 9000 + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
)
async def test_a_head_over_the_limits_is_refused(listening: socket.socket, head: bytes) -> None:
    listener = WebListener(app())
    await listener.start(listening, None)
    reader, writer = await asyncio.open_connection("127.0.0.1", listening.getsockname()[1])
    writer.write(head)
    assert (await reader.read(12)) == b"HTTP/1.0 400"
    writer.close()
    await listener.stop()
