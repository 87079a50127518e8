"""Claims about the keeper of the log's files: what it removes, the log says before, and says for ever."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from proxy.log_keeper import LogKeeper
from recordings.audit.holds import FILE, Hold, add
from recordings.audit.query import oldest_first
from recordings.audit.question import Question
from recordings.audit.record import Outcome, RecordType
from recordings.audit.retention import Limits
from recordings.audit.segment_header import parse_header
from recordings.audit.segments import forwards, is_sealed, segments
from recordings.audit.tombstone import Stretch, stretches
from recordings.audit.verify import verify
from recordings.errors import LogUnavailableError
from tests.recordings.audit.conftest import ROOT, START, Bench

DAY = 86_400.0


class Web:
    """The web process's own log, and the keeper in it."""

    def __init__(self, root: Path, limits: Limits) -> None:
        self.bench = Bench(root / "node-0-web", is_signed=True, origin="acme/audit/node-0-web", segment_bytes=6_000)
        self.log = self.bench.log()
        self.said: list[str] = []
        self.keeper = LogKeeper(root, limits, self.record, clock=lambda: self.bench.now, say=self.said.append)
        self.refuse = False
        self.before: list[str] = []
        """What is in the directory of the other writer when a record is written."""

    async def record(self, kind: RecordType, facts: Any) -> None:
        if self.refuse:
            raise LogUnavailableError("no space left")
        self.before = names(self.bench.directory.parent / "node-0")
        await self.log.durable(self.log.append(kind, **facts))

    def removed(self) -> list[dict[str, Any]]:
        root = self.bench.directory.parent
        return [one["body"] for one in oldest_first(root, Question(type=RecordType.LOG_REMOVED))]


def names(directory: Path) -> list[str]:
    return [path.name for path in segments(directory)]


@pytest.fixture
async def root(tmp_path: Path) -> Path:
    """A worker's signed log of several segments, written at START and settled."""
    bench = Bench(tmp_path / "audit" / "node-0", is_signed=True, segment_bytes=6_000)
    log = bench.log()
    await log.open()
    for number in range(60):
        await log.durable(log.append(RecordType.CONFIG_CHANGE, Outcome.DONE, body={"what": f"change {number}"}))
    await log.close()
    for path in segments(bench.directory):
        os.utime(path, (START, START))
    assert len(segments(bench.directory)) >= 4
    return tmp_path / "audit"


async def web(root: Path, **limits: Any) -> Web:
    found = Web(root, Limits(**limits))
    found.bench.now = START + DAY
    await found.log.open()
    return found


async def test_segments_are_sealed_in_a_process_of_its_own(root: Path) -> None:
    one = await web(root)
    await one.keeper.round()
    assert [is_sealed(path) for path in segments(root / "node-0")][:-1] == [True] * (len(segments(root / "node-0")) - 1)
    assert (one.said, one.removed()) == ([], [])
    await one.log.close()


async def test_what_is_over_its_age_goes_after_the_record_of_it_and_the_rest_begins_where_that_says(root: Path) -> None:
    one = await web(root, age=3600)
    there = names(root / "node-0")
    await one.keeper.round()
    assert [name.removesuffix(".zst") for name in one.before] == there  # the record came first
    (left,) = segments(root / "node-0")
    (body,) = one.removed()
    header = parse_header(next(forwards(left)))
    assert [each["segment"] for each in body["removed"]] == there[:-1]
    (stretch,) = stretches({"body": body})
    root_text = b64encode(header.tree.root()).decode()
    assert stretch == Stretch("acme/audit/node-0", 0, header.size, root_text)
    await one.log.close()
    assert [(each.directory, each.is_whole, each.removed) for each in verify(root, ROOT.public)] == [
        ("node-0", True, header.size),
        ("node-0-web", True, 0),
    ]


async def test_what_goes_without_a_record_is_found(root: Path) -> None:
    one = await web(root, age=3600)
    segments(root / "node-0")[0].unlink()
    await one.log.close()
    assert [(each.directory, each.is_whole) for each in verify(root, ROOT.public)] == [
        ("node-0", False),
        ("node-0-web", True),
    ]


