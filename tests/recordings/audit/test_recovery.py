"""Claims about putting a writer's directory in order: whatever a crash left, at whatever byte it came."""

from __future__ import annotations

import os
import shutil
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from recordings.audit import recovery
from recordings.audit.checkpoint import PREFIX
from recordings.audit.disk import RealDisk
from recordings.audit.encode import encode
from recordings.audit.merkle import Tree
from recordings.audit.record import Outcome, RecordType
from recordings.audit.recovery import intent_key, recover
from recordings.audit.segments import forwards, segments
from recordings.audit.verify import verify
from recordings.errors import LogUnavailableError
from tests.recordings.audit.conftest import ROOT, Bench

REQUEST = RecordType.KUBE_REQUEST


def tree_of(directory: Path) -> Tree:
    tree = Tree()
    for path in segments(directory):
        tree.extend(forwards(path))
    return tree


def test_an_empty_directory_has_nothing_to_put_in_order(tmp_path: Path) -> None:
    assert recover(tmp_path) == recovery.Recovered()


async def test_at_whatever_byte_a_crash_comes_the_next_start_goes_on_whole(signed: Bench, tmp_path: Path) -> None:
    """Every byte behind the first checkpoint, as a power cut could leave it."""
    log = signed.log()
    await log.open()
    for number in range(2):
        event = {"auditID": f"request-{number}"}
        await log.durable(log.append(REQUEST, Outcome.INTENT, event=event))
        log.append(REQUEST, Outcome.DONE, event=event)
    await log.close()
    (path,) = segments(signed.directory)
    data, lines = path.read_bytes(), list(forwards(path))
    first = data.index(PREFIX)
    first += data[first:].index(b"\n") + 1
    ends = [len(b"\n".join(lines[: count + 1])) + 1 for count in range(len(lines))]
    keys = {one.name: one.read_bytes() for one in signed.directory.iterdir() if one != path and one.name != "lock"}
    for cut in range(first, len(data), 3):
        again = Bench(tmp_path / f"{cut}", is_signed=True, segment_bytes=6_000)
        again.directory.mkdir()
        for name, content in keys.items():
            (again.directory / name).write_bytes(content)
            (again.directory / name).chmod(0o600)
        (again.directory / path.name).write_bytes(data[:cut])
        log = again.log()
        await log.open()
        await log.close()
        (verdict,) = verify(again.directory, ROOT.public)
        assert verdict.is_whole, f"cut at {cut}"
        kept = max(end for end in ends if end <= cut)
        assert (again.directory / path.name).read_bytes() == data[:kept]
        records = again.records()
        assert [one["seq"] for one in records] == list(range(1, len(records) + 1))
        begun = [one["event"]["auditID"] for one in records if one["outcome"] == "intent"]
        ended = [one["event"]["auditID"] for one in records if "event" in one and one["outcome"] != "intent"]
        assert sorted(begun) == sorted(ended)
        said = [one["body"] for one in records if one["type"] == "log.recovered"]
        assert [one["cut_bytes"] for one in said] in ([], [cut - kept])
        shutil.rmtree(again.directory)


