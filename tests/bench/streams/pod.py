"""What stands behind the contenders: answers exec upgrades with an echo, or with a flood of bytes."""

from __future__ import annotations

import asyncio
import ssl
import sys
from urllib.parse import parse_qs, urlsplit

import uvloop

from proxy.streams.handshake import accept_of
from tests.bench.streams.frames import Reader, close, message

PIECE = 32 * 1024
STATUS = b'{"metadata":{},"status":"Success"}'


class Pod(asyncio.Protocol):
    """One exec. The command is `echo`, or `flood N`."""

    def __init__(self) -> None:
        self._head = b""
        self._reader: Reader | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._reader is None:
            self._head += data
            if b"\r\n\r\n" in self._head:
                self._answer()
            return
        for payload in self._reader.feed(data):
            if payload[0] == 0:
                self._transport.write(message(1, payload[1:], masked=False))
        if self._reader.closed:
            self._transport.close()

    def _answer(self) -> None:
        lines = self._head.split(b"\r\n")
        headers = dict(line.lower().partition(b": ")[::2] for line in lines[1:] if line)
        key = next(line.partition(b": ")[2] for line in lines if line.lower().startswith(b"sec-websocket-key"))
        assert headers[b"upgrade"] == b"websocket"
        self._reader = Reader()
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Protocol: v5.channel.k8s.io\r\nSec-WebSocket-Accept: " + accept_of(key) + b"\r\n\r\n"
        )
        command = parse_qs(urlsplit(lines[0].split(b" ")[1].decode()).query)["command"]
        if command[0] == "flood":
            self._task = asyncio.get_running_loop().create_task(self._flood(int(command[1])))

    async def _flood(self, size: int) -> None:
        piece = message(1, bytes(range(256)) * (PIECE // 256), masked=False)
        for _ in range(size // PIECE):
            await self._room.wait()
            self._transport.write(piece)
        self._transport.write(message(3, STATUS, masked=False) + close(masked=False))

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()


async def main(port: int, certificate: str, key: str, ca: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(ca)
    server = await asyncio.get_running_loop().create_server(Pod, "127.0.0.1", port, ssl=context, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), *sys.argv[2:]))
