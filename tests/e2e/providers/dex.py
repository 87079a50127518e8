"""Dex, a Go module, built once into the user's cache. People come from its own password table, which has no groups.

Groups come with its connector `mock`: whoever chooses that is Kilgore Trout of the group `authors`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from tests.e2e.kubectls import cache
from tests.e2e.providers.running import CLIENT_ID, CLIENT_SECRET, RunningProvider, Unavailable, write_json

HERE = Path(__file__).parent / "dex_go"
BUILD_TIMEOUT = 1800.0  # seconds; measured 138 of CPU, and the download of the modules
# bcrypt of PASSWORD at the lowest cost that Dex takes: a test waits for it
PASSWORD_HASH = "$2b$10$abcdefghijklmnopqrstuuf4yQswfQRuOxajohDXdzREFVDuc.Vdy"


class Dex(RunningProvider):
    """Storage is memory: a restart forgets keys and refresh tokens."""

    with_groups: ClassVar[bool] = False

    @property
    def issuer(self) -> str:
        return f"https://127.0.0.1:{self.port}/dex"

    def command(self) -> Sequence[str]:
        program = build()
        client = {"id": CLIENT_ID, "name": "kwit", "secret": CLIENT_SECRET, "redirectURIs": [self.redirect_uri]}
        people = [
            {"email": f"{login}@example.com", "hash": PASSWORD_HASH, "username": login, "userID": f"id-{login}"}
            for login in ("alice", "mallory")
        ]
        config: dict[str, object] = {
            "issuer": self.issuer,
            "storage": {"type": "memory"},
            "web": {
                "https": f"127.0.0.1:{self.port}",
                "tlsCert": str(self._pair.certificate),
                "tlsKey": str(self._pair.key),
            },
            "oauth2": {"skipApprovalScreen": True, "responseTypes": ["code"]},
            "staticClients": [client],
        }
        if self.with_groups:
            config["connectors"] = [{"type": "mockCallback", "id": "mock", "name": "Mock"}]
        else:
            config |= {"enablePasswordDB": True, "staticPasswords": people}
        write_json(self.folder / "dex.yaml", config)  # every JSON text is YAML
        return [str(program), "serve", str(self.folder / "dex.yaml")]


class DexWithGroups(Dex):
    """One person without a password, Kilgore Trout, in the group `authors`."""

    with_groups = True


def build() -> Path:
    """The program, built if need be, never beside another build. Raises Unavailable."""
    files = sorted(HERE.iterdir())
    digest = hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
    program = cache() / f"dex-{digest[:16]}" / "dex"
    if program.exists():  # asked before the lock: another program's build may hold it for minutes
        return program
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "build.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            if shutil.which("go") is None or shutil.which("gcc") is None:
                raise Unavailable(
                    "no Go or no C compiler here: Dex cannot be built (install Go 1.26 or newer, and gcc)"
                )
            _build(program)
    return program


def _build(program: Path) -> None:
    with tempfile.TemporaryDirectory(dir=cache(), ignore_cleanup_errors=True) as work:
        command = ["nice", "-n", "15", "go", "build", "-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags=-s -w"]
        command += ["-o", f"{work}/dex", "github.com/dexidp/dex/cmd/dex"]
        # It does not compile without its SQLite, which is C. The compiler's cache serves no second build.
        environment = os.environ | {"CGO_ENABLED": "1", "GOCACHE": f"{work}/compiled", "GOFLAGS": ""}
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, cwd=HERE, env=environment, timeout=BUILD_TIMEOUT
        )
        if done.returncode:
            raise Unavailable(f"Dex cannot be built here: {done.stderr.strip()[-300:]}")
        program.parent.mkdir(exist_ok=True)
        Path(f"{work}/dex").rename(program)
