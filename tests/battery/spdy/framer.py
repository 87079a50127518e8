"""The SPDY library on all Kubernetes sides, asked what it reads: the program in `go/`, built once and kept."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.cluster import Unavailable
from tests.e2e.kept import kept, run

SOURCE = Path(__file__).parent / "go"
TIMEOUT_SECONDS = 120.0
"""For one batch. A program that stands still is a finding, and a test must end."""


@dataclass(frozen=True, slots=True)
class Theirs:
    """Whole frames, where each ended, and the error that stopped the reader; the end of the bytes is none."""

    frames: list[dict[str, object]]
    ends: list[int]
    error: str


@dataclass(frozen=True, slots=True)
class Framer:
    """The built program."""

    path: Path

    def read(self, directions: Sequence[bytes]) -> list[Theirs]:
        """What it reads of each, in one run of the program."""
        asked = b"".join(len(one).to_bytes(4) + one for one in directions)
        done = subprocess.run([self.path], input=asked, capture_output=True, check=True, timeout=TIMEOUT_SECONDS)
        return [Theirs(**json.loads(line)) for line in done.stdout.splitlines()]


def framer() -> Framer:
    """Raises Unavailable where it cannot be built."""
    if shutil.which("go") is None:
        raise Unavailable("no Go here (install Go 1.26 or newer): SPDY was not compared with Kubernetes' own library")

    def build(folder: Path) -> None:
        environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "", "GOCACHE": str(folder.parent / "compiled")}
        flags = ("-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags=-s -w")
        run("go", "build", *flags, "-o", folder / "framer", ".", cwd=SOURCE, env=environment)

    return Framer(kept("spdy-framer", sorted(SOURCE.iterdir()), build) / "framer")
