"""Claims about the writer: order, durability, rotation, failure, and a start after a crash."""

from __future__ import annotations

import asyncio
import os
import stat
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from recordings.audit.encode import rfc3339
from recordings.audit.log import AuditLog
from recordings.audit.record import Outcome, RecordType
from recordings.audit.segments import segments
from recordings.errors import LogUnavailableError

REQUEST = RecordType.KUBE_REQUEST


def intent(log: AuditLog, audit_id: str) -> int:
    event = {"auditID": audit_id, "stage": "RequestReceived", "verb": "delete"}
    return log.append(REQUEST, Outcome.INTENT, cluster="prod", login="l", event=event)


def outcome(log: AuditLog, audit_id: str, how: Outcome = Outcome.DONE) -> int:
    return log.append(REQUEST, how, cluster="prod", event={"auditID": audit_id, "stage": "ResponseComplete"})


async def test_records_are_whole_lines_in_order_behind_a_header(bench) -> None:
    log = bench.log()
    await log.open()
    seq = log.append(RecordType.USER_LOGIN, Outcome.DONE, actor={"username": "ada"}, login="l", body={"connector": "c"})
    assert seq == 2
    await log.close()
    header, start, login, stop = bench.lines()
    now = rfc3339(bench.now)
    assert header == {
        "header": {"v": 1, "writer": "node-0", "boot": "boot", "first_seq": 1, "start": True, "time": now}
    }
    assert start["body"] == {"writer": "node-0", "format": 1}
    assert login == {
        "v": 1,
        "seq": 2,
        "id": "id-000000002",
        "time": now,
        "boot": "boot",
        "mono": bench.now,
        "type": "user.login",
        "outcome": "done",
        "actor": {"username": "ada"},
        "login": "l",
        "body": {"connector": "c"},
    }
    assert (stop["seq"], stop["type"]) == (3, "log.stop")


async def test_a_record_whose_members_are_encoded_already_is_the_same_line(bench) -> None:
    log = bench.log()
    await log.open()
    event = {"auditID": "a1", "stage": "ResponseComplete"}
    members = b'"cluster":"prod","event":{"auditID":"a1","stage":"ResponseComplete"}}\n'
    first = log.append(REQUEST, Outcome.DONE, cluster="prod", event=event)
    second = log.append_encoded(REQUEST, Outcome.DONE, members, now=bench.now, time=rfc3339(bench.now))
    await log.durable(second)
    _, one, other = bench.records()
    assert (first, second) == (2, 3)
    assert {**one, "seq": 3, "id": "id-000000003"} == other
    assert list(one) == list(other)
    await log.close()


async def test_an_encoded_record_is_refused_while_the_log_cannot_be_written(bench) -> None:
    log = bench.log()
    with pytest.raises(LogUnavailableError):
        log.append_encoded(REQUEST, Outcome.DONE, b'"cluster":"prod"}\n', now=bench.now, time=rfc3339(bench.now))


async def test_an_encoded_record_sees_a_clock_that_stepped_back(bench) -> None:
    log = bench.log()
    await log.open()
    before = bench.now
    log.append(REQUEST, Outcome.DONE, event={"auditID": "a1"})
    bench.now -= 2.0
    log.append_encoded(REQUEST, Outcome.DONE, b'"cluster":"prod"}\n', now=bench.now, time=rfc3339(bench.now))
    await log.close()
    assert [one["type"] for one in bench.records()] == [
        "log.start",
        "kube.request",
        "log.clock",
        "kube.request",
        "log.stop",
    ]
    assert bench.records()[2]["body"] == {"from": rfc3339(before), "to": rfc3339(bench.now)}


async def test_the_directory_is_0700_and_files_are_0600(bench) -> None:
    log = bench.log()
    await log.open()
    assert stat.S_IMODE(bench.directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in bench.directory.iterdir()} == {0o600}
    await log.close()


async def test_a_line_is_in_the_file_when_append_returns(bench) -> None:
    log = bench.log()
    await log.open()
    log.append(RecordType.CONFIG_CHANGE, Outcome.DONE)
    assert [one["seq"] for one in bench.records()] == [1, 2]
    await log.close()


