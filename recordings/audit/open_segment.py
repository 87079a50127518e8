"""A segment while it is written: its file, how long it is, what was reserved behind its end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from errno import ENOENT
from pathlib import Path

from recordings.audit.disk import Disk, check_whole
from recordings.audit.segments import segment_name

MAX_ATTEMPTS = 100
"""Files of one first number that failed before their first record, before a start gives up."""


@dataclass(slots=True)
class OpenSegment:
    """`size` is in bytes, `opened_at` monotonic; `records` are counted by the log, since not every line is one."""

    disk: Disk
    fd: int
    path: Path
    size: int
    opened_at: float
    records: int = 0

    def write(self, line: bytes) -> None:
        """Hand a whole line to the kernel. Raises OSError; a short write is a full disk, and `size` stays."""
        check_whole(self.disk.write(self.fd, line), line)
        self.size += len(line)

    def sync(self, size: int) -> None:
        """Return once its first `size` bytes are on the disk under its name. Raises OSError."""
        if not self.disk.same(self.fd, self.path, size):
            raise OSError(ENOENT, f"{self.path.name} was removed, replaced or cut")
        self.disk.sync(self.fd)

    def close(self, *, release: bool) -> None:
        """Nothing depends on it any more, so an error here changes nothing that anybody was told."""
        with suppress(OSError):
            if release:
                self.disk.release(self.fd, self.size)
        with suppress(OSError):
            self.disk.close(self.fd)


def begin(
    disk: Disk,
    directory: Path,
    first_seq: int,
    header: Callable[[], bytes],
    *,
    reserve_bytes: int,
    mono: Callable[[], float],
) -> tuple[OpenSegment, bytes]:
    """A new segment and its first line, which `header` makes once there is a file for it.

    Its name is on the disk when this returns. Raises OSError, and then the file is gone again.
    """
    fd, path = _new_file(disk, directory, first_seq)
    segment = OpenSegment(disk, fd, path, 0, 0.0)
    try:
        disk.reserve(fd, 0, reserve_bytes)
        line = header()
        segment.write(line)
        disk.sync_directory(directory)
    except OSError:
        disk.close(fd)
        path.unlink(missing_ok=True)  # it holds no record; a full disk would collect one a second
        raise
    segment.opened_at = mono()
    return segment, line


def _new_file(disk: Disk, directory: Path, first_seq: int) -> tuple[int, Path]:
    for attempt in range(MAX_ATTEMPTS):
        path = directory / segment_name(first_seq, attempt)
        try:
            return disk.open(path), path
        except FileExistsError:
            continue
    raise FileExistsError(17, f"{MAX_ATTEMPTS} segments of number {first_seq} were given up")
