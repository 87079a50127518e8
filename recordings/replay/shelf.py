"""Recordings as they lie in a folder: found by who, where and when, opened, and followed while they are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from recordings.recorder.directory import RecordingDirectory
from recordings.recorder.footer import Footer
from recordings.recorder.frames import RecordingDamagedError
from recordings.recorder.head import RecordingHead
from recordings.recorder.moment import Moment
from recordings.recorder.reader import RecordingReader, open_recording
from recordings.replay.jsonl import footer_fields, head_fields
from recordings.replay.search import hits


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which recordings; what is left out narrows nothing. Times are seconds since 1970, `until` not included."""

    user: str = ""
    cluster: str = ""
    namespace: str = ""
    pod: str = ""
    since: float | None = None
    until: float | None = None
    text: str = ""
    """Drawn or typed anywhere in it; such a search reads every recording that the rest leaves."""

    def is_about(self, head: RecordingHead) -> bool:
        """Whether all but `text` fits."""
        return (
            self.user in ("", head.username)
            and self.cluster in ("", head.cluster)
            and self.namespace in ("", head.namespace)
            and (not self.pod or self.pod in (head.pod, head.pod.rsplit("-", 1)[0]))
            and (self.since is None or head.started >= self.since)
            and (self.until is None or head.started < self.until)
        )


@dataclass(frozen=True, slots=True)
class Summary:
    """One recording in a listing. `footer` None: it is still being made, or was interrupted."""

    head: RecordingHead
    footer: Footer | None
    size: int
    """Of its file, in bytes."""
    damage: str = ""

    def fields(self) -> dict[str, Any]:
        """For JSON."""
        end = None if self.footer is None else footer_fields(self.footer)
        return {"head": head_fields(self.head), "end": end, "size": self.size, "damage": self.damage}


def summaries(
    directory: RecordingDirectory, wanted: Wanted, may: Callable[[RecordingHead], bool] = lambda _: True
) -> Iterator[Summary]:
    """The newest first; `may` is asked before anything but the head is read. What cannot be read as a
    recording at all is left out; `verify` says what is wrong with it.
    """
    for path in directory.paths():
        try:
            with open_recording(path) as reader:
                if wanted.is_about(reader.head) and may(reader.head) and _holds(reader, wanted.text):
                    yield summary(reader, path)
        except (RecordingDamagedError, OSError):
            continue


def summary(reader: RecordingReader, path: Path) -> Summary:
    return Summary(reader.head, reader.footer, path.stat().st_size, str(reader.damage or ""))


def _holds(reader: RecordingReader, text: str) -> bool:
    if not text:
        return True
    try:
        return any(True for _ in islice(hits(reader.head, reader.moments(), text), 1))
    except RecordingDamagedError:
        return False


class Follower:
    """A recording that is still being made: each `more` gives what came since."""

    def __init__(self, path: Path, start: int = 0) -> None:
        self._path = path
        self._at = start
        self._seen = 0
        """Moments of the time `_at` that were given."""
        self.footer: Footer | None = None

    def more(self) -> Iterator[Moment]:
        """Raises RecordingDamagedError, OSError. With a footer there is nothing more to come."""
        with open_recording(self._path) as reader:
            skipped = self._seen
            for moment in reader.moments(self._at):
                if skipped > 0:  # they stand first
                    skipped -= 1
                    continue
                self._seen = self._seen + 1 if moment.at == self._at else 1
                self._at = moment.at
                yield moment
            self.footer = reader.footer
