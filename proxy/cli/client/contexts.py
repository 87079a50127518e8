"""The kubeconfig file: which one, read, edited by `auth.kubeconfig`, and replaced in one step."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from auth.kubeconfig import KubeconfigError
from proxy.cli.client import private_file
from proxy.cli.client.problem import Problem

LOCK_SECONDS = 3.0
"""kubectl holds its lock for milliseconds; a longer one was left behind by a process that died."""


def path(chosen: str | None) -> Path:
    """The file given, else the first of $KUBECONFIG, else ~/.kube/config."""
    if chosen:
        return Path(chosen)
    listed = os.environ.get("KUBECONFIG", "").split(os.pathsep)  # noqa: TID251 - kubectl's own rule
    first = next((item for item in listed if item), None)
    return Path(first) if first else Path.home() / ".kube" / "config"


def read(file: Path) -> str:
    """Its text; nothing where there is no file. Raises Problem."""
    try:
        return file.read_bytes().decode()
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise Problem(f"{file} is not UTF-8 (byte {error.start}); nothing was changed") from error


def edit(file: Path, change: Callable[[str], str]) -> bool:
    """Replace the file's text with what `change` makes of it; False where that is the same. Raises Problem."""
    target = Path(os.path.realpath(file))  # a link stays a link
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with _kubectls_lock(target):
        before = read(target)
        try:
            after = change(before)
        except KubeconfigError as error:
            raise Problem(f"{file}: {error}; nothing was changed. Mend it, or choose another with --kubeconfig") from (
                error
            )
        if after == before:
            return False
        private_file.write(target, after, mode=stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o600)
        return True


@contextmanager
def _kubectls_lock(target: Path) -> Iterator[None]:
    """`<file>.lock`, made and removed: what `kubectl config` does too."""
    lock = target.with_name(target.name + ".lock")
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            break
        except FileExistsError:
            if time.monotonic() > deadline:
                raise Problem(f"{lock} is held by another program; if none is running, remove it") from None
            time.sleep(0.05)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def our_command() -> tuple[str, ...]:
    """How kubectl calls us: by name where that finds this installation, else by a path, else through Python."""
    beside = Path(sys.executable).with_name("kwit.exe" if sys.platform == "win32" else "kwit")
    found = shutil.which("kwit")
    if found is not None and beside.exists() and Path(found).resolve() == beside.resolve():
        return ("kwit",)
    if beside.exists():
        return (str(beside),)
    return (found,) if found is not None else (sys.executable, "-m", "proxy.cli")
