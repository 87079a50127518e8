"""How far an export is behind the log that it exports: what its cursor file says against what the segments hold.

Reading looks at one line of each writer: the first behind the place where the cursor stands. Nothing here knows how
often anybody looks, or what follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recordings.audit import cursor as cursors
from recordings.audit.cursor import CursorError, Place
from recordings.audit.encode import decode
from recordings.audit.question import moment
from recordings.audit.segments import complete, forwards, segment_number, segments, writers
from recordings.errors import QuestionError

CAUGHT_UP, BEHIND = "caught up", "behind"


@dataclass(frozen=True, slots=True)
class Unread:
    """The first record of a writer that was not exported: its time (wall clock, seconds) and its segment."""

    writer: str
    segment: str
    time: float
    lost: int = 0
    """Records before it that were removed unread."""


@dataclass(frozen=True, slots=True)
class ExportLag:
    """`seconds` since the oldest record that was not exported; 0 where there is none."""

    seconds: float = 0.0
    segment: str = ""
    """Where that record is, as writer/segment."""
    lost: int = 0
    """Records that retention removed unread."""
    cause: str = ""
    """Why nothing is known of the export; its lag is then that of the whole log."""

    def state(self, limit: float) -> str:
        """Behind by more than `limit` seconds, or in a way that waiting does not mend."""
        return BEHIND if self.seconds > limit or self.cause or self.lost else CAUGHT_UP

    def body(self, name: str, limit: float, retention_age: float | None) -> dict[str, Any]:
        """Of a record `export.lag`."""
        found: dict[str, Any] = {"export": name, "state": self.state(limit), "seconds": int(self.seconds)}
        found["limit"] = int(limit)
        if self.segment:
            found["segment"] = self.segment
            if retention_age is not None:
                found["retention_seconds"] = max(0, int(retention_age - self.seconds))
        if self.lost:
            found["lost"] = self.lost
        if self.cause:
            found["cause"] = self.cause
        return found


def lag_of(root: Path, cursor: Path, now: float) -> ExportLag:
    """Of the export with this cursor file. Raises OSError, for the log's own files."""
    cause, places = "", dict[str, Place]()
    try:
        places = cursors.read(cursor)
        if not places:
            cause = "the cursor's file is not there yet, or empty: the export did not begin"
    except (CursorError, OSError) as error:
        cause = f"the cursor cannot be read: {error}"
    unread = [found for writer in writers(root) if (found := first_unread(writer, places.get(writer.name)))]
    if not unread:
        return ExportLag(cause=cause)
    oldest = min(unread, key=lambda one: one.time)
    lost = sum(one.lost for one in unread)
    return ExportLag(max(0.0, now - oldest.time), f"{oldest.writer}/{oldest.segment}", lost, cause)


def first_unread(writer: Path, place: Place | None) -> Unread | None:
    """None where all was read. Raises OSError."""
    for path in segments(writer):
        number = segment_number(path.name)
        assert number is not None
        if place is not None and number < (place.segment, place.attempt):
            continue
        start = place.byte if place is not None and number == (place.segment, place.attempt) else 0
        end = complete(path)
        for line in forwards(path, start, end) if end > start else ():
            found = _record(line)
            if found is not None:
                seq, time = found
                lost = max(0, seq - place.seq - 1) if place is not None else 0
                return Unread(writer.name, path.name, time, lost)
    return None


def _record(line: bytes) -> tuple[int, float] | None:
    """(number, time) of a record; None for headers, checkpoints, and what verification finds."""
    try:
        record = decode(line)
        seq, time = record.get("seq"), moment(str(record.get("time")), 0.0)
    except (ValueError, QuestionError):
        return None
    return (seq, time) if "type" in record and isinstance(seq, int) else None
