"""What a place that keeps checkpoints is, and how it says that it did not take one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from recordings.audit.checkpoint import unverified
from recordings.errors import RecordingsError


class AnchorError(RecordingsError):
    """A checkpoint was not taken; the message says why, in a few words. It is tried again."""


@dataclass(frozen=True, slots=True, order=True)
class Published:
    """A checkpoint as it leaves us: its log, how many lines that has, the signed note."""

    origin: str
    size: int
    note: str


class Anchor(Protocol):
    """`name` stands in /readyz and in metrics; `every`: seconds between two checkpoints of one log, at least."""

    name: str
    every: float

    async def publish(self, checkpoint: Published) -> None:
        """Return once it is kept there. Raises AnchorError."""
        ...

    async def close(self) -> None: ...


def published(note: str) -> Published:
    """Of a note as the log holds it. Raises NoteError."""
    claimed = unverified(note)
    return Published(claimed.origin, claimed.size, note)


def file_stem(origin: str) -> str:
    """An origin as a name of a file, an object or a member: `acme/host-0` is `acme__host-0`. Different ones differ.

    What is neither letter, digit, dot, dash nor slash is written as `_` and two hexadecimal digits for each byte.
    """
    kept = "".join(c if c.isascii() and (c.isalnum() or c in ".-") else "__" if c == "/" else _hex(c) for c in origin)
    return kept if kept.strip(".") else kept.replace(".", "_2e")


def _hex(character: str) -> str:
    return "".join(f"_{byte:02x}" for byte in character.encode())
