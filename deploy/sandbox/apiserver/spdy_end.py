"""A server's end of a SPDY/3.1 connection, as a kubelet's: accepts the streams that the client opens, answers pings.

Strict where Kubernetes is lax: what `recordings.streams` calls a fault ends the connection. Its rules hold for what is
sent from here, too. Where the bytes go is left to `send`: a connection of their own, or a WebSocket's messages.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

from recordings.streams.events import Event, Purpose, Role, Side, StreamOpened
from recordings.streams.header_block import DICTIONARY
from recordings.streams.spdy import SpdyStreams
from recordings.streams.spdy_frames import (
    FIN,
    DataHead,
    DataPiece,
    FrameReader,
    Ping,
    RstStream,
    SynReply,
    SynStream,
)

MAX_PIECE = 32 * 1024
"""Bytes of a data frame: what Kubernetes copies at a time."""
CANCEL = 5
"""RST_STREAM's status for a stream that is given up, §2.6.3."""


class SpdyEnd:
    """`receive` what the client sent, `write` and `end` on the streams that it opened, by number."""

    def __init__(self, purpose: Purpose, send: Callable[[bytes], None]) -> None:
        self._events: list[Event] = []
        self._streams = SpdyStreams(purpose, self._events.append)
        self._send = send
        self._frames = FrameReader()
        self._headers = zlib.compressobj(9, zlib.DEFLATED, 15, 9, 0, DICTIONARY)
        self._data: DataHead | None = None
        self._open: dict[int, Role] = {}
        self._ended: set[int] = set()

    def receive(self, data: bytes) -> list[Event]:
        """What happened. Raises StreamFaultError."""
        for frame, _ in self._frames.feed(data):
            match frame:
                case DataHead():
                    self._begin(frame)
                case DataPiece():
                    self._continue(frame)
                case Ping():
                    self._ping(frame)
                case SynStream():
                    self._streams.obey(Side.CLIENT, frame)
                    self._accept(frame)
                case RstStream():
                    self._streams.obey(Side.CLIENT, frame)
                    self._open.pop(frame.stream, None)
                case _:
                    self._streams.obey(Side.CLIENT, frame)
        happened = list(self._events)
        self._events.clear()
        return happened

    def write(self, stream: int, data: bytes) -> None:
        """Nothing where the client has reset it."""
        for at in range(0, len(data), MAX_PIECE):
            self._put(stream, data[at : at + MAX_PIECE], fin=False)

    def end(self, stream: int) -> None:
        """Half-close."""
        self._put(stream, b"", fin=True)
        self._ended.add(stream)

    def reset(self, stream: int) -> None:
        """End both halves of a stream, if it is there."""
        if self._open.pop(stream, None) is not None:
            self._send(bytes.fromhex("8003000300000008") + stream.to_bytes(4) + CANCEL.to_bytes(4))
            self._streams.obey(Side.SERVER, RstStream(stream, CANCEL))
            self._events.clear()

    def close(self) -> None:
        """Reset what is open and say goodbye, as a kubelet does."""
        for stream in list(self._open):
            self.reset(stream)
        self._send(bytes.fromhex("8003000700000008") + self._streams.last(Side.SERVER).to_bytes(4) + bytes(4))

    def stream_of(self, role: Role) -> int | None:
        """The open stream of an exec that has this role."""
        return next((stream for stream, one in self._open.items() if one is role), None)

    # -- what the client sent

    def _accept(self, frame: SynStream) -> None:
        opened = next(
            event for event in self._events if isinstance(event, StreamOpened) and event.stream == frame.stream
        )
        self._open[frame.stream] = opened.role
        block = self._headers.compress(bytes(4)) + self._headers.flush(zlib.Z_SYNC_FLUSH)
        body = frame.stream.to_bytes(4) + block
        self._send(bytes.fromhex("8003000200") + len(body).to_bytes(3) + body)
        self._streams.obey(Side.SERVER, SynReply(frame.stream, fin=False, headers={}))

    def _ping(self, frame: Ping) -> None:
        """§2.6.5: odd numbers are the client's questions."""
        if frame.id % 2:
            self._send(bytes.fromhex("8003000600000004") + frame.id.to_bytes(4))

    def _begin(self, head: DataHead) -> None:
        self._streams.begin_data(Side.CLIENT, head)
        self._data = head
        if not head.length:
            self._finish(head)

    def _continue(self, piece: DataPiece) -> None:
        assert self._data is not None
        self._streams.data(Side.CLIENT, self._data.stream, piece.data)
        if piece.ends:
            self._finish(self._data)

    def _finish(self, head: DataHead) -> None:
        self._streams.end_data(Side.CLIENT, head)
        self._data = None

    # -- what is sent

    def _put(self, stream: int, data: bytes, *, fin: bool) -> None:
        if stream not in self._open or stream in self._ended:
            return
        head = DataHead(stream, fin, len(data))
        self._streams.begin_data(Side.SERVER, head)
        self._send(stream.to_bytes(4) + bytes((FIN if fin else 0,)) + len(data).to_bytes(3) + data)
        self._streams.end_data(Side.SERVER, head)
        self._events[:] = [event for event in self._events if getattr(event, "side", Side.CLIENT) is Side.CLIENT]
