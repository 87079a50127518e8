"""Claims about finding each writer's newest checkpoint in its files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from recordings.audit.anchors import newest_checkpoint as module
from recordings.audit.anchors.newest_checkpoint import NewestCheckpoints
from recordings.audit.record import Outcome, RecordType
from recordings.audit.segments import segments
from tests.recordings.audit.conftest import Bench

CHANGE = RecordType.CONFIG_CHANGE


def bench(root: Path, name: str) -> Bench:
    return Bench(root / name, is_signed=True, origin=f"acme/{name}", segment_bytes=6_000)


def sizes(newest: NewestCheckpoints) -> list[tuple[str, int]]:
    return [(one.origin, one.size) for one in newest.read()]


async def test_it_follows_every_writer(tmp_path: Path) -> None:
    newest = NewestCheckpoints(tmp_path)
    assert newest.read() == []
    one, two = bench(tmp_path, "a").log(), bench(tmp_path, "b").log()
    await one.open()
    assert sizes(newest) == [("acme/a", 2)]
    await two.open()
    await one.durable(one.append(CHANGE, Outcome.DONE))
    assert sizes(newest) == sizes(newest) == [("acme/a", 4), ("acme/b", 2)]
    for number in range(60):
        one.append(CHANGE, Outcome.DONE, body={"what": f"{number} ".ljust(100, "x")})
    await one.close()
    await two.close()
    assert len(segments(tmp_path / "a")) > 1
    (first, size), (_, other) = sizes(newest)
    assert (first, size > 60, other) == ("acme/a", True, 4)


async def test_a_checkpoint_leaves_only_once_it_is_on_the_disk(tmp_path: Path, monkeypatch: Any) -> None:
    log = bench(tmp_path, "a").log()
    await log.open()
    log.append(CHANGE, Outcome.DONE)
    synced: list[int] = []
    really = os.fsync

    def noted(fd: int) -> None:
        synced.append(os.fstat(fd).st_ino)
        really(fd)

    monkeypatch.setattr(os, "fsync", noted)
    newest = NewestCheckpoints(tmp_path)
    newest.read()
    newest.read()
    assert synced == [segments(tmp_path / "a")[-1].stat().st_ino]
    await log.close()


async def test_a_segment_without_one_leaves_the_one_before(tmp_path: Path) -> None:
    log = bench(tmp_path, "a").log()
    await log.open()
    await log.close()
    newest = NewestCheckpoints(tmp_path)
    before = sizes(newest)
    (tmp_path / "a" / f"{99:020d}.ndjson").write_bytes(b'{"header":{}}\n{"checkpoint":"rubbish"}\n')
    assert sizes(newest) == before == sizes(NewestCheckpoints(tmp_path))


def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        NewestCheckpoints(tmp_path / "none").read()


async def test_a_file_that_goes_in_this_instant_is_left_for_the_next_look(tmp_path: Path, monkeypatch: Any) -> None:
    for name in ("a", "b"):
        log = bench(tmp_path, name).log()
        await log.open()
        await log.close()
    newest = NewestCheckpoints(tmp_path)
    really = segments
    gone = tmp_path / "a" / "gone.ndjson"
    with monkeypatch.context() as patch:
        patch.setattr(module, "segments", lambda path: [gone] if path.name == "a" else really(path))
        assert [one.origin for one in newest.read()] == ["acme/b"]
    assert [one.origin for one in newest.read()] == ["acme/a", "acme/b"]
