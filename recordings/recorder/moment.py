"""One thing that happened in a recorded stream: what a recording is made of, and what its reader gives back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Kind(IntEnum):
    """What happened; written into the container, so a number is never used again for something else."""

    STDIN = 0
    STDOUT = 1
    STDERR = 2
    ERROR = 3
    """Bytes of the error stream: how the command ended, as the server told it."""
    RESIZE = 4
    """`data` is the new size as `COLUMNSxROWS`."""
    HIDDEN = 5
    """Input typed while echo was off, where the role keeps only its length; `data` is that length in decimal."""
    ENDED = 6
    """One side ended its half of a stream; `data` says which, as `stdin`, `stdout` …"""
    STRAY = 7
    """Bytes for a stream that was over: sent, and dropped by who received them."""


OUTPUT = frozenset((Kind.STDOUT, Kind.STDERR))


@dataclass(frozen=True, slots=True)
class Moment:
    """`at` is microseconds since the recording began, and never goes back."""

    at: int
    kind: Kind
    data: bytes