async def test_those_who_wait_together_share_one_sync(bench) -> None:
    log = bench.log()
    await log.open()
    before = bench.disk.calls.count("sync")
    seqs = [log.append(RecordType.CONFIG_CHANGE, Outcome.DONE) for _ in range(50)]
    await asyncio.gather(*(log.durable(seq) for seq in seqs))
    assert bench.disk.calls.count("sync") == before + 1
    await log.durable(seqs[0])
    assert bench.disk.calls.count("sync") == before + 1
    await log.close()


async def test_what_nobody_waits_for_is_synced_all_the_same(bench, until) -> None:
    log = bench.log()
    await log.open()
    log.append(RecordType.CONFIG_CHANGE, Outcome.DONE)
    await until(lambda: bench.disk.safe[segments(bench.directory)[-1]] == segments(bench.directory)[-1].stat().st_size)
    await log.close()


async def test_a_second_writer_of_one_directory_is_refused(bench) -> None:
    log = bench.log()
    await log.open()
    with pytest.raises(LogUnavailableError, match=r"another process writes .* stop it, or give this one its own"):
        await bench.log().open()
    log.append(RecordType.CONFIG_CHANGE, Outcome.DONE)
    await log.close()
    again = bench.log()
    await again.open()
    await again.close()


async def test_a_closed_log_takes_nothing(bench) -> None:
    log = bench.log()
    with pytest.raises(LogUnavailableError, match="not open"):
        log.append(RecordType.CONFIG_CHANGE, Outcome.DONE)
    await log.open()
    await log.close()
    assert not log.available
    with pytest.raises(LogUnavailableError, match="closed"):
        log.append(RecordType.CONFIG_CHANGE, Outcome.DONE)


async def test_a_full_segment_is_followed_by_the_next_and_no_number_is_lost(bench) -> None:
    bench.segment_bytes = 600
    log = bench.log()
    await log.open()
    for _ in range(9):
        log.append(RecordType.CONFIG_CHANGE, Outcome.DONE, body={"what": "x"})
    await log.durable(10)
    await log.close()
    paths = segments(bench.directory)
    assert len(paths) > 3
    assert all(path.stat().st_size <= 600 for path in paths)
    assert [one["seq"] for one in bench.records()] == list(range(1, 12))
    firsts = [line["header"] for line in bench.lines() if "header" in line]
    assert [path.name for path in paths] == [f"{one['first_seq']:020d}.ndjson" for one in firsts]
    assert [one["start"] for one in firsts] == [True] + [False] * (len(paths) - 1)


async def test_an_old_segment_is_followed_by_the_next(bench) -> None:
    bench.segment_seconds = 60.0
    log = bench.log()
    await log.open()
    bench.now += 61.0
    log.append(RecordType.CONFIG_CHANGE, Outcome.DONE)
    await log.close()
    assert [path.name for path in segments(bench.directory)] == [f"{1:020d}.ndjson", f"{2:020d}.ndjson"]


async def test_space_is_reserved_while_open_and_given_back(bench) -> None:
    log = bench.log()
    await log.open()
    path = segments(bench.directory)[0]
    assert path.stat().st_size < 1000
    await log.close()
    assert path.stat().st_blocks * 512 <= 8192


async def test_after_a_failed_sync_who_waits_is_refused_and_a_new_segment_says_why(bench, until) -> None:
    log = bench.log()
    await log.open()
    bench.disk.fail_at = {len(bench.disk.calls) + 1: "EIO"}
    seq = log.append(RecordType.USER_LOGIN, Outcome.DONE)
    with pytest.raises(LogUnavailableError, match="Input/output error"):
        await log.durable(seq)
    assert not log.available
    assert "Input/output error" in log.cause
    await until(lambda: log.available)
    with pytest.raises(LogUnavailableError):
        await log.durable(seq)  # a later sync that succeeds says nothing about it
    await log.durable(log.append(RecordType.USER_LOGIN, Outcome.DONE))
    await log.close()
    suspect = next(one for one in bench.records() if one["type"] == "log.suspect")
    assert suspect["outcome"] == "failed"
    assert suspect["body"] == {
        "segment": f"{1:020d}.ndjson",
        "cause": f"the audit log in {bench.directory} cannot be written (Input/output error)",
        "from_seq": 2,
        "to_seq": 2,
    }
    assert [one["seq"] for one in bench.records()] == [1, 2, 3, 4, 5]


