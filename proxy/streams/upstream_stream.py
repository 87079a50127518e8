"""The upstream side of an upgraded connection: one, made for it, of one person, never used for anything else."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

from proxy.received import buffer, received


class UpstreamOwner(Protocol):
    """What hears of it."""

    def upstream_data(self, data: bytes) -> None: ...
    def upstream_lost(self) -> None: ...
    def upstream_writable(self, *, writable: bool) -> None: ...


class UpstreamStream(asyncio.BufferedProtocol):
    """Bytes to the API server and back; what comes before there is an owner is a fault, and ends it."""

    __slots__ = ("_reading", "owner", "transport")

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.owner: UpstreamOwner | None = None
        self._reading = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's TLS transport is no subclass of asyncio.Transport, though it has all of it
        self.transport = cast("asyncio.Transport", transport)

    def get_buffer(self, _size: int) -> memoryview:
        return buffer()

    def buffer_updated(self, count: int) -> None:
        data = received(count)
        if self.owner is None:
            self.abort()
        else:
            self.owner.upstream_data(data)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, _error: Exception | None) -> None:
        self.transport = None
        owner, self.owner = self.owner, None
        if owner is not None:
            owner.upstream_lost()

    def pause_writing(self) -> None:
        if self.owner is not None:
            self.owner.upstream_writable(writable=False)

    def resume_writing(self) -> None:
        if self.owner is not None:
            self.owner.upstream_writable(writable=True)

    def write(self, data: bytes) -> None:
        if data and self.transport is not None:
            self.transport.write(data)

    def pause(self) -> None:
        if self._reading and self.transport is not None:
            self._reading = False
            self.transport.pause_reading()

    def resume(self) -> None:
        if not self._reading and self.transport is not None:
            self._reading = True
            self.transport.resume_reading()

    def close(self) -> None:
        """Flush, then close; nobody hears of it any more."""
        self.owner = None
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """Close at once."""
        self.owner = None
        if self.transport is not None:
            self.transport.abort()
