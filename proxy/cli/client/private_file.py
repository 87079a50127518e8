"""Files of one user: written whole or not at all, mode 0600, and a lock between processes."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def write(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Replace the file in one step; a reader sees the old text or the new one. Raises OSError, which names the file."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(fd, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException as error:
        _take_back(Path(name), error, path)
        raise


def create(path: Path, text: str, *, mode: int = 0o600) -> bool:
    """Write the file if there is none; False where there is one, which stays as it is.

    What could not be written whole is taken away again. Raises OSError, which names the file.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        return False
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except BaseException as error:
        _take_back(path, error, path)
        raise
    return True


def _take_back(written: Path, error: BaseException, meant: Path) -> None:
    with suppress(OSError):
        written.unlink()
    if isinstance(error, OSError) and error.filename is None:  # a write knows its descriptor only
        error.filename = str(meant)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock while the block runs; the kernel lets go of it if the process dies."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(fd)
        yield
    finally:
        os.close(fd)


if sys.platform == "win32":
    import msvcrt

    def _lock(fd: int) -> None:
        while True:
            with suppress(OSError):  # it gives up after ten tries of a second
                msvcrt.locking(fd, msvcrt.LK_LOCK, 1)
                return

else:
    import fcntl

    def _lock(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_EX)
