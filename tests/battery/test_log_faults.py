"""Each system call of the writer fails once, at each place, in each way; then the power goes. Nothing acknowledged may
be missing, nothing may be acknowledged that a failed sync covered, and the next start must go on without a gap."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recordings.audit.disk import RealDisk
from recordings.audit.keyring import Keyring
from recordings.audit.log import AuditLog, LogSettings
from recordings.audit.notary import Notary
from recordings.audit.note import Ed25519Signer
from recordings.audit.record import Outcome, RecordType
from recordings.audit.segments import forwards, segments
from recordings.audit.verify import verify
from recordings.errors import LogUnavailableError
from tests.recordings.audit.failing_disk import FailingDisk

ROOT = Ed25519Signer.of("acme/audit-root", Ed25519PrivateKey.from_private_bytes(bytes(32)))

ROUNDS = 6
"""Of intent, outcome and read; with segments of 3,200 bytes they rotate several times."""


class Disk(FailingDisk):
    """Keeps besides what a power cut would leave."""

    def __init__(self, at: int, kind: str) -> None:
        super().__init__(at, kind)
        self.paths: dict[int, Path] = {}
        self.safe: dict[Path, int] = {}
        self.suspect: set[Path] = set()

    def open(self, path: Path) -> int:
        fd = super().open(path)
        self.paths[fd], self.safe[path] = path, 0
        return fd

    def sync(self, fd: int) -> None:
        path, size = self.paths[fd], os.fstat(fd).st_size
        try:
            self._call()
        except OSError:
            self.suspect.add(path)
            raise
        RealDisk.sync(self, fd)  # its turn to fail was just now
        if path not in self.suspect:  # the kernel has dropped what the failed sync covered
            self.safe[path] = size

    def cut_power(self) -> None:
        for path, size in self.safe.items():
            if path.exists():
                os.truncate(path, size)


def a_log(directory: Path, disk: RealDisk) -> AuditLog:
    numbers = iter(range(10**6))
    return AuditLog(
        LogSettings(directory, "w", segment_bytes=3_200, sync_seconds=0.001, retry_seconds=0.001),
        loop=asyncio.get_running_loop(),
        clock=lambda: 1_700_000_000.0,
        mono=lambda: 0.0,
        new_id=lambda: f"id-{next(numbers)}",
        boot="b",
        disk=disk,
        notary=Notary(Keyring(directory, "acme/w", ROOT)),
    )


async def some_work(log: AuditLog) -> tuple[dict[int, str], set[str]]:
    """(acknowledged numbers → audit id, audit ids whose intent was acknowledged: their effect has happened)."""
    acked: dict[int, str] = {}
    effects: set[str] = set()
    for number in range(ROUNDS):
        audit_id = f"{number:08d}"
        event = {"auditID": audit_id}
        try:
            seq = log.append(RecordType.KUBE_REQUEST, Outcome.INTENT, event=event)
            await log.durable(seq)
            acked[seq] = audit_id
            effects.add(audit_id)
        except LogUnavailableError:
            async with asyncio.timeout(5):
                while not log.available:
                    await asyncio.sleep(0.001)
            continue
        try:
            log.append(RecordType.KUBE_REQUEST, Outcome.DONE, event=event)
            seq = log.append(RecordType.KUBE_REQUEST, Outcome.DONE, event={"auditID": f"read-{number}"})
            await log.durable(seq)
            acked[seq] = f"read-{number}"
        except LogUnavailableError:
            continue
    return acked, effects


def stored(directory: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for path in segments(directory) for line in forwards(path)]
    return [line for line in lines if "seq" in line]


async def calls_without_fault(directory: Path) -> int:
    disk = Disk(-1, "")
    log = a_log(directory, disk)
    await log.open()
    await some_work(log)
    count = disk.count
    await log.close()
    return count


@pytest.mark.parametrize("power", [False, True], ids=["process-dies", "power-cut"])
@pytest.mark.parametrize("kind", ["EIO", "ENOSPC", "EROFS", "short"])
async def test_no_acknowledged_record_is_missing_wherever_a_call_fails(tmp_path: Path, kind: str, power: bool) -> None:
    count, count_refused = await calls_without_fault(tmp_path / "model"), 0
    assert count > 25
    for at in range(count):
        directory = tmp_path / f"{at}"
        disk = Disk(at, kind)
        log = a_log(directory, disk)
        try:
            await log.open()
        except LogUnavailableError:
            assert not log.available
            log = a_log(directory, disk)
            newest = segments(directory)[-1:]
            await log.open()
            disk.safe |= {path: path.stat().st_size for path in newest}  # a start writes its bytes once more
        acked, effects = await some_work(log)
        await log._abandon()
        if power:
            disk.cut_power()
        where, refused = f"call {at}", await restarted(directory)
        (verdict,) = verify(directory, ROOT.public)
        assert refused == bool(verdict.findings), where
        assert power or not refused, where
        count_refused += refused
        records = stored(directory)
        by_seq = {one["seq"]: one for one in records}
        assert {seq: by_seq[seq]["event"]["auditID"] for seq in acked} == acked, where
        if refused:
            continue
        if not power:
            assert [one["seq"] for one in records] == list(range(1, len(records) + 1)), where
        for audit_id in effects:
            ends = [one for one in records if at_id(one) == audit_id and one["outcome"] not in ("intent", "started")]
            assert len(ends) == 1, (where, audit_id)
        begun = {at_id(one) for one in records if one["outcome"] == "intent"}
        ended = {at_id(one) for one in records if one["outcome"] not in ("intent", "started")}
        assert begun <= ended, where
    assert count_refused <= count // 20


async def restarted(directory: Path) -> bool:
    """Whether the next start refuses: unacknowledged lines were lost that `keys` speaks of, and nobody can say how."""
    log = a_log(directory, RealDisk())
    try:
        await log.open()
    except LogUnavailableError as error:
        assert "lines are missing" in str(error)  # noqa: PT017 - both ways are in order
        return True
    await log.close()
    return False


def at_id(record: dict[str, Any]) -> str | None:
    event = record.get("event")
    return event["auditID"] if event else None


WRITER = """
import asyncio, sys, time
from pathlib import Path
from recordings.audit.log import AuditLog, LogSettings
from recordings.audit.record import Outcome, RecordType

