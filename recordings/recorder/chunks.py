"""Moments as the bytes of a chunk: each is `microseconds since the one before | kind | length | data`.

Numbers are LEB128. The first counts from the chunk's own time. The bytes are then compressed (Zstandard), and before
them stands `time of the first moment (8 bytes) | time of the last (8) | length before compression (4)`, little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import zstandard

from recordings.recorder.frames import RecordingDamagedError
from recordings.recorder.moment import Kind, Moment

LEVEL = 3
MAX_RAW_BYTES = 512 * 1024
"""Before compression; the recorder closes a chunk at 64 KiB, and one piece of a stream is at most as much again."""
_LEAD = struct.Struct("<QQI")
_KINDS = tuple(Kind)


class ChunkBuilder:
    """Gathers moments until they are packed."""

    __slots__ = ("_last", "_raw", "first")

    def __init__(self) -> None:
        self._raw = bytearray()
        self.first = self._last = 0

    def __len__(self) -> int:
        """Bytes before compression."""
        return len(self._raw)

    def add(self, at: int, kind: Kind, data: bytes) -> None:
        """`at`: microseconds since the recording began, never less than that of the moment before."""
        raw = self._raw
        if not raw:
            self.first = self._last = at
        _number(raw, at - self._last)
        raw.append(kind)
        _number(raw, len(data))
        raw += data
        self._last = at

    def take(self) -> tuple[int, int, bytearray]:
        """(time of the first moment, of the last, all of them as bytes); then it is empty again."""
        raw, self._raw = self._raw, bytearray()
        return self.first, self._last, raw


class ChunkPacker:
    """Compresses chunks, one after another, in one thread."""

    def __init__(self) -> None:
        self._compressor = zstandard.ZstdCompressor(level=LEVEL)

    def packed(self, first: int, last: int, raw: bytes | bytearray) -> bytes:
        """A chunk's payload, of what `ChunkBuilder.take` gave."""
        return _LEAD.pack(first, last, len(raw)) + self._compressor.compress(raw)


def span(payload: bytes) -> tuple[int, int, int]:
    """(time of the first moment, of the last, length before compression). Raises RecordingDamagedError."""
    if len(payload) < _LEAD.size:
        raise RecordingDamagedError("a chunk is too short to be one", 0)
    first, last, length = _LEAD.unpack_from(payload)
    if length > MAX_RAW_BYTES or first > last:
        raise RecordingDamagedError("a chunk says of itself what no chunk of ours does", 0)
    return first, last, length


def moments(payload: bytes) -> Iterator[Moment]:
    """What a chunk holds. Raises RecordingDamagedError."""
    first, _, length = span(payload)
    body = payload[_LEAD.size :]
    try:
        # The library reserves what the frame says of itself, whatever limit it is given: 32 KiB may ask for a gigabyte.
        if zstandard.get_frame_parameters(body).content_size != length:
            raise RecordingDamagedError("a chunk unfolds to something else than it says", 0)
        raw = zstandard.ZstdDecompressor().decompress(body, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise RecordingDamagedError(f"a chunk cannot be decompressed: {error}", 0) from error
    at, position = first, 0
    while position < len(raw):
        delta, position = _read(raw, position)
        kind = raw[position] if position < len(raw) else len(_KINDS)
        size, position = _read(raw, position + 1)
        if kind >= len(_KINDS) or position + size > len(raw):
            raise RecordingDamagedError("a chunk holds something that is no moment", 0)
        at += delta
        yield Moment(at, _KINDS[kind], raw[position : position + size])
        position += size


def _number(raw: bytearray, value: int) -> None:
    while value > 0x7F:
        raw.append((value & 0x7F) | 0x80)
        value >>= 7
    raw.append(value)


def _read(raw: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(raw) and shift < 63:
        byte = raw[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise RecordingDamagedError("a chunk ends in the middle of a number", 0)
