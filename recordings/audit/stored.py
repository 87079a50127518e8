"""A segment's bytes, wherever they stand: plain in the file that the log wrote, or sealed, which is compressed.

A sealed file is Zstandard frames (RFC 8878), each of at most `FRAME_BYTES` of the segment, and behind them the table
of Zstandard's own seekable format, in a frame that other programs skip: `zstd -d` gives back the exact bytes. The table
lets a reader begin anywhere, so the newest ten lines of a sealed gigabyte cost one frame.
"""

from __future__ import annotations

import errno
import struct
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO, Protocol, Self

import zstandard

SEALED = ".zst"
FRAME_BYTES = 4 * 1024 * 1024
"""Of the segment in one frame: what a reader holds in memory at a time."""
MAX_FRAME_BYTES = 16 * 1024 * 1024
"""What a file may claim that a frame holds; a sealed file may be somebody's bomb."""
MAX_FRAMES = 1 << 20
LEVEL = 3
"""Of compression: 5 is a tenth smaller and takes twice as long."""

_SKIPPABLE = 0x184D2A5E
_SEEKABLE = 0x8F92EAB1
_FOOTER = struct.Struct("<IBI")
_ENTRY = struct.Struct("<II")
_HEAD = struct.Struct("<II")


class SealedError(OSError):
    """A sealed file is not what sealing writes: it was damaged, or made by somebody else."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(errno.EIO, what, str(path))


class Stored(Protocol):
    """A segment that is open for reading. `size` is how many bytes it had then."""

    size: int

    def read(self, start: int, length: int) -> bytes:
        """At most `length` bytes from `start` on, and at least one before the end. Raises OSError."""
        ...

    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...


def open_stored(path: Path) -> Stored:
    """The segment of this path, also where it was sealed since the path was read. Raises OSError."""
    if path.suffix == SEALED:
        return Sealed(path)
    try:
        return Plain(path)
    except FileNotFoundError:
        sealed = sealed_path(path)
        if not sealed.exists():
            raise
        return Sealed(sealed)


def sealed_path(path: Path) -> Path:
    """Where a segment's sealed form stands, of either form's path."""
    return path if path.suffix == SEALED else path.with_name(path.name + SEALED)


class _File:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO = path.open("rb", buffering=0)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _at(self, start: int, length: int) -> bytes:
        self._file.seek(start)
        return self._file.read(length)


class Plain(_File):
    """`Stored` of a file as the log writes it; bytes behind `size` may be read where they have come since."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.size = self._file.seek(0, 2)

    def read(self, start: int, length: int) -> bytes:
        return self._at(start, length)


class Sealed(_File):
    """`Stored` of a sealed file. Holds one frame in memory."""

    def __init__(self, path: Path) -> None:
        """Raises OSError, SealedError."""
        super().__init__(path)
        try:
            table = self._table()
        except BaseException:
            self.close()
            raise
        self._from = [0, *accumulate(packed for packed, _ in table)]
        self._starts = [0, *accumulate(held for _, held in table)]
        self.size = self._starts[-1]
        self._decompressor = zstandard.ZstdDecompressor()
        self._frame = -1
        self._held = b""

    def read(self, start: int, length: int) -> bytes:
        if start >= self.size:
            return b""
        number = bisect_right(self._starts, start) - 1
        if number != self._frame:
            self._held, self._frame = self._unpacked(number), number
        begin = start - self._starts[number]
        return self._held[begin : begin + length]

    def _unpacked(self, number: int) -> bytes:
        held = self._starts[number + 1] - self._starts[number]
        packed = self._at(self._from[number], self._from[number + 1] - self._from[number])
        try:
            if zstandard.frame_content_size(packed) != held:
                raise SealedError(self._path, f"frame {number} does not hold what the table says")
            return self._decompressor.decompress(packed)
        except zstandard.ZstdError as error:
            raise SealedError(self._path, f"frame {number} cannot be read: {error}") from error

    def _table(self) -> Sequence[tuple[int, int]]:
        size = self._file.seek(0, 2)
        if size < _HEAD.size + _FOOTER.size:
            raise SealedError(self._path, "it is too short for a sealed segment")
        count, descriptor, magic = _FOOTER.unpack(self._at(size - _FOOTER.size, _FOOTER.size))
        length = _HEAD.size + count * _ENTRY.size + _FOOTER.size
        if magic != _SEEKABLE or descriptor != 0 or count > MAX_FRAMES or length > size:
            raise SealedError(self._path, "it does not end with a table of its frames")
        table = self._at(size - length, length)
        if _HEAD.unpack_from(table) != (_SKIPPABLE, length - _HEAD.size):
            raise SealedError(self._path, "the table of its frames has another length")
        entries = [_ENTRY.unpack_from(table, _HEAD.size + index * _ENTRY.size) for index in range(count)]
        if sum(packed for packed, _ in entries) + length != size:
            raise SealedError(self._path, "the table of its frames speaks of another file")
        if any(not 0 < held <= MAX_FRAME_BYTES for _, held in entries):
            raise SealedError(self._path, "a frame is empty or too large")
        return entries


class Packer:
    """Segment's bytes → a sealed file's. `add` what `FRAME_BYTES` hold at most, then `end` once."""

    def __init__(self) -> None:
        self._compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True, write_content_size=True)
        self._entries: list[tuple[int, int]] = []

    def add(self, block: bytes) -> bytes:
        """The next frame; `block` must not be empty."""
        packed = self._compressor.compress(block)
        self._entries.append((len(packed), len(block)))
        return packed

    def end(self) -> bytes:
        """The table."""
        entries = b"".join(_ENTRY.pack(*entry) for entry in self._entries)
        footer = _FOOTER.pack(len(self._entries), 0, _SEEKABLE)
        return _HEAD.pack(_SKIPPABLE, len(entries) + len(footer)) + entries + footer