async def test_a_later_record_says_everything_again_also_after_a_new_start(root: Path) -> None:
    first = await web(root, size=1)
    await first.keeper.round()
    assert len(first.removed()) == 1
    for number in range(60):
        await first.record(RecordType.CONFIG_CHANGE, {"outcome": Outcome.DONE, "body": {"what": f"web {number}"}})
    await first.log.close()
    for path in segments(first.bench.directory):
        os.utime(path, (START, START))
    second = await web(root, size=1)
    await second.keeper.round()
    last = second.removed()[-1]
    assert {each["writer"] for each in last["removed"]} == {"node-0-web"}
    assert sorted(one.origin for one in stretches({"body": last})) == ["acme/audit/node-0", "acme/audit/node-0-web"]
    await second.log.close()
    assert all(each.is_whole and each.removed for each in verify(root, ROOT.public))


async def test_without_a_record_nothing_goes(root: Path) -> None:
    one = await web(root, age=1)
    there = len(names(root / "node-0"))
    one.refuse = True
    await one.keeper.round()
    assert len(names(root / "node-0")) == there
    one.refuse = False
    await one.keeper.round()
    assert len(names(root / "node-0")) == 1
    await one.log.close()


async def test_what_is_held_stays_and_holds_are_in_the_log(root: Path) -> None:
    add(root, Hold("case-17", "Smith v. Smith", "", "", "2026-01-01T00:00:00.000000Z"))
    one = await web(root, age=1)
    there = len(names(root / "node-0"))
    await one.keeper.round()
    await one.keeper.round()
    assert len(names(root / "node-0")) == there
    (record,) = oldest_first(root, Question(type=RecordType.LOG_HOLD))
    assert [each["name"] for each in record["body"]["holds"]] == ["case-17"]
    await one.log.close()
    again = await web(root, age=1)
    await again.keeper.round()
    assert len(list(oldest_first(root, Question(type=RecordType.LOG_HOLD)))) == 1  # nothing changed
    (root / FILE).unlink()
    await again.keeper.round()
    assert len(names(root / "node-0")) == 1
    assert [len(one["body"]["holds"]) for one in oldest_first(root, Question(type=RecordType.LOG_HOLD))] == [1, 0]
    await again.log.close()


async def test_holds_that_cannot_be_read_hold_everything_and_are_told_once(root: Path) -> None:
    (root / FILE).write_bytes(b"{")
    one = await web(root, age=1)
    there = len(names(root / "node-0"))
    await one.keeper.round()
    await one.keeper.round()
    assert len(names(root / "node-0")) == there
    assert one.said == ["the audit log's files: the file of holds is damaged"]
    (record,) = oldest_first(root, Question(type=RecordType.LOG_HOLD))
    assert record["outcome"] == "failed"
    await one.log.close()


async def test_it_works_until_it_is_stopped_and_survives_what_nobody_foresaw(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await web(root)
    twice = asyncio.Event()
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if len(said) == 2:
            twice.set()

    monkeypatch.setattr("proxy.log_keeper.LogKeeper.seconds", 0.001)
    monkeypatch.setattr("proxy.log_keeper._apart", None)
    one.keeper._say = say
    one.keeper.start()
    async with asyncio.timeout(5):
        await twice.wait()
    await one.keeper.stop()
    rounds = len(said)
    await one.log.close()
    assert len(said) == rounds
    assert "please report it" in said[0]


async def test_stopped_in_the_middle_of_a_round_it_leaves_no_process(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await web(root)
    monkeypatch.setattr("proxy.log_keeper.LogKeeper.seconds", 0.0)
    for turns in (2, 5, 20):
        one.keeper.start()
        for _ in range(turns):
            await asyncio.sleep(0)
        await one.keeper.stop()
        assert [each.name for each in multiprocessing.active_children()] == []
    await one.log.close()
    assert one.said == []