async def test_an_intent_whose_wait_failed_is_recorded_as_refused(bench, until) -> None:
    log = bench.log()
    await log.open()
    bench.disk.fail_at = {len(bench.disk.calls) + 1: "EIO"}
    with pytest.raises(LogUnavailableError):
        await log.durable(intent(log, "a"))
    await until(lambda: log.available)
    await log.close()
    assert bench.brief()[1:4] == [
        (2, "kube.request", "intent"),
        (3, "log.suspect", "failed"),
        (4, "kube.request", "refused"),
    ]


@pytest.mark.parametrize("fault", ["ENOSPC", "EIO", "short"])
async def test_an_outcome_that_cannot_be_written_is_written_when_space_returns(bench, until, fault: str) -> None:
    log = bench.log()
    await log.open()
    await log.durable(intent(log, "a"))
    bench.disk.fail_at = {len(bench.disk.calls): fault}
    bench.disk.always = {"reserve"}
    with pytest.raises(LogUnavailableError):
        outcome(log, "a")
    await until(lambda: "No space left on device" in log.cause)
    with pytest.raises(LogUnavailableError, match="No space left on device"):
        outcome(log, "never-begun")
    bench.disk.always = set()
    await until(lambda: log.available)
    await log.close()
    assert bench.brief()[1:4] == [
        (2, "kube.request", "intent"),
        (3, "log.suspect", "failed"),
        (4, "kube.request", "done"),
    ]
    again = bench.log()
    await again.open()
    await again.close()
    assert "unknown-after-crash" not in [one["outcome"] for one in bench.records()]


@pytest.mark.parametrize("harm", ["unlink", "replace", "truncate"])
async def test_a_file_that_is_pulled_away_is_noticed_at_the_next_sync(bench, harm: str) -> None:
    log = bench.log()
    await log.open()
    path = segments(bench.directory)[0]
    if harm == "unlink":
        path.unlink()
    elif harm == "replace":
        copy = path.with_name("copy")
        copy.write_bytes(path.read_bytes())
        copy.rename(path)
    else:
        os.truncate(path, 10)
    with pytest.raises(LogUnavailableError, match="was removed, replaced or cut"):
        await log.durable(log.append(RecordType.CONFIG_CHANGE, Outcome.DONE))
    with pytest.raises(LogUnavailableError):
        log.append(RecordType.CONFIG_CHANGE, Outcome.DONE)
    await log.close()


async def test_a_torn_line_is_cut_and_the_cut_is_recorded(bench) -> None:
    log = bench.log()
    await log.open()
    log.append(RecordType.CONFIG_CHANGE, Outcome.DONE)
    await log.close()
    torn = b'{"v":1,"seq":4,"id":"torn'
    with segments(bench.directory)[0].open("ab") as file:
        file.write(torn)
    again = bench.log()
    await again.open()
    await again.close()
    recovered = bench.records()[3]
    assert recovered["body"] == {
        "segment": f"{1:020d}.ndjson",
        "cut_bytes": len(torn),
        "cut_sha256": sha256(torn).hexdigest(),
        "damaged_lines": 0,
        "last_seq": 3,
    }
    assert bench.brief()[3:] == [(4, "log.recovered", "done"), (5, "log.start", "done"), (6, "log.stop", "done")]


