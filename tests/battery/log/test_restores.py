"""Backups that are put back: older ones, parts, another node's.

The verifier says so, also after a server has started on what was restored and gone on writing; or the server refuses to
start. What no checkpoint that was kept elsewhere speaks of can be lost: the log then says itself that something may be.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from recordings.audit.keys_file import KEYS
from recordings.audit.record import Outcome, RecordType
from recordings.audit.segments import forwards, segments
from recordings.audit.verify import verify
from recordings.errors import LogUnavailableError
from tests.battery.log.tamper import ROOT, Files, Log, a_log, all_lines, joined, names, parts_of, written


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    return written(tmp_path_factory.mktemp("true"))


def older(log: Log, lines: int, *, with_keys_of_today: bool) -> Files:
    """A backup of when the log had so many lines."""
    files: Files = {}
    left = lines
    for name in names(log.files):
        parts = parts_of(log.files[name])[:left]
        left -= len(parts)
        if parts:
            files[name] = joined(parts)
    keys = parts_of(log.files[KEYS])
    return {**files, KEYS: joined(keys if with_keys_of_today else keys[: len(files)])}


def without(log: Log, segment: str) -> Files:
    return {name: data for name, data in log.files.items() if name != segment}


def restores(log: Log) -> Iterator[tuple[str, Files]]:
    """What somebody may have put back, by what it is called."""
    true, every = log.files, names(log.files)
    keys = parts_of(true[KEYS])
    for number, name in enumerate(every):
        parts = parts_of(true[name])
        if name != every[-1]:
            yield f"segment {number} is missing", without(log, name)
        yield f"segment {number} is another node's", {**true, name: log.other[names(log.other)[number]]}
        if number < len(every) - 1:
            yield f"segment {number} is of an older backup", {**true, name: joined(parts[: len(parts) // 2])}
            swapped = {name: true[every[number + 1]], every[number + 1]: true[name]}
            yield f"segments {number} and {number + 1} were exchanged", {**true, **swapped}
    for lines in range(2, log.anchored, max(1, log.anchored // 12)):
        yield f"the log of line {lines}", older(log, lines, with_keys_of_today=False)
        yield f"the log of line {lines}, with today's keys", older(log, lines, with_keys_of_today=True)
    yield "no keys", {name: true[name] for name in every}
    yield "empty keys", {**true, KEYS: b""}
    yield "the first keys alone", {**true, KEYS: joined(keys[:1])}
    yield "the last keys alone", {**true, KEYS: joined(keys[-1:])}
    yield "another node's keys", {**true, KEYS: log.other[KEYS]}
    yield "another node's log", log.other


def restored(directory: Path, files: Files) -> Path:
    directory.mkdir()
    for name, data in files.items():
        (directory / name).write_bytes(data)
    return directory


def is_called_whole(log: Log, directory: Path) -> bool:
    return all(one.is_whole for one in verify(directory, ROOT.public, [log.anchor]))


async def a_server_goes_on(directory: Path) -> None:
    made = a_log(directory, origin="acme/node-0")
    await made.open()
    for number in range(4):
        await made.durable(made.append(RecordType.CONFIG_CHANGE, Outcome.DONE, body={"what": f"after {number}"}))
    await made.close()


def test_whatever_backup_is_put_back_is_refused_or_found_also_once_a_server_has_gone_on_from_it(
    log: Log, tmp_path: Path
) -> None:
    unseen, refused, count = [], 0, 0
    for count, (what, files) in enumerate(restores(log), 1):
        directory = restored(tmp_path / f"{count}", files)
        if is_called_whole(log, directory):
            unseen.append(what)
        try:
            asyncio.run(a_server_goes_on(directory))
        except LogUnavailableError:
            refused += 1
        if is_called_whole(log, directory):
            unseen.append(f"{what}, and a server went on")
    assert unseen == []
    assert count >= 40
    assert 0 < refused < count


def test_a_newest_segment_that_is_gone_behind_every_kept_checkpoint_is_doubted_by_the_log_itself(
    log: Log, tmp_path: Path
) -> None:
    files = without(log, names(log.files)[-1])
    assert len(all_lines(files)) > log.anchored
    directory = restored(tmp_path / "node-0", files)
    assert not is_called_whole(log, directory)
    asyncio.run(a_server_goes_on(directory))
    assert is_called_whole(log, directory)
    records = [json.loads(line) for path in segments(directory) for line in forwards(path)]
    doubts = [one["body"]["segment_missing"] for one in records if one.get("type") == RecordType.LOG_RECOVERED]
    assert doubts == [True]
