"""Claims about the process that kubectl starts."""

from __future__ import annotations

import subprocess
import sys

from proxy.cli import main
from proxy.cli.client.saved_login import SavedLogin

HEAVY = ("click", "rich", "cryptography", "yaml", "jwt", "aiohttp", "ssl", "http", "dataclasses", "pathlib", "asyncio")
SCRIPT = f"""
import sys
before = set(sys.modules)
from proxy.cli import main
code = main(["credential", "--cluster", "prod"])
print(sorted(name for name in {HEAVY!r} if name in set(sys.modules) - before), file=sys.stderr)
sys.exit(code)
"""


def test_the_warm_path_imports_nothing_heavy(login: SavedLogin) -> None:
    assert main(["credential", "--cluster", "prod"]) == 0
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False, cwd=".")
    assert (done.returncode, done.stderr) == (0, "[]\n")
    assert '"kind": "ExecCredential"' in done.stdout
