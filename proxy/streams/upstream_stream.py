"""The upstream side of an upgraded connection: one, made for it, of one person, never used for anything else."""

from __future__ import annotations

import asyncio
import socket
from typing import Protocol, cast

from proxy.received import buffer, received

TURN_BYTES = 128 * 1024
"""Read at once; then all other connections have their turn. libuv goes on reading one socket up to 32 times while there
is more, and the others wait for megabytes of a flood. Half of it costs a fifth more CPU; with twice of it a key press
beside a flood waits twice as long."""
_ESTABLISHED = 1
"""tcpi_state of tcp(7): anything else behind a connection that was made means that the other side has closed."""


def _is_closed_by_peer(transport: asyncio.Transport) -> bool:
    """Whether a FIN is here already, though what came before it may be unread. Linux tells; elsewhere nobody does."""
    connection = transport.get_extra_info("socket")
    option = getattr(socket, "TCP_INFO", None)
    if connection is None or option is None:
        return False
    return bool(connection.getsockopt(socket.IPPROTO_TCP, option, 1)[0] != _ESTABLISHED)


class UpstreamOwner(Protocol):
    """What hears of it."""

    def upstream_data(self, pieces: list[bytes]) -> None:
        """What has come by now, in pieces that are to be passed on apart."""

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
        return buffer()[:TURN_BYTES]

    def buffer_updated(self, count: int) -> None:
        self.arrived(received(count))
        if count == TURN_BYTES and self._reading and self.transport is not None:
            self.transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._next_turn)

    def _next_turn(self) -> None:
        if self._reading and self.transport is not None:
            self.transport.resume_reading()

    def arrived(self, data: bytes) -> None:
        """Bytes are here."""
        self.deliver([data])

    def deliver(self, pieces: list[bytes]) -> None:
        """Bytes of the stream are here."""
        if self.owner is None:
            self.abort()
        else:
            self.owner.upstream_data(pieces)

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
        """Dropped once the API server has closed: a write would then end the connection with what it sent unread.

        kubectl goes on to send window updates and pings while it reads the end of a copy; in a program that writes and
        reads apart that does no harm, but a transport whose write fails is closed as a whole.
        """
        if data and self.transport is not None and not _is_closed_by_peer(self.transport):
            self.leave(data)

    def leave(self, data: bytes) -> None:
        """Send bytes on."""
        if self.transport is not None:
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
