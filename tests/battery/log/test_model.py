"""The log against a model: append, wait, rotate, fail, crash, lose power, start again, verify, in any order.

The model is what the log has promised: numbers that it called durable, and intents whose effect may have happened.
`KWIT_MODEL_EXAMPLES` runs more than the short form does.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from recordings.audit.log import AuditLog
from recordings.audit.record import Outcome, RecordType
from recordings.audit.segments import segments
from recordings.audit.verify import verify
from recordings.errors import LogUnavailableError
from tests.recordings.audit.conftest import ROOT, Bench

EXAMPLES = int(os.environ.get("KWIT_MODEL_EXAMPLES", "25"))
STEPS = 30
REQUEST = RecordType.KUBE_REQUEST

T = TypeVar("T")


class Model(RuleBasedStateMachine):
    """`durable`: seq → audit id, acknowledged. `begun`, `ended`: audit ids, as the log has accepted them."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.bench = Bench(self.folder / "node-0", is_signed=True, segment_bytes=4_000)
        self.runner = asyncio.Runner()
        self.durable: dict[int, str] = {}
        self.begun: list[str] = []
        self.ended: set[str] = set()
        self.seqs: dict[str, int] = {}
        self.has_failed = False
        self.count = self.starts = 0
        self.log = self.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def start(self) -> AuditLog:
        async def begin() -> AuditLog:
            log = self.bench.log()
            await log.open()
            return log

        self.has_failed |= self.starts > 0 and bool(self.log._ledger.lost)
        newest = segments(self.bench.directory)[-1:] if self.bench.directory.exists() else []
        log = self.run(begin())
        self.bench.disk.safe |= {path: path.stat().st_size for path in newest}  # a start writes them once more
        self.ended |= set(self.begun)  # what was open at a crash gets its outcome from the start
        self.starts += 1
        return log

    def new_id(self) -> str:
        self.count += 1
        return f"request-{self.count}"

    @rule(size=st.integers(0, 1_500), waits=st.booleans())
    def intent(self, size: int, waits: bool) -> None:
        audit_id = self.new_id()
        body = {"what": "x" * size}

        async def write() -> None:
            seq = self.log.append(REQUEST, Outcome.INTENT, event={"auditID": audit_id}, body=body)
            self.seqs[audit_id] = seq
            if waits:
                await self.log.durable(seq)
                self.durable[seq] = audit_id

        try:
            self.run(write())
            self.begun.append(audit_id)
        except LogUnavailableError:
            self.ended.add(audit_id)  # refused: nothing was sent

    @rule(which=st.integers(0, 5), outcome=st.sampled_from([Outcome.DONE, Outcome.FAILED, Outcome.ABORTED]))
    def outcome(self, which: int, outcome: Outcome) -> None:
        """What is drawn must not depend on what the disk and its timers did: Hypothesis replays draws."""
        waiting = sorted(set(self.begun) - self.ended)
        if not waiting:
            return
        audit_id = waiting[which % len(waiting)]
        self.ended.add(audit_id)

        async def write() -> None:
            await self.log.durable(self.seqs[audit_id])  # before that nothing is sent; where it fails, it is refused
            self.log.append(REQUEST, outcome, event={"auditID": audit_id})

        with suppress(LogUnavailableError):  # owed: it is written as soon as that can be, or by the next start
            self.run(write())

    @rule(count=st.integers(1, 9))
    def reads_that_wait_together(self, count: int) -> None:
        async def write() -> None:
            ids = [self.new_id() for _ in range(count)]
            seqs = [self.log.append(REQUEST, Outcome.DONE, event={"auditID": one}) for one in ids]
            await self.log.durable(seqs[-1])
            self.durable |= dict(zip(seqs, ids, strict=True))

        with suppress(LogUnavailableError):
            self.run(write())

    @rule(seconds=st.floats(-20, 100))
    def time_passes(self, seconds: float) -> None:
        self.bench.now = max(self.bench.now + seconds, 1_700_000_000.0)

    @rule(call=st.sampled_from(["write", "sync", "reserve", "open", "sync_directory"]))
    def the_disk_fails_for_a_while(self, call: str) -> None:
        self.bench.disk.always = {call}

    @rule()
    def the_disk_works_again(self) -> None:
        self.bench.disk.always = set()

        async def back() -> None:
            async with asyncio.timeout(5):
                while not self.log.available or self.log._intents.owed:
                    await asyncio.sleep(0.002)

        self.run(back())

    @rule()
    def the_process_dies(self) -> None:
        self.run(self.log._abandon())
        self.bench.disk.always = set()
        self.log = self.start()

    @rule()
    def the_power_goes(self) -> None:
        """What no sync has covered is gone. After a fault of the disk: test_log_faults.py."""
        self.has_failed |= bool(self.log._ledger.lost)
        if self.bench.disk.always or not self.log.available or self.has_failed:
            return
        self.run(self.log._abandon())
        for path, size in self.bench.disk.safe.items():
            if path.exists() and path.stat().st_size > size:
                os.truncate(path, size)
        found = {one["event"]["auditID"] for one in self.bench.records() if one["type"] == REQUEST}
        self.begun = [one for one in self.begun if one in found]
        self.log = self.start()

    @rule()
    def it_ends_in_order(self) -> None:
        if self.log.available and not self.bench.disk.always:
            self.run(self.log.close())
            self.log = self.start()

    @invariant()
    def what_was_promised_is_there_in_order_and_the_files_hold_it(self) -> None:
        records = self.bench.records()
        seqs = [one["seq"] for one in records]
        assert seqs == list(range(1, len(seqs) + 1))
        by_seq = {one["seq"]: one for one in records}
        assert {seq: by_seq[seq]["event"]["auditID"] for seq in self.durable} == self.durable

    def teardown(self) -> None:
        self.bench.disk.always = set()
        self.run(self.log._abandon())
        self.log = self.start()
        self.run(self.log.close())
        self.runner.close()
        (verdict,) = verify(self.bench.directory, ROOT.public)
        assert verdict.findings == []
        records = [one for one in self.bench.records() if one["type"] == REQUEST]
        begun = [one["event"]["auditID"] for one in records if one["outcome"] == "intent"]
        ends = [one["event"]["auditID"] for one in records if one["outcome"] not in {"intent", "started"}]
        assert set(self.begun) <= set(begun)
        assert {one: ends.count(one) for one in begun} == dict.fromkeys(begun, 1)
        shutil.rmtree(self.folder)


TestModel = Model.TestCase
TestModel.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck)
)
