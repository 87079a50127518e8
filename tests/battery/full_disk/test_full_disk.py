"""A disk that is full: nobody is told that something was kept which is not, and it goes on by itself once there is
room again.

The log, its keys and a recording lie on a file system in memory with a limit. A ballast leaves so many bytes free, from
none to 8 KiB; or it comes at a random moment. `KWIT_FULL_DISK` names how many levels and moments are tried.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from recordings.audit.log import AuditLog
from recordings.audit.record import Outcome, RecordType
from recordings.audit.segments import forwards, segments
from recordings.audit.verify import verify
from recordings.errors import LogUnavailableError
from recordings.recorder.recorder import RecordingFailedError
from recordings.recorder.store import RecordingStore
from recordings.streams.outcome import Ended
from recordings.streams.outcome import Outcome as StreamOutcome
from tests.battery.syscalls.work import HEAD, ROOT, TYPED, Place, a_log, a_store

COUNT = int(os.environ.get("KWIT_FULL_DISK", "8"))
DISK_BYTES = 1 << 20
MOST_FREE = 8 * 1024
ROUNDS = 40
"""Of a request that waits; a segment of 3,200 bytes takes some three."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    options = f"size={DISK_BYTES},nr_inodes=1000"
    if (
        os.geteuid() != 0
        or subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", place], check=False).returncode
    ):
        pytest.skip("a disk that can be filled needs a mount, which only root may make")
    yield place
    subprocess.run(["umount", place], check=True)


def fill(disk: Path, free: int) -> None:
    """Leave so many bytes, as far as pages allow."""
    space = os.statvfs(disk)
    with suppress(OSError), (disk / "ballast").open("ab") as ballast:
        ballast.write(bytes(max(0, space.f_bavail * space.f_bsize - free)))


async def acknowledged(log: AuditLog, rounds: int, prefix: str) -> dict[int, str]:
    """What was durable; a refusal is told at once, with the reason."""
    kept: dict[int, str] = {}
    for number in range(rounds):
        audit_id = f"{prefix}-{number}"
        try:
            async with asyncio.timeout(5):
                seq = log.append(RecordType.KUBE_REQUEST, Outcome.DONE, event={"auditID": audit_id})
                await log.durable(seq)
            kept[seq] = audit_id
        except LogUnavailableError as error:
            assert "No space left on device" in str(error)  # noqa: PT017 - both are in order
    return kept


async def a_shell(store: RecordingStore) -> None:
    """It ends in order, or is refused, or fails in between; whichever it is, in time."""
    async with asyncio.timeout(5):
        with suppress(RecordingFailedError):
            recorder = await store.open(HEAD)
            try:
                for _ in range(20):
                    recorder.take([TYPED])
                    await recorder.stored()
            finally:
                await recorder.close(StreamOutcome(Ended.EXITED, 0))


async def on_a_full_disk(disk: Path, free: int, before: int) -> None:
    place = Place(disk)
    log, store = a_log(place), a_store(place)
    await log.open()
    kept = await acknowledged(log, before, "before")
    assert len(kept) == before
    fill(disk, free)
    kept |= await acknowledged(log, ROUNDS, "full")
    await a_shell(store)
    assert len(kept) < before + ROUNDS
    assert not log.available
    (disk / "ballast").unlink()
    async with asyncio.timeout(5):
        while not log.available:
            await asyncio.sleep(0.001)
    again = await acknowledged(log, 3, "again")
    assert len(again) == 3
    await log.close()
    await store.close()
    records = [json.loads(line) for path in segments(place.log) for line in forwards(path)]
    by_seq = {one["seq"]: one for one in records if "seq" in one}
    assert {seq: by_seq[seq]["event"]["auditID"] for seq in kept | again} == kept | again
    assert [one["type"] for one in by_seq.values()].count("log.suspect") >= 1
    (verdict,) = verify(place.log, ROOT.public)
    assert verdict.findings == []


@pytest.mark.parametrize("number", range(COUNT))
def test_a_disk_with_almost_no_room_keeps_what_was_acknowledged_and_goes_on_when_there_is_room(
    disk: Path, number: int
) -> None:
    asyncio.run(on_a_full_disk(disk, free=number * MOST_FREE // COUNT, before=3))


@pytest.mark.parametrize("number", range(COUNT))
def test_a_disk_that_fills_at_any_moment_keeps_what_was_acknowledged(disk: Path, number: int) -> None:
    asyncio.run(on_a_full_disk(disk, free=0, before=random.Random(number).randrange(30)))
