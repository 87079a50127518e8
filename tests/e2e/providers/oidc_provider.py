"""The OpenID-certified library `oidc-provider`, in Node: people are ours to change while it runs.

Installed by npm from a lock file with hashes into the user's cache, without install scripts.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.e2e.kubectls import cache
from tests.e2e.providers.running import (
    ALICE,
    CLIENT_ID,
    CLIENT_SECRET,
    MALLORY,
    RunningProvider,
    Someone,
    Unavailable,
    write_json,
)

HERE = Path(__file__).parent / "oidc_provider_npm"
INSTALL_TIMEOUT = 300.0  # seconds; 4 MB, measured 5


class OidcProvider(RunningProvider):
    """Any password will do; an unknown login is refused."""

    @property
    def issuer(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str]:
        modules = install()
        self.set_people(ALICE, MALLORY)
        settings = {
            "issuer": self.issuer,
            "port": self.port,
            "clientId": CLIENT_ID,
            "clientSecret": CLIENT_SECRET,
            "redirectUri": self.redirect_uri,
            "certificate": str(self._pair.certificate),
            "key": str(self._pair.key),
            "people": str(self._people),
        }
        write_json(self.folder / "settings.json", settings)
        return ["node", str(HERE / "server.mjs"), str(modules), str(self.folder / "settings.json")]

    def set_people(self, *people: Someone) -> None:
        """From now on these are all there are; others' refresh tokens are refused with `invalid_grant`."""
        claims = {
            one.login: {
                "preferred_username": one.login,
                "email": one.email,
                "email_verified": True,
                "groups": list(one.groups),
            }
            for one in people
        }
        write_json(self._people, claims)

    @property
    def _people(self) -> Path:
        return self.folder / "people.json"


def install() -> Path:
    """The folder of the packages, installed if need be. Raises Unavailable."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Unavailable("no Node here: npm's oidc-provider cannot be run (install Node 20 or newer, with npm)")
    files = [HERE / "package.json", HERE / "package-lock.json"]
    digest = hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
    folder = cache() / f"oidc-provider-{digest[:16]}"
    if folder.exists():  # asked before the lock: another program's build may hold it for minutes
        return folder / "node_modules"
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "build.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=cache(), ignore_cleanup_errors=True) as work:
                for file in files:
                    shutil.copy(file, work)
                command = ["nice", "-n", "10", "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
                done = subprocess.run(
                    command, check=False, capture_output=True, text=True, cwd=work, timeout=INSTALL_TIMEOUT
                )
                if done.returncode:
                    raise Unavailable(f"npm's oidc-provider cannot be downloaded here: {done.stderr.strip()[-200:]}")
                Path(work).rename(folder)
    return folder / "node_modules"
