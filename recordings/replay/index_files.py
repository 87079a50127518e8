"""The indexes in a folder of recordings: read for players, and made for recordings that have none.

Making one reads the whole recording through a terminal, so it is done apart from what records, newest first. One that
cannot be made is left out: a player makes its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from recordings.audit.new_file import create
from recordings.errors import RecordingsError
from recordings.recorder.directory import RecordingDirectory, open_without_following
from recordings.recorder.reader import open_recording
from recordings.replay.play_index import SUFFIX, NoIndexError, PlayIndex, index_bytes, index_of, read_index

MAX_FILE_BYTES = 32 * 1024 * 1024
"""Compressed; four hours of a shell are 0.1 MiB."""
MIN_RECORDING_BYTES = 64 * 1024
"""Compressed; what is smaller is read in less time than an index is worth."""
MAX_RECORDING_BYTES = 256 * 1024 * 1024
"""Compressed; what is larger was a flood, and would keep a core for an hour."""


def index_beside(recording: Path, seal: bytes) -> PlayIndex | None:
    """That of this recording; None where there is none, or another's."""
    try:
        with os.fdopen(open_without_following(recording.with_suffix(SUFFIX)), "rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        return read_index(data, seal) if len(data) <= MAX_FILE_BYTES else None
    except (OSError, NoIndexError):
        return None


def without_index(root: Path) -> Iterator[Path]:
    """Recordings that are worth one, the newest first; of those that are still made too."""
    for path in RecordingDirectory(root).paths():
        with suppress(FileNotFoundError):
            size = path.stat().st_size
            if MIN_RECORDING_BYTES <= size <= MAX_RECORDING_BYTES and not path.with_suffix(SUFFIX).exists():
                yield path


def make_index(recording: Path) -> bool:
    """False: it is not over yet, or damaged, or another process was first. Raises OSError."""
    try:
        with open_recording(recording) as reader:
            if reader.footer is None:
                return False
            data = index_bytes(index_of(reader.head, reader.moments()), reader.seal)
        create(recording.with_suffix(SUFFIX), data)
    except (RecordingsError, FileExistsError):
        return False
    return True
