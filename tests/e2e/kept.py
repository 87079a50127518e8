"""What is dear to get is made once, in the user's cache, under a name that follows from what it is made of."""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.e2e.cluster import Unavailable
from tests.e2e.kubectls import cache

TIMEOUT_SECONDS = 900.0


def kept(name: str, files: Sequence[Path], make: Callable[[Path], None]) -> Path:
    """A folder that `make` filled; it is made when one of the files is another, and never beside another build."""
    digest = hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
    folder = cache() / f"{name}-{digest[:16]}"
    if folder.exists():  # asked before the lock: another program's build may hold it for minutes
        return folder
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "build.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=cache(), ignore_cleanup_errors=True) as work:
                made = Path(work) / name
                made.mkdir()
                make(made)
                made.rename(folder)
    return folder


def run(*command: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> None:
    """At low priority. Raises Unavailable with the command's last words."""
    done = subprocess.run(
        ["nice", "-n", "10", *command],
        check=False,
        capture_output=True,
        text=True,
        cwd=cwd,
        env=None if env is None else dict(env),
        timeout=TIMEOUT_SECONDS,
    )
    if done.returncode:
        raise Unavailable(f"{Path(command[0]).name} failed here: {done.stderr.strip()[-300:]}")
