"""The newest checkpoint of each writer, as the files say it, once it is on the disk.

Whoever publishes checkpoints does it from the files: he needs nothing of the processes that write, and holds up none.
A checkpoint that a power cut can still take away must not leave the machine, or the log would seem to have lost lines;
so the segment is synced before, which costs nothing where the writer has just done so.
"""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import islice
from pathlib import Path

from recordings.audit.anchors.anchor import Published, published
from recordings.audit.checkpoint import PREFIX, note_of
from recordings.audit.note import NoteError
from recordings.audit.segments import backwards, is_sealed, segments, writers

MAX_LINES = 20_000
"""Looked at from the end: a writer signs at least what came in 200 ms."""


class NewestCheckpoints:
    """`read` again and again; a log in which nothing happened costs a look at its directory."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen: dict[Path, tuple[str, int]] = {}
        self._found: dict[Path, Published] = {}

    def read(self) -> list[Published]:
        """Of each writer that has one, ordered by origin. Blocks; raises OSError."""
        for writer in writers(self._root):
            with suppress(FileNotFoundError):  # sealed or removed in this instant: the next look sees it
                self._look(writer)
        return sorted(self._found.values())

    def _look(self, writer: Path) -> None:
        for path in reversed(segments(writer)):
            seen = (path.name, path.stat().st_size)
            if self._seen.get(writer) == seen:
                return
            found = _last(path)
            if found is not None:
                if not is_sealed(path):
                    _sync(path)
                self._seen[writer], self._found[writer] = seen, found
                return


def _last(path: Path) -> Published | None:
    for line in islice(backwards(path), MAX_LINES):
        if line.startswith(PREFIX):
            try:
                return published(note_of(line))
            except NoteError:
                return None  # damaged: what stands before it is no news
    return None


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
