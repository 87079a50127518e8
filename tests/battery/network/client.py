"""Somebody who asks once, over a connection of their own, and says what came: a request, or an exec."""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
from contextlib import suppress
from dataclasses import dataclass, field

from recordings.streams.frames import FrameReader, Head, Payload
from tests.battery.network.api_server import HALF
from tests.recordings.streams.wire import MASK, frame

PODS = "/api/v1/namespaces/default/pods/"
HEAD_END = b"\r\n\r\n"


@dataclass
class Asked:
    """`half` is set when the first half of the answer is here. `ended`: the other side said so in order."""

    half: asyncio.Event = field(default_factory=asyncio.Event)
    received: bytes = b""
    stdout: bytes = b""
    status: int = 0
    closed: bool = False
    """An exec came to its end: the close code is here."""

    @property
    def body(self) -> bytes:
        return self.received.partition(HEAD_END)[2]

    @property
    def whole(self) -> bool:
        """Everything that the answer's head promised."""
        if self.status == 101:
            return self.closed
        head, end, body = self.received.partition(HEAD_END)
        promised = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        return bool(end) and bool(promised) and len(body) == int(promised[0].partition(b":")[2])

    def take(self, data: bytes) -> None:
        self.received += data
        if HEAD_END in self.received and not self.status:
            self.status = int(self.received[9:12])
        if self.status != 101 and len(self.body) >= len(HALF):
            self.half.set()


@dataclass(frozen=True, slots=True)
class Reach:
    """Where the listener is, what it is called, and who asks."""

    port: int
    host: str
    tls: ssl.SSLContext

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=self.tls, server_hostname="localhost")


async def request(asked: Asked, reach: Reach, method: str, name: str) -> None:
    """Until the answer is whole or the connection ends."""
    body = b'{"kind":"Pod"}' if method != "GET" else b""
    with suppress(OSError, ssl.SSLError, asyncio.IncompleteReadError):
        reader, writer = await reach.connect()
        try:
            head = f"{method} {PODS}{name} HTTP/1.1\r\nHost: {reach.host}\r\nContent-Type: application/json\r\n"
            writer.write(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            while not asked.whole and (data := await reader.read(65536)):
                asked.take(data)
        finally:
            writer.transport.abort()


async def execute(asked: Asked, reach: Reach, name: str) -> None:
    """One word in, until the stream is closed or the connection ends."""
    with suppress(OSError, ssl.SSLError, asyncio.IncompleteReadError):
        reader, writer = await reach.connect()
        try:
            writer.write(_upgrade(name, reach.host))
            await _listen(asked, reader, writer)
        finally:
            writer.transport.abort()


def _upgrade(name: str, host: str) -> bytes:
    query = "command=cat&stdin=true&stdout=true"
    lines = (
        f"GET {PODS}{name}/exec?{query} HTTP/1.1",
        f"Host: {host}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: " + base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Protocol: v5.channel.k8s.io",
    )
    return "\r\n".join((*lines, "", "")).encode()


async def _listen(asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    frames = FrameReader(masked=False)
    channel = payload = b""
    while not asked.whole and (data := await reader.read(65536)):
        before = asked.status
        asked.take(data)
        if asked.status != 101:
            continue
        if before != 101:
            writer.write(frame(2, b"\x00word", mask=MASK))
            data = asked.body
        for part in frames.feed(data):
            if isinstance(part, Head):
                channel = payload = b""
            elif isinstance(part, Payload):
                payload += part.data
                channel, rest = payload[:1], part.data if channel else part.data[1:]
                if channel == b"\x01":
                    asked.stdout += rest
            else:
                asked.closed = asked.closed or part.opcode == 8
        if len(asked.stdout) >= len(HALF):
            asked.half.set()
