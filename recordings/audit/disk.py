"""The system calls of the log's writer, behind a protocol, so that a test can make each of them fail."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

_KEEP_SIZE = 1
"""FALLOC_FL_KEEP_SIZE of fallocate(2): space is reserved behind the end, and the file's length stays true."""


class Disk(Protocol):
    """Everything raises OSError."""

    def open(self, path: Path) -> int: ...
    def write(self, fd: int, data: bytes) -> int: ...
    def sync(self, fd: int) -> None: ...
    def sync_directory(self, path: Path) -> None: ...
    def reserve(self, fd: int, offset: int, length: int) -> None: ...
    def same(self, fd: int, path: Path, size: int) -> bool: ...
    def release(self, fd: int, size: int) -> None: ...
    def close(self, fd: int) -> None: ...


class RealDisk:
    """`Disk` by the operating system. Files are new, for appending only, and 0600."""

    def open(self, path: Path) -> int:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def write(self, fd: int, data: bytes) -> int:
        return os.write(fd, data)

    def sync(self, fd: int) -> None:
        if hasattr(os, "fdatasync"):
            os.fdatasync(fd)
        else:
            os.fsync(fd)

    def sync_directory(self, path: Path) -> None:
        """A new file's name is on the disk only once its directory is."""
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def reserve(self, fd: int, offset: int, length: int) -> None:
        """Nothing where the system or the file system cannot: a full disk is then met by `write`."""
        fallocate = _fallocate()
        if fallocate is None:
            return
        if fallocate(fd, _KEEP_SIZE, ctypes.c_int64(offset), ctypes.c_int64(length)) != 0:
            number = ctypes.get_errno()
            if number not in (errno.EOPNOTSUPP, errno.ENOSYS):
                raise OSError(number, os.strerror(number))

    def same(self, fd: int, path: Path, size: int) -> bool:
        """Whether the path still leads to the open file with all its bytes: it may be unlinked, replaced, cut."""
        try:
            there, here = path.stat(), os.fstat(fd)
        except FileNotFoundError:
            return False
        return (there.st_ino, there.st_dev) == (here.st_ino, here.st_dev) and here.st_size >= size

    def release(self, fd: int, size: int) -> None:
        """Give back what was reserved behind the end."""
        os.ftruncate(fd, size)

    def close(self, fd: int) -> None:
        os.close(fd)


def check_whole(written: int, data: bytes) -> None:
    """Of write(2) to a file: what is short means a full disk. Raises OSError."""
    if written != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@lru_cache(maxsize=1)
def _fallocate() -> Any:
    """fallocate(2), which `os` does not offer with its flags; None where there is none."""
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None, use_errno=True), "fallocate", None)
