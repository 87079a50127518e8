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


def built(name: str, package: str = "./...") -> Path:
    """The folder of programs that Go makes of the folder `name`, or of a package that its go.mod names."""
    if shutil.which("go") is None:
        raise Unavailable("no Go here (install Go 1.26 or newer)")
    files = sorted(file for file in (HERE / name).rglob("*") if file.is_file())

    def build(folder: Path) -> None:
        environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "", "GOCACHE": str(folder.parent / "compiled")}
        flags = ("-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags=-s -w")
        run("go", "build", *flags, "-o", f"{folder}/", package, cwd=HERE / name, env=environment)

    return kept(f"clients-{name}", files, build)


def _go(way: str) -> Program:
    return Program((str(built("go") / "client"),), more=(way,))


def _java() -> Program:
    if any(shutil.which(one) is None for one in ("java", "javac", "mvn")):
        raise Unavailable("no Java compiler or no Maven here (install JDK 17 or newer, and Maven)")
    files = [HERE / "java" / name for name in ("Client.java", "jars.sha256", "pom.xml")]

    def build(folder: Path) -> None:
        options = ("-B", "-q", f"-Dmaven.repo.local={folder.parent / 'downloaded'}", "-DincludeScope=runtime")
        run("mvn", *options, "dependency:copy-dependencies", f"-DoutputDirectory={folder}", cwd=HERE / "java")
        run("sha256sum", "--check", "--strict", "--quiet", HERE / "java" / "jars.sha256", cwd=folder)
        run("javac", "-cp", f"{folder}/*", "-d", folder, HERE / "java" / "Client.java", cwd=folder)

    folder = kept("clients-java", files, build)
    return Program(("java", "-cp", f"{folder}:{folder}/*", "Client"))


CLIENTS: dict[str, Callable[[], Program]] = {
    "the official Python client": lambda: _python("official.py"),
    "kubernetes_asyncio": lambda: _python("asynchronous.py"),
    "@kubernetes/client-node": _node,
    "client-go, by WebSocket": lambda: _go("websocket"),
    "client-go, by SPDY": lambda: _go("spdy"),
    "fabric8's kubernetes-client": _java,
}
