"""Checkpoints in files of a directory: on another machine's disk, on a medium that is written once, in a backup.

Each log has a file of its own, `<origin>.checkpoints`, with a line `{"checkpoint":"<note>"}` for each: it only grows,
by some 300 bytes for each second in which something happens.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from recordings.audit.anchors.anchor import AnchorError, Published, file_stem
from recordings.audit.checkpoint import to_line
from recordings.audit.new_file import sync_directory

SUFFIX = ".checkpoints"


class FileAnchor:
    """`Anchor` in a directory, which must be there: one that is not mounted is not made anew."""

    def __init__(self, directory: Path, *, every: float = 1.0) -> None:
        self.name, self.every = f"file:{directory}", every
        self._directory = directory

    async def publish(self, checkpoint: Published) -> None:
        try:
            await asyncio.to_thread(self._append, checkpoint)
        except OSError as error:
            raise AnchorError(f"{self._directory} cannot be written: {error.strerror}") from error

    async def close(self) -> None:
        """Nothing is held open."""

    def _append(self, checkpoint: Published) -> None:
        path, line = self._directory / f"{file_stem(checkpoint.origin)}{SUFFIX}", to_line(checkpoint.note)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            size = os.fstat(fd).st_size
            torn = size > 0 and os.pread(fd, 1, size - 1) != b"\n"  # a full disk or a crash left half a line
            data = b"\n" * torn + line
            if os.write(fd, data) != len(data):
                raise AnchorError(f"{self._directory} has no space left")
            os.fsync(fd)
        finally:
            os.close(fd)
        if size == 0:
            sync_directory(self._directory)  # of a new file the name must be on the disk, too
