"""What the suite asks of a real identity provider: who is in it, where it is, and how it starts and stops.

One confidential client, people with groups, refresh tokens, TLS on a free loopback port with a certificate of an
authority made for the test. A stopped provider starts again on the same port, with new keys and no memory.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import http.client
import json
import os
import ssl
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from tests.e2e.cluster import free_ports, tail
from tests.e2e.pki import Authority

CLIENT_ID = "kwit"
CLIENT_SECRET = "the-client-secret-of-the-suite"
PASSWORD = "correct-horse"
POLL_EVERY = 0.05  # seconds between two questions whether it is there
STOP_WITHIN = 10.0  # seconds, then it is killed


class Unavailable(Exception):  # noqa: N818 - it is no error: a machine may lack what this needs
    """This machine cannot run the provider; the text is the sentence to show."""


@dataclass(frozen=True, slots=True)
class Someone:
    """A person at the provider: `login` is what they type."""

    login: str
    groups: tuple[str, ...] = ()

    @property
    def email(self) -> str:
        return f"{self.login}@example.com"


ALICE = Someone("alice", ("eng", "sre"))
MALLORY = Someone("mallory")


class RunningProvider(ABC):
    """From entering to leaving; all files in `folder`. Raises RuntimeError with its last words if it does not start."""

    ready_within: ClassVar[float] = 30.0
    """Seconds."""

    def __init__(self, folder: Path, redirect_uri: str) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder = folder
        self.redirect_uri = redirect_uri
        authority = Authority(folder / "pki", dt.datetime.now(dt.UTC))
        self.ca, self._pair = authority.certificate, authority.server("provider")
        (self.port,) = free_ports(1)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def issuer(self) -> str: ...

    @property
    def running(self) -> bool:
        return self._process is not None

    @abstractmethod
    def command(self) -> Sequence[str]:
        """Write the files, and return what to run. Raises Unavailable."""

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        log = self.folder / "provider.log"
        with log.open("ab") as said:
            self._process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=self.environment()
            )
        end = time.monotonic() + self.ready_within
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"the provider is not ready:\n{tail(log)}")
            time.sleep(POLL_EVERY)

    def stop(self) -> None:
        """End it, by its own process; nothing happens if it is not running."""
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
        context = ssl.create_default_context(cafile=self.ca)
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=5, context=context)
        with contextlib.closing(connection):
            try:
                connection.request("GET", self.issuer.split(str(self.port), 1)[1] + "/.well-known/openid-configuration")
                return connection.getresponse().status == http.HTTPStatus.OK
            except OSError:
                return False


def write_json(path: Path, value: object) -> None:
    """At once: the provider may read it now."""
    fresh = path.with_suffix(".fresh")
    fresh.write_text(json.dumps(value))
    fresh.replace(path)
