"""Files that get their name only when they are whole and on the disk; they may replace an older one.

Until then they stand under a name that nobody reads, and that the next run removes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from recordings.audit.new_file import sync_directory

_SUFFIX = ".tmp"


def temporary(path: Path) -> Path:
    """Where a file is made that shall be `path`."""
    return path.with_name(f".{path.name}{_SUFFIX}")


def make(path: Path) -> BinaryIO:
    """A new file for nobody but us; what a run that was cut off left there goes. Raises OSError."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")


def finish(file: BinaryIO) -> None:
    """All that was written is on the disk. Raises OSError."""
    file.flush()
    os.fsync(file.fileno())


def place(path: Path) -> None:
    """Give the finished `temporary(path)` its name, and have that on the disk. Raises OSError."""
    temporary(path).replace(path)
    sync_directory(path.parent)


def write(path: Path, data: bytes) -> None:
    """A small file, whole and on the disk. Raises OSError."""
    with make(temporary(path)) as file:
        file.write(data)
        finish(file)
    place(path)


def clear(directory: Path) -> None:
    """Remove what runs that were cut off left. Raises OSError."""
    for path in directory.iterdir():
        if path.name.startswith(".") and path.name.endswith(_SUFFIX):
            path.unlink(missing_ok=True)
