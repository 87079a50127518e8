"""Reading `keys`, the file that says which key signs which segment of a writer's log."""

from __future__ import annotations

from pathlib import Path

from recordings.audit.key_chain import SegmentKey, note_of, verified_chain
from recordings.audit.note import NoteError, PublicKey

KEYS = "keys"


def read_chain(directory: Path, key: PublicKey) -> tuple[tuple[SegmentKey, ...], NoteError | None]:
    """The keys that hold, and why the next one does not. Raises OSError."""
    try:
        *lines, rest = (directory / KEYS).read_bytes().split(b"\n")
    except FileNotFoundError:
        return (), NoteError("there is no such file")
    notes: list[str] = []
    failed: NoteError | None = NoteError("its last line is unfinished") if rest else None
    try:
        for line in lines:
            notes.append(note_of(line))  # noqa: PERF401 - those before the one that fails are kept
        return verified_chain(notes, key), failed
    except NoteError as error:
        failed = error
    while notes:
        try:
            return verified_chain(notes, key), failed
        except NoteError:
            notes.pop()
    return (), failed
