"""What of the log may go: by age and by size, the oldest first, and never what is held or not sealed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from recordings.audit.encode import rfc3339
from recordings.audit.holds import Hold
from recordings.audit.manifest import Manifest


class Why(StrEnum):
    """Which limit a segment is over."""

    AGE = "age"
    SIZE = "size"


@dataclass(frozen=True, slots=True)
class Limits:
    """None: no limit. `age` in seconds, since a segment's last record; `size` in bytes, of all files of the log."""

    age: float | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A sealed segment, and the bytes of all its files."""

    manifest: Manifest
    stored: int


@dataclass(frozen=True, slots=True)
class Removal:
    """A segment that may go."""

    manifest: Manifest
    why: Why


def plan(sealed: Iterable[Kept], others: int, holds: Sequence[Hold], limits: Limits, now: float) -> list[Removal]:
    """What goes now, oldest first. `others`: bytes of the log's files that are no sealed segment's.

    A segment that nobody signed stays: its removal could not be told from a theft.
    """
    oldest = "" if limits.age is None else rfc3339(now - limits.age)
    ordered = sorted(sealed, key=lambda one: (one.manifest.until, one.manifest.writer, one.manifest.first_seq))
    size = others + sum(one.stored for one in ordered)
    found: list[Removal] = []
    for one in ordered:
        manifest = one.manifest
        if not manifest.size or any(hold.covers(manifest.since, manifest.until) for hold in holds):
            continue
        if manifest.until and manifest.until < oldest:
            found.append(Removal(manifest, Why.AGE))
        elif limits.size is not None and size > limits.size:
            found.append(Removal(manifest, Why.SIZE))
        else:
            continue
        size -= one.stored
    return found
