"""A log as a stream for somebody else: every record once, from a place on, and what has come since.

Only what a checkpoint speaks of is given, where the log is signed: a crash cannot take that back. Each writer's order
is kept; between writers records come as they are found. Whoever saves the places after delivering, and begins there
again, gets nothing twice but what was delivered behind the last saving, under the same ids.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from recordings.audit.checkpoint import PREFIX
from recordings.audit.cursor import Place
from recordings.audit.encode import decode
from recordings.audit.manifest import ends_before
from recordings.audit.segments import complete, forwards, is_sealed, segment_number, segments, writers


@dataclass(frozen=True, slots=True)
class Fed:
    """A record, and the place behind it. `lost`: records before it that were removed unread."""

    writer: str
    place: Place
    record: dict[str, Any]
    lost: int = 0


class Feeding(Protocol):
    """A log that is read as a stream: of files here, or of a server."""

    places: dict[str, Place]

    def more(self) -> Iterator[Fed]:
        """What there is, from the places on, which move as its records are taken."""
        ...


@dataclass(slots=True)
class Feed:
    """`more` gives what there is, from the places on, and moves them as its records are taken."""

    root: Path
    places: dict[str, Place] = field(default_factory=dict)
    since: str = ""
    """RFC 3339: sealed segments that end before are passed over where nothing of their writer was read yet."""

    def more(self) -> Iterator[Fed]:
        """Raises OSError."""
        for writer in writers(self.root):
            yield from self._of(writer)

    def _of(self, writer: Path) -> Iterator[Fed]:
        """A later segment is looked for before the last read: a segment that has a successor grows no more."""
        paths = segments(writer)
        for index, path in enumerate(paths):
            number = segment_number(path.name)
            assert number is not None
            place = self.places.get(writer.name)
            if place is not None and number < (place.segment, place.attempt):
                continue
            if place is None and is_sealed(path) and ends_before(path, self.since):
                continue
            start = place.byte if place is not None and number == (place.segment, place.attempt) else 0
            for fed in _read(path, number, start, is_last=index + 1 == len(paths)):
                last = self.places.get(writer.name)
                lost = max(0, fed.place.seq - last.seq - 1) if last is not None else 0
                self.places[writer.name] = fed.place
                yield Fed(writer.name, fed.place, fed.record, lost)


def _read(path: Path, number: tuple[int, int], start: int, *, is_last: bool) -> Iterator[Fed]:
    end = complete(path)
    if is_last:
        end = _signed_end(path, start, end)
    byte = start
    for line in forwards(path, start, end) if end > start else ():
        byte += len(line) + 1
        try:
            record = decode(line)
        except ValueError:
            continue  # found by verification
        seq = record.get("seq")
        if "type" in record and isinstance(seq, int):
            yield Fed("", Place(*number, byte, seq), record)


def _signed_end(path: Path, start: int, end: int) -> int:
    """Behind the last checkpoint; the end, where the segment's header says that nobody signs."""
    if b'"tree":' not in next(forwards(path, 0, end), b""):
        return end
    byte, signed = start, start
    for line in forwards(path, start, end):
        byte += len(line) + 1
        if line.startswith(PREFIX):
            signed = byte
    return signed
