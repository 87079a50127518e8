"""An API server on loopback that says how far it is, and goes on when it is told: requests, and one exec."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from auth.keystore import serving_certificate
from proxy.streams.handshake import accept_of
from tests.proxy.running import UPSTREAM_CA
from tests.recordings.streams.wire import frame

HALF = b"x" * 6000
"""Of an answer's body, and of what an exec says."""
STATUS = b'{"metadata":{},"status":"Success"}'
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Protocol: v5.channel.k8s.io\r\nSec-WebSocket-Accept: %b\r\n\r\n"
)
_KEY = re.compile(rb"\r\nsec-websocket-key: *([^\r]+)", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)


@dataclass
class ApiServer:
    """`effects`: names of objects that were written, and of pods in which something ran."""

    port: int = 0
    effects: list[str] = field(default_factory=list)
    asked: Callable[[], None] = lambda: None
    """Called when a request is whole and nothing was said."""
    speak: asyncio.Event = field(default_factory=asyncio.Event)
    """Waited for before the first half."""
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    """Waited for before the second."""
    _server: asyncio.Server | None = None

    async def start(self, folder: Path) -> ApiServer:
        chain, key = serving_certificate(folder, "api", UPSTREAM_CA, ["127.0.0.1"], now=1_790_000_000.0)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        assert self._server is not None
        self.speak.set()
        self.go_on.set()
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                await reader.readexactly(int(length[1]) if length else 0)
                method, target, _ = head.split(b" ", 2)
                name = target.split(b"?")[0].split(b"/")[6].decode()
                if key := _KEY.search(head):
                    await self._exec(reader, writer, name, SWITCH % accept_of(key[1]))
                    break
                if "-exec-" in name:  # kwit itself asks for the pod behind an exec
                    writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                    continue
                if method != b"GET":
                    self.effects.append(name)
                self.asked()
                await self.speak.wait()
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12000\r\n\r\n" + HALF
                )
                await self.go_on.wait()
                writer.write(HALF)
                await writer.drain()
        writer.close()

    async def _exec(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str, switch: bytes) -> None:
        """It runs once the client's first word is here."""
        writer.write(switch)
        await reader.readexactly(2 + 4 + 5)  # a short masked frame: head, mask, channel and four letters
        self.effects.append(name)
        self.asked()
        await self.speak.wait()
        writer.write(frame(2, b"\x01" + HALF))
        await self.go_on.wait()
        writer.write(frame(2, b"\x01" + HALF) + frame(2, b"\x03" + STATUS) + frame(8, b"\x03\xe8"))
        await writer.drain()
        await reader.read()
