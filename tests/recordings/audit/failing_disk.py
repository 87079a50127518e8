"""A disk of which one call fails: the matrix of faults asks for each call and each way."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from recordings.audit.disk import RealDisk


class FailingDisk(RealDisk):
    """Call number `at` fails with `kind`: the name of an errno, or `short` for half a write."""

    def __init__(self, at: int, kind: str) -> None:
        self.at, self.kind, self.count = at, kind, 0

    def _fails(self) -> bool:
        self.count += 1
        return self.count - 1 == self.at

    def _call(self) -> None:
        if self._fails():
            number = getattr(errno, self.kind, errno.EIO)
            raise OSError(number, os.strerror(number))

    def open(self, path: Path) -> int:
        self._call()
        return super().open(path)

    def write(self, fd: int, data: bytes) -> int:
        if self._fails():
            if self.kind != "short":
                raise OSError(getattr(errno, self.kind), self.kind)
            return super().write(fd, data[: len(data) // 2])
        return super().write(fd, data)

    def sync(self, fd: int) -> None:
        self._call()
        super().sync(fd)

    def sync_directory(self, path: Path) -> None:
        self._call()
        super().sync_directory(path)

    def reserve(self, fd: int, offset: int, length: int) -> None:
        self._call()
        super().reserve(fd, offset, length)
