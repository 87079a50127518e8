"""Where we refuse a SPDY frame that Kubernetes' library reads: each reason, and how the frame itself shows it.

The other way round, that it refuses what we let through, is a finding whatever the reason: we would have recorded what
was never received.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from recordings.streams.fault import Fault
from recordings.streams.spdy_frames import HEAD_BYTES, MAX_CONTROL_BYTES

FIXED = {3: 8, 6: 4, 7: 8, 9: 8}
"""How long the body of a control frame of a type must be."""

MAY_HAVE = {1: 1, 2: 1, 4: 1, 8: 1}
"""Flags, by type."""

BLOCKS = {1: 10, 2: 4, 8: 4}
"""Where the header block of a type begins."""


@dataclass(frozen=True, slots=True)
class Head:
    """Of a frame, with all that comes behind it; type 0 is data, and only data name their stream here."""

    stream: int
    version: int
    kind: int
    flags: int
    length: int
    rest: bytes

    @classmethod
    def of(cls, sent: bytes) -> Head:
        """The frame at the beginning of these bytes."""
        word = int.from_bytes(sent[:4])
        kind, version = (word & 0xFFFF, word >> 16 & 0x7FFF) if word >> 31 else (0, 3)
        return cls(word & 0x7FFFFFFF, version, kind, sent[4], int.from_bytes(sent[5:8]), sent[HEAD_BYTES:])

    @property
    def body(self) -> bytes:
        """As long as the head says."""
        return self.rest[: self.length]

    def word(self, at: int) -> int:
        """Four bytes of the body."""
        return int.from_bytes(self.rest[at : at + 4])


@dataclass(frozen=True, slots=True)
class Reason:
    """`shows`: whether the frame has what we refuse it for."""

    why: str
    shows: Callable[[Head], bool]


def _length_is_wrong(head: Head) -> bool:
    if head.kind == 4:
        return head.length != 4 + 8 * head.word(0)
    if head.kind == 9 and (head.word(0) >> 31 or not 0 < head.word(4) < 1 << 31):
        return True
    if head.kind == 7 and head.word(0) >> 31:
        return True
    return head.length < BLOCKS[head.kind] if head.kind in BLOCKS else head.length != FIXED[head.kind]


STRICTER: dict[Fault, Reason] = {
    Fault.VERSION: Reason("it does not look at the version", lambda head: head.version != 3),
    Fault.FLAGS: Reason(
        "it looks at the flags of few types", lambda head: bool(head.flags & ~MAY_HAVE.get(head.kind, not head.kind))
    ),
    Fault.FRAME_LENGTH: Reason("it reads the fields of the type, whatever length the head says", _length_is_wrong),
    Fault.FRAME_TOO_LARGE: Reason("it takes 16 MiB", lambda head: head.length > MAX_CONTROL_BYTES),
    Fault.COMPRESSION: Reason(
        "it reads as much of a block as its pairs need, and does not look at what ends it",
        lambda head: head.kind in BLOCKS,
    ),
    Fault.HEADERS: Reason(
        "it takes names that are no tokens, names that stand twice, and keeps what is left of a block for the next",
        lambda head: head.kind in BLOCKS,
    ),
    Fault.HEADER_LIMIT: Reason("it takes a thousand pairs", lambda head: head.kind in BLOCKS),
    Fault.STATUS: Reason(
        "it takes any status but 0",
        lambda head: (head.kind == 3 and head.word(4) > 11) or (head.kind == 7 and head.word(4) > 2),
    ),
    Fault.STREAM_ID: Reason(
        "it takes the reserved bit for a part of the number, and looks for stream 0 behind the data or header block",
        lambda head: head.stream == 0 if head.kind == 0 else not 0 < head.word(0) < 1 << 31,
    ),
}
