"""What an anchor has kept, read again: a note, lines of notes, or a ConfigMap in JSON as kubectl prints it."""

from __future__ import annotations

import orjson

from recordings.audit.checkpoint import note_of, unverified
from recordings.audit.note import NoteError

MAX_BYTES = 256 * 1024 * 1024
"""Of a file: ten days of one log in which something happens each second."""


_LINE = '{"checkpoint":'


def notes_of(data: bytes) -> list[str]:
    """The notes that speak of the most lines come last, each once. Nothing of them is verified. Raises NoteError.

    Half a line at the end is what a crash leaves, and is passed over.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise NoteError("it is no text") from error
    if text.startswith(_LINE) or f"\n{_LINE}" in text:  # before it stands what a full disk left of the first
        found = [note_of(line.encode()) for line in text.split("\n")[:-1] if _is_whole(line)]
    elif text.startswith("{"):
        found = _of_config_map(text)
    else:
        found = [text]
    return sorted(set(found), key=lambda note: unverified(note).size)


def _is_whole(line: str) -> bool:
    """Half of a line stands between two where an anchor's disk was full."""
    return line.endswith('"}')


def _of_config_map(text: str) -> list[str]:
    try:
        data = orjson.loads(text)["data"]
        return [str(note) for note in data.values()]
    except (orjson.JSONDecodeError, KeyError, AttributeError, TypeError) as error:
        raise NoteError("it is neither checkpoints nor a ConfigMap of them") from error
