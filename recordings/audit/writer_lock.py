"""One process writes a log: whoever does holds its directory's lock."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from recordings.errors import LogUnavailableError

FILE = "lock"


class WriterLock:
    """flock(2), so it goes with the process that holds it, however that ends."""

    def __init__(self) -> None:
        self._fd = -1

    @property
    def is_held(self) -> bool:
        return self._fd >= 0

    def take(self, directory: Path) -> None:
        """Raises LogUnavailableError where another holds it, OSError. To be released in each case."""
        self._fd = os.open(directory / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LogUnavailableError(
                f"another process writes the audit log in {directory}; stop it, or give this one its own data_dir"
            ) from error

    def release(self) -> None:
        """Nothing where it is not held."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
