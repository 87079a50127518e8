"""SPDY/3.1 frames of one direction: bytes in, parts of frames out. SPDY/3 §2.2 and §2.6 (the version in the frames is
3).

Control frames come whole and decoded; of data frames the head comes first and the payload as it arrives. What streams
are and what may happen to them is left to spdy.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from recordings.streams.fault import Fault, StreamFaultError
from recordings.streams.header_block import HeaderReader

MAX_CONTROL_BYTES = 64 * 1024
"""Body of a control frame. Kubernetes' are under 200 bytes; Go's reader would take 16 MiB (CVE-2026-35469)."""

HEAD_BYTES = 8
FIN = 0x01
CLEAR_SETTINGS = 0x01


@dataclass(frozen=True, slots=True)
class SynStream:
    """A stream is opened. Priority is not kept: nothing here obeys it."""

    stream: int
    fin: bool
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class SynReply:
    """A stream is accepted."""

    stream: int
    fin: bool
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Headers:
    """More headers of a stream."""

    stream: int
    fin: bool
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class RstStream:
    """A stream is over for both sides."""

    stream: int
    status: int


@dataclass(frozen=True, slots=True)
class Settings:
    """(flags, id, value) of each entry. Nobody in Kubernetes obeys them."""

    entries: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Ping:
    """The side whose parity the id has asks; the other answers with the same."""

    id: int


@dataclass(frozen=True, slots=True)
class Goaway:
    """No streams above `last` are taken any more."""

    last: int
    status: int


@dataclass(frozen=True, slots=True)
class WindowUpdate:
    """Flow control, which Kubernetes does not use. Stream 0 is the connection (3.1)."""

    stream: int
    delta: int


@dataclass(frozen=True, slots=True)
class DataHead:
    """A data frame begins."""

    stream: int
    fin: bool
    length: int


@dataclass(frozen=True, slots=True)
class DataPiece:
    """A piece of the data frame that began last; `ends` says that the frame is complete."""

    data: bytes
    ends: bool


ControlFrame = SynStream | SynReply | Headers | RstStream | Settings | Ping | Goaway | WindowUpdate
Frame = ControlFrame | DataHead | DataPiece


class FrameReader:
    """Reads one direction."""

    def __init__(self) -> None:
        self._headers = HeaderReader()
        self._waiting = bytearray()
        self._left = 0

    @property
    def midway(self) -> bool:
        """Whether a frame has begun and not ended."""
        return bool(self._waiting or self._left)

    def feed(self, data: bytes) -> Iterator[tuple[Frame, int]]:
        """Yield the frames and pieces that `data` completes, each with its length on the wire. Raises
        StreamFaultError.
        """
        at = 0
        while at < len(data):
            if self._left:
                piece = data[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                yield DataPiece(piece, not self._left), len(piece)
                continue
            piece = data[at : at + self._needed() - len(self._waiting)]
            at += len(piece)
            self._waiting += piece
            if len(self._waiting) == self._needed():
                frame = bytes(self._waiting)
                self._waiting.clear()
                yield self._decode(frame), len(frame)

    def _needed(self) -> int:
        """Return how long the frame is as far as it is known; of a data frame, the head."""
        if len(self._waiting) < HEAD_BYTES:
            return HEAD_BYTES
        if not self._waiting[0] & 0x80:
            return HEAD_BYTES
        length = int.from_bytes(self._waiting[5:8])
        if length > MAX_CONTROL_BYTES:
            raise StreamFaultError(
                Fault.FRAME_TOO_LARGE, f"control frame of {length} bytes; at most {MAX_CONTROL_BYTES}"
            )
        return HEAD_BYTES + length

    def _decode(self, frame: bytes) -> Frame:
        if not frame[0] & 0x80:
            return self._data_head(frame)
        version, kind, flags = int.from_bytes(frame[:2]) & 0x7FFF, int.from_bytes(frame[2:4]), frame[4]
        if version != 3:
            raise StreamFaultError(Fault.VERSION, f"{version}; 3 is spoken")
        known = _KINDS.get(kind)
        if known is None:
            raise StreamFaultError(Fault.FRAME_TYPE, f"{kind}")
        allowed, decode = known
        if flags & ~allowed:
            raise StreamFaultError(Fault.FLAGS, f"0x{flags:02x} on frame type {kind}")
        return decode(frame[HEAD_BYTES:], flags, self._headers)

    def _data_head(self, head: bytes) -> DataHead:
        stream, flags, length = int.from_bytes(head[:4]), head[4], int.from_bytes(head[5:])
        if not stream:
            raise StreamFaultError(Fault.STREAM_ID, "data for stream 0")
        if flags & ~FIN:
            raise StreamFaultError(Fault.FLAGS, f"0x{flags:02x} on data")
        self._left = length
        return DataHead(stream, bool(flags & FIN), length)


def _syn_stream(body: bytes, flags: int, headers: HeaderReader) -> SynStream:
    """§2.6.1. Associated streams and credential slots are parts of SPDY that nobody in Kubernetes speaks."""
    stream = _stream(body, at_least=10)
    if int.from_bytes(body[4:8]) or body[9]:
        raise StreamFaultError(Fault.HEADERS, "an associated stream or a credential slot")
    return SynStream(stream, bool(flags & FIN), headers.read(body[10:]))


def _syn_reply(body: bytes, flags: int, headers: HeaderReader) -> SynReply:
    """§2.6.2."""
    return SynReply(_stream(body, at_least=4), bool(flags & FIN), headers.read(body[4:]))


def _headers(body: bytes, flags: int, headers: HeaderReader) -> Headers:
    """§2.6.7."""
    return Headers(_stream(body, at_least=4), bool(flags & FIN), headers.read(body[4:]))


def _rst_stream(body: bytes, _flags: int, _headers: HeaderReader) -> RstStream:
    """§2.6.3: "0 is not a valid status code"."""
    stream = _stream(body, exactly=8)
    status = int.from_bytes(body[4:])
    if not 1 <= status <= 11:
        raise StreamFaultError(Fault.STATUS, f"{status} is no status of a reset")
    return RstStream(stream, status)


def _settings(body: bytes, _flags: int, _headers: HeaderReader) -> Settings:
    """§2.6.4."""
    count = int.from_bytes(body[:4])
    if len(body) != 4 + 8 * count:
        raise StreamFaultError(Fault.FRAME_LENGTH, f"{count} settings in {len(body)} bytes")
    entries = (body[at : at + 8] for at in range(4, len(body), 8))
    return Settings(tuple((e[0], int.from_bytes(e[1:4]), int.from_bytes(e[4:])) for e in entries))


def _ping(body: bytes, _flags: int, _headers: HeaderReader) -> Ping:
    """§2.6.5. Kubernetes' library ends the connection at a ping 0."""
    if len(body) != 4 or not any(body):
        raise StreamFaultError(Fault.FRAME_LENGTH, f"a ping of {len(body)} bytes, or of the id 0")
    return Ping(int.from_bytes(body))


