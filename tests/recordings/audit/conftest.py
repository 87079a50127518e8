"""A log whose clock, ids and disk the test holds."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recordings.audit.disk import RealDisk
from recordings.audit.keyring import Keyring
from recordings.audit.log import AuditLog, LogSettings
from recordings.audit.notary import Notary
from recordings.audit.note import Ed25519Signer
from recordings.audit.segments import forwards, segments

START = 1_700_000_000.0
ROOT = Ed25519Signer.of("acme/audit-root", Ed25519PrivateKey.from_private_bytes(bytes(32)))


@dataclass
class FaultyDisk(RealDisk):
    """The real disk, until a call is told to fail."""

    fail_at: dict[int, str] = field(default_factory=dict)
    """Number of the call → EIO, ENOSPC, or `short` (write a part)."""
    always: set[str] = field(default_factory=set)
    """Names of calls that always fail, with ENOSPC."""
    calls: list[str] = field(default_factory=list)
    paths: dict[int, Path] = field(default_factory=dict)
    safe: dict[Path, int] = field(default_factory=dict)
    """Bytes of each file that an fdatasync has confirmed."""
    closed: list[Path] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    """While it is clear, a sync that has begun does not end."""
    syncing: bool = False

    def __post_init__(self) -> None:
        self.gate.set()

    def _call(self, name: str) -> str | None:
        kind = self.fail_at.get(len(self.calls))
        self.calls.append(name)
        if name in self.always:
            kind = "ENOSPC"
        if kind is None or kind == "short":
            return kind
        raise OSError(getattr(errno, kind), os.strerror(getattr(errno, kind)))

    def open(self, path: Path) -> int:
        self._call("open")
        fd = super().open(path)
        self.paths[fd] = path
        self.safe[path] = 0
        return fd

    def write(self, fd: int, data: bytes) -> int:
        if self._call("write") == "short":
            return super().write(fd, data[: len(data) // 2])
        return super().write(fd, data)

    def sync(self, fd: int) -> None:
        size = os.fstat(fd).st_size
        self._call("sync")
        self.syncing = True
        assert self.gate.wait(5)
        self.syncing = False
        super().sync(fd)
        self.safe[self.paths[fd]] = size

    def sync_directory(self, path: Path) -> None:
        self._call("sync_directory")
        super().sync_directory(path)

    def close(self, fd: int) -> None:
        self.closed.append(self.paths[fd])
        super().close(fd)

    def reserve(self, fd: int, offset: int, length: int) -> None:
        self._call("reserve")
        super().reserve(fd, offset, length)


@dataclass
class Bench:
    """One writer's directory; `log()` makes a log on it, as a start of the process would."""

    directory: Path
    disk: FaultyDisk = field(default_factory=FaultyDisk)
    now: float = START
    segment_bytes: int = 1 << 20
    segment_seconds: float = 86_400.0
    ids: int = 0
    is_signed: bool = False
    origin: str = "acme/audit/node-0"

    def new_id(self) -> str:
        self.ids += 1
        return f"id-{self.ids:09d}"

    def log(self) -> AuditLog:
        return AuditLog(
            LogSettings(
                self.directory,
                "node-0",
                segment_bytes=self.segment_bytes,
                segment_seconds=self.segment_seconds,
                sync_seconds=0.01,
                retry_seconds=0.01,
            ),
            loop=asyncio.get_running_loop(),
            clock=lambda: self.now,
            mono=lambda: self.now,
            new_id=self.new_id,
            boot="boot",
            disk=self.disk,
            notary=Notary(Keyring(self.directory, self.origin, ROOT)) if self.is_signed else None,
        )

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for path in segments(self.directory) for line in forwards(path)]

    def records(self) -> list[dict[str, Any]]:
        return [line for line in self.lines() if "seq" in line]

    def brief(self) -> list[tuple[Any, ...]]:
        return [(one["seq"], one["type"], one["outcome"]) for one in self.records()]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "audit" / "node-0")


@pytest.fixture
def signed(tmp_path: Path) -> Bench:
    """The same, of a log that signs."""
    return Bench(tmp_path / "audit" / "node-0", is_signed=True, segment_bytes=6_000)


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], Any]:
    """Waits for a state that timers bring about; the test's own time-out bounds it."""

    async def wait(state: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not state():
                await asyncio.sleep(0.002)

    return wait