async def test_intents_without_outcome_get_one_also_over_segments(bench) -> None:
    bench.segment_bytes = 700
    log = bench.log()
    await log.open()
    for audit_id in "abc":
        intent(log, audit_id)
        outcome(log, audit_id, Outcome.STARTED)
    outcome(log, "b")
    await log.durable(log.append(RecordType.CONFIG_CHANGE, Outcome.DONE))
    assert len(segments(bench.directory)) > 2
    await log._abandon()  # the process is gone; nothing more is written
    again = bench.log()
    await again.open()
    await again.close()
    unknown = [one for one in bench.records() if one["outcome"] == "unknown-after-crash"]
    assert [(one["event"]["auditID"], one["event"]["stage"], one["cluster"], one["login"]) for one in unknown] == [
        ("a", "ResponseComplete", "prod", "l"),
        ("c", "ResponseComplete", "prod", "l"),
    ]
    third = bench.log()
    await third.open()
    await third.close()
    assert len([one for one in bench.records() if one["outcome"] == "unknown-after-crash"]) == 2


async def test_a_start_that_crashes_while_it_puts_in_order_is_finished_by_the_next(bench) -> None:
    log = bench.log()
    await log.open()
    await log.durable(intent(log, "a"))
    await log._abandon()
    bench.disk.fail_at = {len(bench.disk.calls) + 4: "EIO"}  # open, reserve, header, directory, then the first record
    with pytest.raises(LogUnavailableError):
        await bench.log().open()
    again = bench.log()
    await again.open()
    await again.close()
    assert [one[1:] for one in bench.brief()] == [
        ("log.start", "done"),
        ("kube.request", "intent"),
        ("kube.request", "unknown-after-crash"),
        ("log.start", "done"),
        ("log.stop", "done"),
    ]


async def test_a_header_that_never_got_to_the_disk_loses_no_number(bench) -> None:
    log = bench.log()
    await log.open()
    await log.close()
    (bench.directory / f"{3:020d}.ndjson").write_bytes(b'{"hea')
    again = bench.log()
    await again.open()
    await again.close()
    assert [one["seq"] for one in bench.records()] == [1, 2, 3, 4, 5]
    assert segments(bench.directory)[-1].name == f"{3:020d}-1.ndjson"


async def test_damage_before_good_records_stays_as_evidence(bench) -> None:
    log = bench.log()
    await log.open()
    for _ in range(3):
        log.append(RecordType.CONFIG_CHANGE, Outcome.DONE)
    await log.close()
    path = segments(bench.directory)[0]
    damaged = path.read_bytes().replace(b'"seq":3', b'"seq":\xff')
    path.write_bytes(damaged)
    again = bench.log()
    await again.open()
    await again.close()
    assert path.read_bytes() == damaged
    body = next(line for line in path.with_name(f"{6:020d}.ndjson").read_text().splitlines() if "recovered" in line)
    assert '"cut_bytes":0' in body
    assert '"damaged_lines":1' in body


async def test_a_clock_that_goes_back_is_a_record(bench) -> None:
    log = bench.log()
    await log.open()
    bench.now -= 0.5
    log.append(RecordType.CONFIG_CHANGE, Outcome.DONE)
    bench.now -= 5.0
    log.append(RecordType.CONFIG_CHANGE, Outcome.DONE)
    await log.close()
    assert [one["type"] for one in bench.records()] == [
        "log.start",
        "config.change",
        "log.clock",
        "config.change",
        "log.stop",
    ]
    assert bench.records()[2]["body"] == {"from": rfc3339(bench.now + 5.0), "to": rfc3339(bench.now)}


async def test_a_start_with_a_clock_behind_the_log_is_refused(bench) -> None:
    log = bench.log()
    await log.open()
    await log.close()
    bench.now -= 31.0
    with pytest.raises(LogUnavailableError, match=r"clock says .* set the clock right"):
        await bench.log().open()
    bench.now += 2.0
    again = bench.log()
    await again.open()
    await again.close()


async def test_a_cancelled_wait_harms_nobody(bench) -> None:
    log = bench.log()
    await log.open()
    seq = log.append(RecordType.CONFIG_CHANGE, Outcome.DONE)
    tasks = [asyncio.ensure_future(log.durable(seq)) for _ in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    results: list[Any] = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in results] == [type(None), asyncio.CancelledError, type(None)]
    await log.close()


