"""Claims about sending checkpoints to anchors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from recordings.audit.anchors import publisher as module
from recordings.audit.anchors.anchor import AnchorError, Published
from recordings.audit.anchors.publisher import Publisher
from tests.recordings.audit.anchors.conftest import checkpoint


class Kept:
    """An anchor in memory. `fails`: what it says instead of taking; `hangs`: it never answers."""

    def __init__(self, name: str = "kept", *, hangs: bool = False) -> None:
        self.name, self.every = name, 0.001
        self.taken: list[tuple[str, int]] = []
        self.fails, self.closed = "", False
        self._hangs = hangs

    async def publish(self, one: Published) -> None:
        if self._hangs:
            await asyncio.Event().wait()
        if self.fails:
            raise AnchorError(self.fails)
        self.taken.append((one.origin, one.size))

    async def close(self) -> None:
        self.closed = True


class Log:
    def __init__(self) -> None:
        self.newest: list[Published] = []
        self.error: OSError | None = None
        self.now = 0.0
        self.said: list[str] = []

    def read(self) -> list[Published]:
        if self.error is not None:
            raise self.error
        return self.newest

    def publisher(self, *anchors: Any) -> Publisher:
        return Publisher(anchors, self.read, mono=lambda: self.now, say=self.said.append)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROUND_SECONDS", 0.001)
    monkeypatch.setattr(module, "MAX_PAUSE_SECONDS", 0.002)
    monkeypatch.setattr(module, "LAST_ROUND_SECONDS", 0.2)


async def test_every_anchor_gets_each_logs_newest_checkpoint(until: Callable[..., Any]) -> None:
    log, one, two = Log(), Kept(), Kept()
    publisher = log.publisher(one, two)
    publisher.start()
    log.newest = [checkpoint(3), checkpoint(1, "acme/host-1")]
    await until(lambda: len(one.taken) == len(two.taken) == 2)
    log.newest = [checkpoint(5), checkpoint(1, "acme/host-1")]
    await until(lambda: len(one.taken) == len(two.taken) == 3)
    await publisher.stop()
    assert one.taken == two.taken == [("acme/host-0", 3), ("acme/host-1", 1), ("acme/host-0", 5)]
    assert (one.closed, two.closed, log.said) == (True, True, [])
    assert [(each.checkpoints, each.failures, each.behind_seconds(9)) for each in publisher.standings] == [
        (3, 0, 0)
    ] * 2


async def test_one_that_hangs_holds_up_nobody(until: Callable[..., Any]) -> None:
    log, good, bad = Log(), Kept(), Kept("bad", hangs=True)
    publisher = log.publisher(bad, good)
    publisher.start()
    log.newest = [checkpoint(3)]
    await until(lambda: bool(good.taken) and publisher.standings[0].behind_since is not None)
    log.now = 40.0
    assert [one.behind_seconds(log.now) for one in publisher.standings] == [40.0, 0.0]
    await publisher.stop()
    assert log.said == ["anchors: some did not take the log's last checkpoint in time; the next start sends it"]


async def test_one_that_fails_is_told_once_tried_again_and_catches_up(until: Callable[..., Any]) -> None:
    log, anchor = Log(), Kept()
    anchor.fails = "no"
    publisher = log.publisher(anchor)
    publisher.start()
    log.newest = [checkpoint(3)]
    await until(lambda: publisher.standings[0].failures > 3)
    assert publisher.standings[0].problem == "no"
    anchor.fails = ""
    await until(lambda: bool(anchor.taken))
    await publisher.stop()
    assert log.said == ["anchor kept: no", "anchor kept: takes checkpoints again"]
    assert (publisher.standings[0].problem, publisher.standings[0].behind_since) == ("", None)


async def test_a_log_that_has_become_shorter_is_told_and_never_published(until: Callable[..., Any]) -> None:
    log, anchor = Log(), Kept()
    publisher = log.publisher(anchor)
    publisher.start()
    log.newest = [checkpoint(9)]
    await until(lambda: bool(anchor.taken))
    log.newest = [checkpoint(8)]
    await until(lambda: bool(publisher.standings[0].problem))
    await publisher.stop()
    assert anchor.taken == [("acme/host-0", 9)]
    assert log.said == ["anchor kept: acme/host-0 had 9 lines and has 8 now: lines are missing"]


async def test_the_end_of_the_log_is_published_at_the_end() -> None:
    log, anchor = Log(), Kept()
    publisher = log.publisher(anchor)
    publisher.start()
    log.newest = [checkpoint(9)]
    await publisher.stop()
    assert anchor.taken == [("acme/host-0", 9)]


async def test_files_that_cannot_be_read_are_a_problem_until_they_can(until: Callable[..., Any]) -> None:
    log, anchor = Log(), Kept()
    log.error = OSError(5, "Input/output error")
    publisher = log.publisher(anchor)
    publisher.start()
    await until(lambda: publisher.problem == "the log's files cannot be read: Input/output error")
    log.error = None
    await until(lambda: not publisher.problem)
    await publisher.stop()