def _goaway(body: bytes, _flags: int, _headers: HeaderReader) -> Goaway:
    """§2.6.6."""
    if len(body) != 8 or body[0] & 0x80:
        raise StreamFaultError(Fault.FRAME_LENGTH, f"a GOAWAY of {len(body)} bytes")
    status = int.from_bytes(body[4:])
    if status > 2:
        raise StreamFaultError(Fault.STATUS, f"{status} is no status of a GOAWAY")
    return Goaway(int.from_bytes(body[:4]), status)


def _window_update(body: bytes, _flags: int, _headers: HeaderReader) -> WindowUpdate:
    """§2.6.8: "Delta-Window-Size ... legal values are 1 to 2^31 - 1"."""
    delta = int.from_bytes(body[4:8])
    if len(body) != 8 or body[0] & 0x80 or not 0 < delta < 1 << 31:
        raise StreamFaultError(Fault.FRAME_LENGTH, f"a WINDOW_UPDATE of {len(body)} bytes by {delta}")
    return WindowUpdate(int.from_bytes(body[:4]), delta)


_KINDS: dict[int, tuple[int, Callable[[bytes, int, HeaderReader], ControlFrame]]] = {
    1: (FIN, _syn_stream),
    2: (FIN, _syn_reply),
    3: (0, _rst_stream),
    4: (CLEAR_SETTINGS, _settings),
    6: (0, _ping),
    7: (0, _goaway),
    8: (FIN, _headers),
    9: (0, _window_update),
}
"""By type: the flags that it may have, and what reads its body. UNIDIRECTIONAL is not among the flags: it would leave
out the reply, and nobody in Kubernetes sends it."""


def _stream(body: bytes, *, at_least: int = 0, exactly: int = 0) -> int:
    if len(body) < at_least or (exactly and len(body) != exactly):
        raise StreamFaultError(Fault.FRAME_LENGTH, f"{len(body)} bytes")
    stream = int.from_bytes(body[:4])
    if not 0 < stream < 1 << 31:
        raise StreamFaultError(Fault.STREAM_ID, f"{stream}")
    return stream
