"""A connection after its upgrade: taken from the HTTP server, which goes on to know when it ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from aiohttp import web

LINGER_SECONDS = 2.0
"""How long we let the client hang up first: what it sent and nobody reads would tear down what it has yet to read."""


class TakenConnection(asyncio.Protocol):
    """`begin` takes it; `lost` is set when it is over."""

    def __init__(self, request: web.Request) -> None:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client has gone")
        self._transport, self._before = transport, request.protocol
        self._received: Callable[[bytes], None] = _dropped
        self._writable = asyncio.Event()
        self._writable.set()
        self.lost = asyncio.Event()

    def begin(self, head: bytes, received: Callable[[bytes], None]) -> None:
        """Answer with `head`; `received` gets what the client sends from now on."""
        self._received = received
        self._transport.set_protocol(self)
        self.send(head)

    def send(self, data: bytes) -> None:
        """Queue bytes for the client; `drain` before more."""
        if not self.lost.is_set():
            self._transport.write(data)

    async def drain(self) -> None:
        """Wait until the client has taken enough. Raises ConnectionResetError."""
        await self._writable.wait()
        if self.lost.is_set():
            raise ConnectionResetError("the client has gone")

    def read(self, *, on: bool) -> None:
        """Whether to take more from the client."""
        with contextlib.suppress(RuntimeError):  # it is closing, or already so
            (self._transport.resume_reading if on else self._transport.pause_reading)()

    def cut(self) -> None:
        """At once, after what was sent: the client has said goodbye, or broken the protocol."""
        self._received = _dropped
        self._transport.close()

    async def close(self) -> None:
        """After what was sent; what still comes is dropped."""
        self._received = _dropped
        self.read(on=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                await self.lost.wait()
        self._transport.close()

    # -- asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        """As the transport gives it."""
        self._received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Told on, so that the HTTP server ends its handler."""
        self.lost.set()
        self._writable.set()
        self._before.connection_lost(exc)

    def pause_writing(self) -> None:
        """As the transport says."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """As the transport says."""
        self._writable.set()


class Upgraded(web.StreamResponse):
    """What a handler returns to the HTTP server when the connection is not its any more."""

    def __init__(self) -> None:
        super().__init__(status=101)
        self.force_close()

    @property
    def prepared(self) -> bool:
        """The head was sent by us."""
        return True

    async def prepare(self, request: web.BaseRequest) -> None:
        """Nothing to send."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing to send."""


def _dropped(_data: bytes) -> None:
    pass
