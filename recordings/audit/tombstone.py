"""Tombstones: what the log says of its own lines that are gone, so that their absence can be told from a theft.

A record `log.removed` is written, and is on the disk, before a segment goes. It names what goes, and all stretches of
lines that went before (`standing`), of every writer: the newest such record explains every gap there is, so older ones
may go themselves. A stretch says where it begins and ends and the tree's root at its end; the header of the segment
behind the gap has that tree, and its key is in `keys`, which is never removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from recordings.audit.question import at
from recordings.audit.retention import Removal

MAX_REMOVALS = 200
"""Named in one record, which has 250 bytes for each."""


@dataclass(frozen=True, slots=True, order=True)
class Stretch:
    """Lines `start` to `end` (from 0; `end` is not in it) of the log `origin` are gone; `root`, base64, is at `end`."""

    origin: str
    start: int
    end: int
    root: str


def stretches(record: Mapping[str, Any]) -> list[Stretch]:
    """What a record `log.removed` says is gone. What cannot be understood excuses nothing."""
    given = at(record, "body", "standing")
    found = []
    for one in given if isinstance(given, list) else []:
        if isinstance(one, Mapping):
            origin, start, end, root = (one.get(key) for key in ("origin", "start", "end", "root"))
            if type(origin) is str and type(start) is int and type(end) is int and type(root) is str:
                found.append(Stretch(origin, start, end, root))
    return found


def joined(standing: Iterable[Stretch], removals: Iterable[Removal]) -> list[Stretch]:
    """All that is gone once these are gone, too; what touches is one."""
    new = (Stretch(one.manifest.origin, one.manifest.start, one.manifest.size, one.manifest.root) for one in removals)
    found: list[Stretch] = []
    for one in sorted({*standing, *new}):
        last = found[-1] if found else None
        if last is not None and last.origin == one.origin and one.start <= last.end:
            if one.end > last.end:
                found[-1] = Stretch(last.origin, last.start, one.end, one.root)
        else:
            found.append(one)
    return found


def body(standing: Sequence[Stretch], removals: Sequence[Removal]) -> dict[str, Any]:
    """Of the record. `standing` as `joined` gives it."""
    return {
        "removed": [_facts(one) for one in removals],
        "standing": [asdict(one) for one in standing],
    }


def _facts(one: Removal) -> dict[str, Any]:
    manifest = one.manifest
    names = ("writer", "segment", "first_seq", "last_seq", "records", "since", "until", "length", "sha256")
    return {"why": str(one.why), **{name: getattr(manifest, name) for name in names}}
