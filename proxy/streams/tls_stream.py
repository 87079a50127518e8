"""The upstream side of an upgraded connection under TLS, decrypted here and not by the loop's own TLS transport.

uvloop's drops what it has decrypted and not delivered when the other side closes while reading is paused: the end of
what a fast command sends to a slow client (0.23; asyncio's own keeps it unless the connection is reset). Here reading
is paused at the socket, and all that was decrypted is delivered, so there is nothing to drop. TLS is `ssl`'s, as ever.
"""

from __future__ import annotations

import asyncio
import ssl
from enum import Enum, auto

from proxy.streams.upstream_stream import UpstreamStream

RECORD_BYTES = 16 * 1024
"""What a TLS record holds at most (RFC 8446, section 5.1); asked of TLS at once, which never gives more than one."""


class _After(Enum):
    """What follows what was decrypted."""

    MORE = auto()
    GOODBYE = auto()
    """TLS's own: whatever the other side does with its socket, nothing more will come."""
    BROKEN = auto()


class TlsStream(UpstreamStream):
    """To be waited for with `ready`, which raises ssl.SSLError or ConnectionError where there is no handshake."""

    __slots__ = ("_incoming", "_outgoing", "_tls", "ready")

    def __init__(self, context: ssl.SSLContext, server_hostname: str, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_hostname)
        self.ready: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._shake_hands()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(error or ConnectionResetError("the connection ended in the handshake"))
        super().connection_lost(error)

    def arrived(self, data: bytes) -> None:
        """Decrypt all of it; a TLS error ends the connection, as one that was lost."""
        self._incoming.write(data)
        if not self.ready.done():
            self._shake_hands()
        if not self.ready.done() or self.ready.exception() is not None:
            return
        pieces: list[bytes] = []
        after = self._decrypt(pieces)
        if any(pieces):
            self.deliver([piece for piece in pieces if piece])
        if self.transport is None:
            return
        if after is _After.GOODBYE:
            self.transport.close()
        elif after is _After.BROKEN:
            self.transport.abort()
        else:
            self._flush()

    def _decrypt(self, pieces: list[bytes]) -> _After:
        """Records that are full belong to the one behind them, which ends what the other side wrote at once.

        So a long write becomes one piece, and two writes never become one: clients that wait for their socket, and
        look for nothing in TLS's own buffer, would not see the second.
        """
        records: list[bytes] = []
        after = _After.MORE
        while after is _After.MORE:
            try:
                record = self._tls.read(RECORD_BYTES)
                after = _After.MORE if record else _After.GOODBYE
            except ssl.SSLWantReadError:
                break
            except ssl.SSLError:
                record, after = b"", _After.BROKEN
            records.append(record)
            if len(record) < RECORD_BYTES:
                pieces.append(b"".join(records))
                records.clear()
        pieces.append(b"".join(records))
        return after

    def leave(self, data: bytes) -> None:
        try:
            self._tls.write(data)
        except ssl.SSLError:  # what came before was no TLS, and it takes nothing more
            if self.transport is not None:
                self.transport.abort()
            return
        self._flush()

    def close(self) -> None:
        """With TLS's own goodbye, which does not wait for an answer."""
        if self.transport is not None and self.ready.done() and self.ready.exception() is None:
            try:
                self._tls.unwrap()
            except ssl.SSLError:
                self._flush()  # it would wait for the other side's
        super().close()

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except ssl.SSLError as error:
            self._flush()  # the alert
            self.ready.set_exception(error)
            if self.transport is not None:
                self.transport.close()
            return
        self._flush()
        self.ready.set_result(None)

    def _flush(self) -> None:
        data = self._outgoing.read()
        if data:
            super().leave(data)
