"""The container's outer form: frames, each sealed to all before it. FORMAT.md describes it for other readers.

A frame is `kind (1 byte) | length of the payload (4 bytes, little-endian) | payload | digest (32 bytes)`. Its digest is
SHA-256 over the digest of the frame before (32 zero bytes for the first), kind, length and payload. So a file can be
read as far as it is whole, whatever ended its writing, and nothing in it can be changed, taken out or moved unseen.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import BinaryIO

from recordings.errors import RecordingsError

MAGIC = b"kwit recording 1\n"
START = bytes(32)
"""What stands for the digest before the first frame."""
MAX_PAYLOAD_BYTES = 1 << 20
"""A chunk holds 64 KiB of what happened, a footer at most some thousand rows; larger is no frame of ours."""
_LEAD = struct.Struct("<BI")
OVERHEAD = _LEAD.size + 32


class FrameKind(IntEnum):
    """Written into the container, so a number is never used again for something else."""

    HEAD = 1
    CHUNK = 2
    FOOTER = 3
    ROWS = 4


@dataclass(frozen=True, slots=True)
class Frame:
    """`offset` is that of its first byte in the file, `digest` its own."""

    kind: FrameKind
    payload: bytes
    offset: int
    digest: bytes
    end: int
    """The offset behind it."""


class RecordingDamagedError(RecordingsError):
    """The file is no recording, or not whole; the message says what is wrong, `offset` where."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


def sealed(previous: bytes, kind: FrameKind, payload: bytes) -> tuple[bytes, bytes]:
    """(the frame's bytes, its digest), behind the frame whose digest is `previous`."""
    lead = _LEAD.pack(kind, len(payload))
    digest = sha256(b"".join((previous, lead, payload))).digest()
    return b"".join((lead, payload, digest)), digest


def frames(file: BinaryIO) -> Iterator[Frame]:
    """Every whole frame, from the beginning on. Raises RecordingDamagedError where one is not whole or not ours."""
    file.seek(0)
    if file.read(len(MAGIC)) != MAGIC:
        raise RecordingDamagedError("this is no recording", 0)
    offset, previous = len(MAGIC), START
    while lead := file.read(_LEAD.size):
        frame = frame_behind(file, lead, offset, previous)
        yield frame
        offset, previous = frame.end, frame.digest


def frame_behind(file: BinaryIO, lead: bytes, offset: int, previous: bytes) -> Frame:
    """The frame of which `lead` was read. Raises RecordingDamagedError."""
    if len(lead) < _LEAD.size:
        raise RecordingDamagedError("it ends in the middle of a frame", offset)
    kind, length = _LEAD.unpack(lead)
    if kind not in tuple(FrameKind) or length > MAX_PAYLOAD_BYTES:
        raise RecordingDamagedError("what stands here is no frame", offset)
    payload, digest = file.read(length), file.read(32)
    if len(payload) < length or len(digest) < 32:
        raise RecordingDamagedError("it ends in the middle of a frame", offset)
    if sha256(b"".join((previous, lead, payload))).digest() != digest:
        raise RecordingDamagedError("a frame's digest does not fit what it holds and what was before it", offset)
    return Frame(FrameKind(kind), payload, offset, digest, offset + OVERHEAD + length)


def frame_at(file: BinaryIO, offset: int, previous: bytes) -> Frame:
    """The frame at `offset`, behind the one whose digest is `previous`. Raises RecordingDamagedError."""
    file.seek(offset)
    return frame_behind(file, file.read(_LEAD.size), offset, previous)
