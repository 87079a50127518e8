"""A disk that is slow: whoever waits, waits; where it takes longer than a log waits, they are refused, and nothing that
was written is dropped.

A log waits ten seconds for its disk; here it is a quarter of one, and the delays are to that as one millisecond to
thirty seconds are to ten. `KWIT_SLOW_DISK=1` runs every cell, else one in six.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from recordings.audit.disk import RealDisk
from recordings.audit.log import AuditLog
from recordings.audit.record import Outcome, RecordType
from recordings.audit.segments import forwards, segments
from recordings.audit.verify import verify
from recordings.errors import LogUnavailableError
from tests.battery.syscalls.work import ROOT, Place, a_log

ANSWER_SECONDS = 0.25
DELAYS = (0.00003, 0.001, 0.005, 0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75)
"""Seconds; from 0.3 on longer than the log waits."""
EVERY = (1, 3)
"""Each sync is slow, or one in so many."""
CALLERS = (1, 8, 64)
CELLS = list(itertools.product(DELAYS, EVERY, CALLERS))
CHOSEN = CELLS if os.environ.get("KWIT_SLOW_DISK") else CELLS[::7]


@dataclass
class SlowDisk(RealDisk):
    """`slow` is set while it is."""

    delay: float
    every: int
    slow: bool = False
    syncs: int = 0

    def sync(self, fd: int) -> None:
        self.syncs += 1
        if self.slow and self.syncs % self.every == 0:
            time.sleep(self.delay)
        super().sync(fd)


async def asked(log: AuditLog, name: str, times: int) -> tuple[dict[int, str], dict[int, str]]:
    """(acknowledged, written) by number. Whoever is refused waits until it may try again."""
    acked, written = {}, {}
    for number in range(times):
        audit_id = f"{name}-{number}"
        try:
            seq = log.append(RecordType.KUBE_REQUEST, Outcome.DONE, event={"auditID": audit_id})
            written[seq] = audit_id
            await log.durable(seq)
            acked[seq] = audit_id
        except LogUnavailableError as error:
            assert "the disk does not answer" in str(error)  # noqa: PT017 - both are in order
            while not log.available:
                await asyncio.sleep(0.005)
    return acked, written


async def on_a_slow_disk(place: Place, delay: float, every: int, callers: int) -> bool:
    """Whether anybody was refused."""
    disk, log = SlowDisk(delay, every), a_log(place)
    log._disk = disk
    await log.open()
    patient = log._settings
    log._settings = replace(patient, answer_seconds=ANSWER_SECONDS, segment_bytes=1 << 20)
    disk.slow = True
    async with asyncio.timeout(60):
        told = await asyncio.gather(*(asked(log, f"caller-{number}", 3) for number in range(callers)))
        disk.slow, log._settings = False, patient
        told.append(await asked(log, "afterwards", 1))
    await log.close()
    records = [json.loads(line) for path in segments(place.log) for line in forwards(path)]
    by_seq = {one["seq"]: one.get("event", {}).get("auditID") for one in records if "seq" in one}
    acked = {seq: name for one, _ in told for seq, name in one.items()}
    written = {seq: name for _, one in told for seq, name in one.items()}
    assert {seq: by_seq.get(seq) for seq in written} == written
    (verdict,) = verify(place.log, ROOT.public)
    assert verdict.findings == []
    assert not log._waiters
    return acked != written


@pytest.mark.parametrize(("delay", "every", "callers"), CHOSEN)
def test_a_slow_disk_makes_people_wait_and_one_that_does_not_answer_refuses_them_and_nothing_is_dropped(
    tmp_path: Path, delay: float, every: int, callers: int
) -> None:
    anybody_refused = asyncio.run(on_a_slow_disk(Place(tmp_path), delay, every, callers))
    if delay < ANSWER_SECONDS / 5:  # a busy machine adds to what is near the limit
        assert not anybody_refused
    if delay > ANSWER_SECONDS and every == 1:
        assert anybody_refused
