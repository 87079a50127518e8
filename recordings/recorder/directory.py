"""Where recordings are: `YYYY/MM/DD/<id>.kwr` below one folder, found by an id that nobody can make lead elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from recordings.recorder.head import ID

SUFFIX = ".kwr"
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)


class RecordingDirectory:
    """Reads what a store wrote. Links are not followed, in no part of a path below the folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path_of(self, recording: str) -> Path | None:
        """Where the recording of this id is; None for anything that is no id, and for no such recording."""
        if not ID.fullmatch(recording):
            return None
        for day in self._days():
            path = day / f"{recording}{SUFFIX}"
            if path.is_file() and not path.is_symlink():
                return path
        return None

    def paths(self) -> Iterator[Path]:
        """Every recording, the newest day first."""
        for day in self._days():
            yield from sorted(
                (path for path in day.glob(f"*{SUFFIX}") if ID.fullmatch(path.stem) and not path.is_symlink()),
                key=lambda path: path.stat().st_mtime_ns,
                reverse=True,
            )

    def _days(self) -> Iterator[Path]:
        for year in self._below(self.root, 4):
            for month in self._below(year, 2):
                yield from self._below(month, 2)

    @staticmethod
    def _below(path: Path, digits: int) -> list[Path]:
        try:
            found = sorted(path.iterdir(), reverse=True)
        except FileNotFoundError:
            return []
        numbers = [one for one in found if len(one.name) == digits and one.name.isascii() and one.name.isdigit()]
        return [one for one in numbers if one.is_dir() and not one.is_symlink()]


def day_of(root: Path, started: float) -> Path:
    """The folder of a recording that began at this time (wall clock, seconds); it need not be there yet."""
    return root / datetime.fromtimestamp(started, UTC).strftime("%Y/%m/%d")


def open_without_following(path: Path) -> int:
    """A descriptor for reading. Raises OSError, for a link too."""
    return os.open(path, _FLAGS)
