"""The client's end of one exec, and what is measured with it."""

from __future__ import annotations

import asyncio
import ssl
import time
from pathlib import Path

from tests.bench.streams.frames import Reader, message

POD = "/api/v1/namespaces/default/pods/p"
RECORDED = POD + "/exec?stdin=true&stdout=true&tty=true&"
NOT_RECORDED = POD + "/proxy/exec?"
"""An upgraded connection to what listens in a pod: the same frames, which nobody decodes or keeps."""
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


class Shell(asyncio.Protocol):
    """Open with `connected`; `press` sends a key and waits for its echo."""

    def __init__(self) -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.received = 0
        self._head = b""
        self._reader = Reader()
        self._echo: asyncio.Future[None] | None = None
        self._wanted = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if not self.opened.done():
            self._head += data
            head, blank, rest = self._head.partition(b"\r\n\r\n")
            if not blank:
                return
            if not head.startswith(b"HTTP/1.1 101 "):
                self.opened.set_exception(RuntimeError(self._head.decode(errors="replace")))
                return
            self.opened.set_result(None)
            data = rest
        for payload in self._reader.feed(data):
            self.received += len(payload) - 1
            self._wanted -= len(payload) - 1
        if self._echo is not None and self._wanted <= 0:
            echo, self._echo = self._echo, None
            echo.set_result(None)
        if self._reader.closed and not self.ended.done():
            self.ended.set_result(None)

    def connection_lost(self, _error: Exception | None) -> None:
        for future in (self.opened, self.ended, self._echo):
            if future is not None and not future.done():
                future.set_exception(ConnectionError("the stream ended early"))
                future.exception()

    async def press(self, data: bytes) -> float:
        """Seconds until all of it came back."""
        self._echo = asyncio.get_running_loop().create_future()
        self._wanted = len(data)
        began = time.perf_counter()
        self._transport.write(message(0, data, masked=True))
        await self._echo
        return time.perf_counter() - began

    def close(self) -> None:
        self._transport.close()


def context_for(certificate: Path | str, key: Path | str, ca: Path | str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca))
    context.load_cert_chain(certificate, key)
    return context


async def connected(address: str, context: ssl.SSLContext, *command: str, target: str = RECORDED) -> Shell:
    """A shell that runs `command`. Raises RuntimeError with the answer where it is refused."""
    host, _, port = address.partition(":")
    _, shell = await asyncio.get_running_loop().create_connection(
        Shell, host, int(port), ssl=context, server_hostname="localhost"
    )
    target += "&".join(f"command={word}" for word in command)
    lines = (
        f"GET {target} HTTP/1.1",
        "Host: " + address,
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {KEY}",
        "Sec-WebSocket-Protocol: v5.channel.k8s.io",
        "User-Agent: kubectl/v1.36.0",
    )
    shell._transport.write("\r\n".join((*lines, "", "")).encode())
    await shell.opened
    return shell