async def test_a_segment_that_fails_during_a_sync_is_closed_once_and_only_after_it(bench, until) -> None:
    log = bench.log()
    await log.open()
    bench.disk.gate.clear()
    seq = log.append(RecordType.CONFIG_CHANGE, Outcome.DONE)
    waiter = asyncio.ensure_future(log.durable(seq))
    await until(lambda: bench.disk.syncing)
    bench.disk.fail_at = {len(bench.disk.calls): "EIO"}
    with pytest.raises(LogUnavailableError):
        log.append(RecordType.CONFIG_CHANGE, Outcome.DONE)
    with pytest.raises(LogUnavailableError):
        await waiter
    await until(lambda: "does not answer" in log.cause)
    assert bench.disk.closed == []
    bench.disk.gate.set()
    await until(lambda: log.available)
    assert bench.disk.closed == [segments(bench.directory)[0]]
    with pytest.raises(LogUnavailableError):
        await log.durable(seq)
    await log.close()
    assert bench.disk.closed == segments(bench.directory)


async def test_a_disk_that_does_not_answer_is_given_up_and_taken_up_again_once_it_has(bench, until) -> None:
    log = bench.log()
    await log.open()
    patient = log._settings
    log._settings = replace(patient, answer_seconds=0.01)
    bench.disk.gate.clear()
    seq = log.append(RecordType.CONFIG_CHANGE, Outcome.DONE)
    with pytest.raises(LogUnavailableError, match="the disk does not answer"):
        await log.durable(seq)
    with pytest.raises(LogUnavailableError, match="the disk does not answer"):
        log.append(RecordType.CONFIG_CHANGE, Outcome.DONE)
    assert bench.disk.closed == []
    log._settings = patient
    bench.disk.gate.set()
    await until(lambda: log.available)
    again = log.append(RecordType.CONFIG_CHANGE, Outcome.DONE)
    await log.durable(again)
    await log.close()
    suspect = [record for record in bench.records() if record["type"] == RecordType.LOG_SUSPECT]
    assert [(one["body"]["from_seq"], one["body"]["to_seq"]) for one in suspect] == [(seq, seq)]
    assert "does not answer" in suspect[0]["body"]["cause"]


async def test_what_is_written_during_a_sync_is_synced_after_it(bench, until) -> None:
    log = bench.log()
    await log.open()
    bench.disk.gate.clear()
    log.append(RecordType.CONFIG_CHANGE, Outcome.DONE)
    await until(lambda: bench.disk.syncing)
    log.append(RecordType.CONFIG_CHANGE, Outcome.DONE)
    await until(lambda: log._timer is None)
    bench.disk.gate.set()
    path = segments(bench.directory)[0]
    await until(lambda: bench.disk.safe[path] == path.stat().st_size)
    await log.close()


async def test_a_record_is_durable_only_once_the_segments_before_it_are(bench) -> None:
    bench.segment_bytes = 600
    log = bench.log()
    await log.open()
    seqs = [log.append(RecordType.CONFIG_CHANGE, Outcome.DONE, body={"what": "x"}) for _ in range(7)]
    await log.durable(seqs[-1])
    paths = segments(bench.directory)
    assert len(paths) > 2
    assert bench.disk.safe == {path: path.stat().st_size for path in paths}
    await log.close()


async def test_a_segments_name_is_on_the_disk_before_its_first_record(bench) -> None:
    log = bench.log()
    await log.open()
    assert bench.disk.calls == ["open", "reserve", "write", "sync_directory", "write", "sync"]
    await log.close()


async def test_intents_are_found_where_retention_took_the_start(bench) -> None:
    bench.segment_bytes = 700
    log = bench.log()
    await log.open()
    for number in range(3):
        log.append(RecordType.CONFIG_CHANGE, Outcome.DONE, body={"what": number})
    intent(log, "a")
    for number in range(6):
        log.append(RecordType.CONFIG_CHANGE, Outcome.DONE, body={"what": number})
    await log.durable(11)
    await log._abandon()
    segments(bench.directory)[0].unlink()
    again = bench.log()
    await again.open()
    await again.close()
    assert [one["event"]["auditID"] for one in bench.records() if one["outcome"] == "unknown-after-crash"] == ["a"]
