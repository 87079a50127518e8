"""A service on loopback, by HTTPS, one request for a connection: it says when it was asked, answers in two halves."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from auth.keystore import serving_certificate
from tests.battery.network.fault import Fault, Moment
from tests.battery.network.fault_proxy import FaultProxy
from tests.proxy.running import UPSTREAM_CA

Answer = Callable[[bytes], Awaitable[bytes]]
"""From a whole request to a whole answer."""
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
MOMENT_SECONDS = 5.0
"""In which a moment comes, or the test is wrong."""


class Stepper:
    """`start`, then `during` for each cell, then `stop`. `port` is the fault proxy's, before it."""

    def __init__(self, answer: Answer) -> None:
        self.port = 0
        self._answer = answer
        self._asked, self._speak, self._go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._release()

    async def start(self, folder: Path) -> Stepper:
        chain, key = serving_certificate(folder, "service", UPSTREAM_CA, ["127.0.0.1"], now=1_790_000_000.0)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self._proxy = await FaultProxy("127.0.0.1", self._server.sockets[0].getsockname()[1]).start()
        self.port = self._proxy.port
        return self

    async def stop(self) -> None:
        self._release()
        await self._proxy.stop()
        self._server.close()

    async def during(self, fault: Fault, moment: Moment, do: Callable[[], Awaitable[str]]) -> str:
        """What `do` says, with the fault at its moment; afterwards all passes again."""
        for event in (self._asked, self._speak, self._go_on):
            event.clear()
        if moment is Moment.BEGINNING:
            self._proxy.strike(fault)
            self._release()
        doing = asyncio.ensure_future(do())
        if moment is not Moment.BEGINNING:
            await asyncio.wait_for(self._asked.wait(), MOMENT_SECONDS)
            if moment is Moment.ANSWERED:
                self._proxy.delivered.clear()
                self._speak.set()
                await asyncio.wait_for(self._proxy.delivered.wait(), MOMENT_SECONDS)
            self._proxy.strike(fault)
            self._release()
        said = await doing
        await self._proxy.heal()
        return said

    def _release(self) -> None:
        self._speak.set()
        self._go_on.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            answer = await self._answer(head + await reader.readexactly(int(length[1]) if length else 0))
            self._asked.set()
            await self._speak.wait()
            half = len(answer) * 3 // 4  # in the middle of the body
            writer.write(answer[:half])
            await self._go_on.wait()
            writer.write(answer[half:])
            await writer.drain()
        writer.close()


async def asked_of(port: int, request: bytes) -> bytes:
    """The answer of a plain server that closes behind it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head, _, body = request.partition(b"\r\n\r\n")
    writer.write(re.sub(rb"(?i)\r\nconnection:[^\r]*", b"", head) + b"\r\nConnection: close\r\n\r\n" + body)
    answer = await reader.read()
    writer.close()
    return answer
