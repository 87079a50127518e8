"""Programs as people write them with the clients of four languages: each lists, watches and runs a command in a pod,
and says as JSON what it saw.

Their libraries are pinned with hashes beside them, and kept in the user's cache.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.cluster import Unavailable
from tests.e2e.kept import kept, run

HERE = Path(__file__).parent
START = """\
import runpy, sys
sys.path.insert(0, sys.argv[1])
del sys.argv[:2]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@dataclass(frozen=True, slots=True)
class Program:
    """A command to which kubeconfig, namespace, pod and a name are added."""

    command: tuple[str, ...]
    more: tuple[str, ...] = ()
    """Arguments behind those."""


def _python(file: str) -> Program:
    lock = HERE / "python" / "requirements.lock"

    def install(folder: Path) -> None:
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps")
        run(*pip, "--require-hashes", "--only-binary=:all:", "--target", folder, "-r", lock, cwd=folder)

    modules = kept("clients-python", [lock], install)
    # PYTHONPATH would reach `kwit credential` as well, which the library runs
    return Program((sys.executable, "-c", START, str(modules), str(HERE / "python" / file)))


def _node() -> Program:
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Unavailable("no Node here (install Node 20 or newer, with npm)")
    files = [HERE / "node" / "package.json", HERE / "node" / "package-lock.json"]

    def install(folder: Path) -> None:
        for file in files:
            shutil.copy(file, folder)
        run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)

    modules = kept("clients-node", files, install) / "node_modules"
    return Program(("node", str(HERE / "node" / "client.mjs"), str(modules)))


def _go(way: str) -> Program:
    if shutil.which("go") is None:
        raise Unavailable("no Go here (install Go 1.26 or newer)")
    files = sorted((HERE / "go").iterdir())

    def build(folder: Path) -> None:
        environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "", "GOCACHE": str(folder.parent / "compiled")}
        flags = ("-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags=-s -w")
        run("go", "build", *flags, "-o", folder / "client", ".", cwd=HERE / "go", env=environment)

    return Program((str(kept("clients-go", files, build) / "client"),), more=(way,))


CLIENTS: dict[str, Callable[[], Program]] = {
    "the official Python client": lambda: _python("official.py"),
    "kubernetes_asyncio": lambda: _python("asynchronous.py"),
    "@kubernetes/client-node": _node,
    "client-go, by WebSocket": lambda: _go("websocket"),
    "client-go, by SPDY": lambda: _go("spdy"),
}