async def test_what_the_last_checkpoint_holds_for_is_not_looked_at_line_by_line(
    signed: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = signed.log()
    await log.open()
    for _ in range(20):
        seq = log.append(RecordType.CONFIG_CHANGE, Outcome.DONE)
    await log.durable(seq)
    log.append(RecordType.CONFIG_CHANGE, Outcome.DONE)
    await log._abandon()
    looked: list[bytes] = []
    read = recovery._read

    def noted(line: bytes) -> Any:
        looked.append(line)
        return read(line)

    monkeypatch.setattr(recovery, "_read", noted)
    found = recover(signed.directory)
    assert len(looked) < 10
    assert (found.last_seq, found.unsigned_lines, found.damaged_lines) == (22, 1, 0)
    assert found.last_time.startswith("2023-")
    assert found.tree is not None
    wanted = tree_of(signed.directory)
    assert (found.tree.size, found.tree.frontier) == (wanted.size, wanted.frontier)


async def test_a_damaged_line_before_the_last_checkpoint_is_counted(signed: Bench) -> None:
    log = signed.log()
    await log.open()
    await log.durable(log.append(RecordType.CONFIG_CHANGE, Outcome.DONE))
    await log.close()
    (path,) = segments(signed.directory)
    path.write_bytes(path.read_bytes().replace(b'"seq":2', b'"seq":\xff'))
    found = recover(signed.directory)
    assert (found.damaged_lines, found.last_seq, found.cut_bytes) == (1, 3, 0)
    assert found.tree is not None
    wanted = tree_of(signed.directory)
    assert (found.tree.size, found.tree.frontier) == (wanted.size, wanted.frontier)


async def test_only_segments_in_which_an_open_intent_can_be_are_read(
    signed: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = signed.log()
    await log.open()
    looked: list[str] = []
    collect = recovery._collect

    def noted(path: Path, found: recovery.Recovered) -> None:
        looked.append(path.name)
        collect(path, found)

    monkeypatch.setattr(recovery, "_collect", noted)

    async def fill(segments_more: int) -> None:
        wanted = len(segments(signed.directory)) + segments_more
        while len(segments(signed.directory)) < wanted:
            log.append(RecordType.CONFIG_CHANGE, Outcome.DONE, body={"what": "x" * 200})
        await log.durable(log._ledger.written)

    def opened() -> set[str]:
        looked.clear()
        return set(recover(signed.directory).open_intents)

    def newest(count: int) -> list[str]:
        return [path.name for path in segments(signed.directory)[-count:]]

    await fill(3)
    assert (opened(), looked) == (set(), newest(1))
    log.append(REQUEST, Outcome.INTENT, event={"auditID": "a"})
    assert (opened(), looked) == ({"a"}, newest(1))
    await fill(2)
    log.append(REQUEST, Outcome.INTENT, event={"auditID": "b"})
    assert (opened(), looked) == ({"a", "b"}, newest(3))
    log.append(REQUEST, Outcome.DONE, event={"auditID": "a"})
    assert opened() == {"b"}
    await fill(1)
    assert (opened(), looked) == ({"b"}, newest(2))
    log.append(REQUEST, Outcome.DONE, event={"auditID": "b"})
    await fill(1)
    assert (opened(), looked) == (set(), newest(1))
    await log._abandon()


async def test_after_a_failure_headers_say_nothing_of_intents_and_the_whole_run_is_read(
    signed: Bench, until: Any
) -> None:
    log = signed.log()
    await log.open()
    await log.durable(log.append(REQUEST, Outcome.INTENT, event={"auditID": "a"}))
    log.append(REQUEST, Outcome.DONE, event={"auditID": "a"})
    signed.disk.always = {"sync"}
    log._sync_tick()
    await until(lambda: not log.available)
    signed.disk.always = set()
    await until(lambda: log.available)
    await log._abandon()
    headers = [one["header"] for one in signed.lines() if "header" in one]
    assert ["open_from" in one for one in headers] == [False, False]
    assert recovery._last_run(segments(signed.directory)) == segments(signed.directory)


@pytest.mark.parametrize(
    ("header", "count"),
    [
        ({"start": False, "open_from": 0}, 1),
        ({"start": False, "open_from": 25}, 2),
        ({"start": False, "open_from": 1}, 3),
        ({"start": False, "open_from": None}, 3),
        ({"start": False, "open_from": "0"}, 3),
        ({"start": False}, 3),
        ({"start": True, "open_from": 0}, 3),
        ([], 3),
    ],
)
def test_where_a_header_does_not_say_it_every_segment_is_read(tmp_path: Path, header: object, count: int) -> None:
    for number in (1, 20):
        (tmp_path / f"{number:020d}.ndjson").write_bytes(b'{"header":{"start":false}}\n')
    (tmp_path / f"{30:020d}.ndjson").write_bytes(encode({"header": header}))
    assert recovery._last_run(segments(tmp_path)) == segments(tmp_path)[-count:]


def test_intents_are_ended_by_the_event_of_their_audit_id_or_by_their_own_id(tmp_path: Path) -> None:
    def line(seq: int, record_id: str, outcome: str, event: dict[str, str] | None = None) -> bytes:
        record = {"v": 1, "seq": seq, "id": record_id, "type": "kube.request", "outcome": outcome}
        return encode(record | ({"event": event} if event is not None else {}))

    lines = [
        encode({"header": {"first_seq": 1}}),
        line(1, "one", "intent"),
        line(2, "two", "intent", {"auditID": "a"}),
        line(3, "three", "intent", {"auditID": "b"}),
        line(4, "a", "started", {"auditID": "b"}),
        line(5, "a", "done", {"auditID": "a"}),
        line(6, "four", "intent"),
        line(7, "one", "failed"),
        b'{"seq":8,"outcome":"intent","id":"bro\n',
    ]
    (tmp_path / f"{1:020d}.ndjson").write_bytes(b"".join(lines) + line(9, "four", "done")[:-1])
    found = recover(tmp_path)
    assert [intent_key(one) for one in found.open_intents.values()] == ["b", "four"]
    assert (found.last_seq, found.tree) == (7, None)


@pytest.mark.parametrize("block", [1, 7, 64, 1000])
def test_intents_are_found_over_the_borders_of_blocks(tmp_path: Path, monkeypatch: Any, block: int) -> None:
    intent = {"seq": 1, "id": "one", "type": "kube.request", "outcome": "intent"}
    other = {"seq": 2, "id": "two", "type": "kube.request", "outcome": "intent"}
    end = {"seq": 3, "id": "one", "type": "kube.request", "outcome": "done"}
    (tmp_path / f"{1:020d}.ndjson").write_bytes(b'{"header":{}}\n' + encode(intent) + encode(other) + encode(end))
    monkeypatch.setattr(recovery, "BLOCK_BYTES", block)
    assert list(recover(tmp_path).open_intents) == ["two"]


async def test_segments_that_were_given_up_are_written_once_more_too(
    signed: Bench, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    again: list[str] = []
    write_again = recovery._write_again

    def noted(path: Path, end: int) -> None:
        again.append(path.name)
        write_again(path, end)

    monkeypatch.setattr(recovery, "_write_again", noted)
    log = signed.log()
    await log.open()
    log.append(RecordType.CONFIG_CHANGE, Outcome.DONE)
    signed.disk.always = {"sync"}
    log._sync_tick()
    await until(lambda: not log.available)
    signed.disk.always = set()
    await until(lambda: log.available)
    await log.durable(log.append(RecordType.CONFIG_CHANGE, Outcome.DONE))
    await log._abandon()
    first, second = (path.name for path in segments(signed.directory))
    recover(signed.directory)
    assert again == [second, first]
    again.clear()
    log = signed.log()
    await log.open()
    await log.close()
    again.clear()
    recover(signed.directory)
    assert len(again) == 1


def test_what_may_be_in_the_kernels_memory_alone_is_written_and_synced_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"{1:020d}.ndjson"
    path.write_bytes(data := b'{"header":{}}\n{"seq":1}\n{"seq":2}\ntorn')
    calls: list[tuple[str, int, bytes]] = []
    pwrite, fsync = os.pwrite, os.fsync

    def written(fd: int, block: bytes, at: int) -> int:
        calls.append(("write", at, bytes(block)))
        return pwrite(fd, block, at)

    def synced(fd: int) -> None:
        calls.append(("sync", 0, b""))
        fsync(fd)

    monkeypatch.setattr(os, "pwrite", written)
    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(recovery, "WRITTEN_AGAIN_BYTES", 15)
    assert recover(tmp_path).cut_bytes == 4
    good = data[:-4]
    assert path.read_bytes() == good
    assert calls[-2:] == [("write", len(good) - 15, good[-15:]), ("sync", 0, b"")]


async def test_what_a_killed_process_had_reserved_is_given_back_by_the_next_start(bench: Bench) -> None:
    """Or a server that dies again and again would fill the disk, a segment's length each time."""
    bench.segment_bytes = 8 << 20
    log = bench.log()
    await log.open()
    (path,) = segments(bench.directory)
    if path.stat().st_blocks * 512 < bench.segment_bytes:
        pytest.skip("this file system reserves nothing")
    size = path.stat().st_size
    copy = bench.directory / "as-a-kill-left-it"
    path.rename(copy)  # closing it would give the space back
    await log._abandon()
    with copy.open("r+b") as file:
        RealDisk().reserve(file.fileno(), 0, bench.segment_bytes)
    copy.rename(path)
    assert path.stat().st_blocks * 512 >= bench.segment_bytes
    recover(bench.directory)
    assert path.stat().st_size == size
    assert path.stat().st_blocks * 512 <= size + recovery.UNRESERVED_BYTES


async def test_a_torn_segment_that_the_log_had_no_time_to_name_is_cut_and_named_by_the_next_start(
    signed: Bench, until: Callable[[Callable[[], bool]], Awaitable[None]]
) -> None:
    log = signed.log()
    await log.open()
    calls = len(signed.disk.calls)
    signed.disk.fail_at = {calls: "short", calls + 5: "short"}  # the record; open, reserve, header, directory; why
    with pytest.raises(LogUnavailableError):
        log.append(REQUEST, Outcome.INTENT, event={"auditID": "torn"})
    await until(lambda: len(signed.disk.calls) > calls + 5)
    await log._abandon()
    first = segments(signed.directory)[0]
    torn = first.read_bytes().rpartition(b"\n")[2]
    assert torn
    log = signed.log()
    await log.open()
    await log.close()
    (verdict,) = verify(signed.directory, ROOT.public)
    assert verdict.findings == []
    (recovered,) = [one for one in signed.records() if one["type"] == RecordType.LOG_RECOVERED]
    assert recovered["body"]["given_up"] == [
        {"segment": first.name, "cut_bytes": len(torn), "cut_sha256": sha256(torn).hexdigest()}
    ]
