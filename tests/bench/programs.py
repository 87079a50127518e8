"""The Go programs, built once into the user's cache under the hash of what they are made from."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).parent / "programs"
NAMES = ("loadgen", "upstream", "reverseproxy")
BUILD_SECONDS = 600.0
"""The first build compiles Go's TLS and HTTP as well; two busy cores take about a minute."""


class UnavailableError(Exception):
    """Something that is not on this machine; the message is the sentence that says what to install."""


@dataclass(frozen=True, slots=True)
class Programs:
    """Paths of the built programs."""

    loadgen: Path
    upstream: Path
    reverseproxy: Path


def cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kubewitness"


def build() -> Programs:
    """The programs, built if they are not in the cache. Raises UnavailableError."""
    go = shutil.which("go")
    if go is None:
        raise UnavailableError(
            "the benchmark's load and upstream are Go programs, and there is no `go` here: install Go 1.24"
        )
    folder = cache() / f"bench-{_digest(go_version())[:16]}"
    if not folder.is_dir():
        print("building the benchmark's programs (once)", flush=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="building.", dir=folder.parent) as scratch:
            _compile(go, Path(scratch) / "bin")
            try:
                (Path(scratch) / "bin").rename(folder)
            except OSError:  # another run was first; what it built is the same
                if not folder.is_dir():
                    raise
    return Programs(*(folder / name for name in NAMES))


def go_version() -> str:
    """Such as "go1.24.1"; there must be a `go`."""
    return subprocess.run(["go", "env", "GOVERSION"], check=True, capture_output=True, text=True).stdout.strip()


def _compile(go: str, folder: Path) -> None:
    folder.mkdir()
    packages = [f"./{name}" for name in NAMES]
    command = [go, "build", "-p", "1", "-trimpath", "-o", f"{folder}{os.sep}", *packages]
    done = subprocess.run(command, cwd=SOURCES, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
    if done.returncode:
        raise UnavailableError(f"the benchmark's Go programs do not build here:\n{done.stderr[-2000:]}")


def _digest(version: str) -> str:
    total = hashlib.sha256(version.encode())
    for path in sorted(SOURCES.rglob("*")):
        if path.is_file():
            total.update(f"{path.relative_to(SOURCES)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return total.hexdigest()