async def main():
    numbers = iter(range(10**9))
    log = AuditLog(LogSettings(Path(sys.argv[1]), "w", segment_bytes=20_000), loop=asyncio.get_running_loop(),
                   clock=time.time, mono=time.monotonic, new_id=lambda: f"{next(numbers)}", boot="b")
    await log.open()
    while True:
        event = {"auditID": f"{sys.argv[2]}-{next(numbers)}"}
        seq = log.append(RecordType.KUBE_REQUEST, Outcome.INTENT, event=event)
        await log.durable(seq)
        sys.stdout.write(f"{seq}\\n")
        sys.stdout.flush()
        log.append(RecordType.KUBE_REQUEST, Outcome.DONE, event=event)

asyncio.run(main())
"""


def test_a_killed_writer_has_lost_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    acked = 0
    for lines in (1, 7, 60, 200):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(lines)], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            for _ in range(lines):
                acked = int(writer.stdout.readline())
            writer.kill()
            rest = writer.stdout.read().split(b"\n")
            acked = max(acked, *(int(one) for one in rest[:-1])) if len(rest) > 1 else acked
        assert acked in {one["seq"] for one in stored(tmp_path)}
    records = stored(tmp_path)
    assert [one["seq"] for one in records] == list(range(1, len(records) + 1))
    last_start = max(one["seq"] for one in records if one["type"] == "log.start")
    begun = [at_id(one) for one in records if one["outcome"] == "intent" and one["seq"] < last_start]
    ended = [at_id(one) for one in records if one["outcome"] not in ("intent", "started") and at_id(one)]
    assert len(begun) == len(set(begun)) >= 68
    assert {audit_id: ended.count(audit_id) for audit_id in begun} == dict.fromkeys(begun, 1)
