"""Claims about a log that signs: whatever happened to it, what it holds verifies, and nothing is taken for signed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recordings.audit.checkpoint import PREFIX
from recordings.audit.disk import RealDisk
from recordings.audit.keyring import Keyring
from recordings.audit.log import AuditLog, LogSettings
from recordings.audit.notary import Notary
from recordings.audit.note import Ed25519Signer, PublicKey
from recordings.audit.record import Outcome, RecordType
from recordings.audit.root_key import load_or_create_root_key
from recordings.audit.segment_header import parse_header
from recordings.audit.segments import forwards, segments
from recordings.audit.verdict import Kind, Verdict
from recordings.audit.verify import verify
from recordings.errors import LogUnavailableError
from tests.recordings.audit.failing_disk import FailingDisk

ROOT = Ed25519Signer.of("acme/audit-root", Ed25519PrivateKey.from_private_bytes(bytes(32)))
CHANGE = RecordType.CONFIG_CHANGE


def verdict(bench: Any) -> Verdict:
    (one,) = verify(bench.directory, ROOT.public)
    return one


def stored(bench: Any) -> list[bytes]:
    return [line for path in segments(bench.directory) for line in forwards(path)]


async def test_what_is_durable_is_signed(signed: Any) -> None:
    log = signed.log()
    await log.open()
    for _ in range(5):
        await log.durable(log.append(CHANGE, Outcome.DONE))
        assert stored(signed)[-1].startswith(PREFIX)
        assert verdict(signed).is_whole
    await log.close()
    assert verdict(signed).is_whole


async def test_those_who_wait_together_share_one_checkpoint(signed: Any) -> None:
    log = signed.log()
    await log.open()
    before = sum(line.startswith(PREFIX) for line in stored(signed))
    seqs = [log.append(CHANGE, Outcome.DONE) for _ in range(10)]
    await asyncio.gather(*(log.durable(seq) for seq in seqs))
    assert sum(line.startswith(PREFIX) for line in stored(signed)) == before + 1
    await log.close()


async def test_what_nobody_waits_for_is_signed_all_the_same(signed: Any, until: Any) -> None:
    log = signed.log()
    await log.open()
    log.append(CHANGE, Outcome.DONE)
    assert not stored(signed)[-1].startswith(PREFIX)
    await until(lambda: stored(signed)[-1].startswith(PREFIX))
    assert verdict(signed).is_whole
    await log.close()


async def test_an_idle_log_writes_no_checkpoints(signed: Any, until: Any) -> None:
    log = signed.log()
    await log.open()
    await log.durable(log.append(CHANGE, Outcome.DONE))
    before = stored(signed)
    await log.durable(2)
    log._sync_tick()
    await until(lambda: log._sync is None)
    assert stored(signed) == before
    await log.close()


async def test_each_segment_ends_signed_and_its_private_key_is_gone(signed: Any, until: Any) -> None:
    log = signed.log()
    await log.open()
    for number in range(60):
        log.append(CHANGE, Outcome.DONE, body={"what": f"{number} ".ljust(100, "x")})
    await log.durable(61)
    paths = segments(signed.directory)
    assert len(paths) > 2
    assert all(path.stat().st_size <= signed.segment_bytes for path in paths)
    assert all(list(forwards(path))[-1].startswith(PREFIX) for path in paths)
    await until(lambda: len(list(signed.directory.glob("*.key"))) == 1)
    await log.close()
    assert verdict(signed).is_whole
    assert verdict(signed).notices == []


async def test_a_sealed_segment_is_on_the_disk_before_the_next_one_begins(signed: Any) -> None:
    log = signed.log()
    await log.open()
    while len(segments(signed.directory)) < 2:
        log.append(CHANGE, Outcome.DONE, body={"what": "x" * 100})
    first = segments(signed.directory)[0]
    assert signed.disk.safe[first] == first.stat().st_size
    await log.close()


async def test_a_start_takes_over_what_a_killed_process_left_unsigned_and_says_so(signed: Any) -> None:
    log = signed.log()
    await log.open()
    await log.durable(log.append(CHANGE, Outcome.DONE))
    for _ in range(3):
        log.append(CHANGE, Outcome.DONE)
    await log._abandon()  # the process is gone; nothing more is written
    assert [one.kind for one in verdict(signed).findings] == [Kind.UNSIGNED]
    with segments(signed.directory)[0].open("ab") as file:
        file.write(b'{"v":1,"seq":6,"torn')
    again = signed.log()
    await again.open()
    await again.close()
    assert [one["seq"] for one in signed.records()] == [1, 2, 3, 4, 5, 6, 7, 8]
    recovered = signed.records()[5]["body"]
    assert (recovered["unsigned_lines"], recovered["cut_bytes"], "segment_missing" in recovered) == (3, 20, False)
    assert verdict(signed).is_whole
    (notice,) = verdict(signed).notices
    assert notice.startswith(f"{6:020d}.ndjson: this start put {1:020d}.ndjson in order: 20 bytes of an unfinished ")
    assert notice.endswith("line were cut, 3 lines that nobody had signed were taken over")


async def test_a_log_that_ended_in_order_has_nothing_to_take_over(signed: Any) -> None:
    for _ in range(3):
        log = signed.log()
        await log.open()
        await log.close()
    assert [one["type"] for one in signed.records()] == ["log.start", "log.stop"] * 3
    assert verdict(signed).is_whole


async def test_damage_that_was_there_at_a_start_is_still_found(signed: Any) -> None:
    log = signed.log()
    await log.open()
    await log.durable(log.append(CHANGE, Outcome.DONE))
    await log.close()
    path = segments(signed.directory)[0]
    path.write_bytes(path.read_bytes().replace(b'"seq":2', b'"seq":\xff'))
    again = signed.log()
    await again.open()
    await again.close()
    (finding,) = verdict(signed).findings
    assert (finding.file, finding.kind) == (path.name, Kind.ALTERED)
    assert finding.message.endswith("is the first that is odd")
    following = segments(signed.directory)[1]
    assert parse_header(next(forwards(following))).size == len(list(forwards(path)))


async def test_a_start_without_the_newest_segment_says_so(signed: Any) -> None:
    for _ in range(2):
        log = signed.log()
        await log.open()
        await log.close()
    segments(signed.directory)[-1].unlink()
    assert not verdict(signed).is_whole
    again = signed.log()
    await again.open()
    await again.close()
    assert [one["body"].get("segment_missing") for one in signed.records() if one["type"] == "log.recovered"] == [True]
    assert "the newest segment was not there" in verdict(signed).notices[-1]


async def test_a_log_that_lost_lines_does_not_start(signed: Any) -> None:
    for _ in range(2):
        log = signed.log()
        await log.open()
        await log.close()
    first, second = segments(signed.directory)
    second.unlink()
    first.write_bytes(b"".join(line + b"\n" for line in list(forwards(first))[:-1]))
    with pytest.raises(LogUnavailableError, match="lines are missing; restore them, or move the directory away"):
        await signed.log().open()


async def test_a_log_of_another_root_key_does_not_start(signed: Any) -> None:
    log = signed.log()
    await log.open()
    await log.close()
    signed.origin = "acme/audit/other"
    with pytest.raises(LogUnavailableError, match="speaks of acme/audit/node-0, and this log is acme/audit/other"):
        await signed.log().open()


async def test_a_segment_whose_header_is_damaged_is_gone_on_from_all_the_same(signed: Any) -> None:
    for _ in range(2):
        log = signed.log()
        await log.open()
        await log.close()
    path = segments(signed.directory)[-1]
    path.write_bytes(path.read_bytes().replace(b'"frontier":["', b'"frontier":["?', 1))
    again = signed.log()
    await again.open()
    await again.close()
    assert [(one.file, one.first_line) for one in verdict(signed).findings] == [(path.name, 1)]


async def test_half_a_line_of_a_segment_that_was_given_up_is_told_and_no_finding(signed: Any, until: Any) -> None:
    log = signed.log()
    await log.open()
    await log.durable(log.append(CHANGE, Outcome.DONE))
    signed.disk.fail_at = {len(signed.disk.calls): "short"}
    with pytest.raises(LogUnavailableError):
        log.append(CHANGE, Outcome.DONE)
    await until(lambda: log.available)
    await log.close()
    assert verdict(signed).is_whole
    (notice,) = verdict(signed).notices
    assert "half a line, which is no part of the log; the segment was given up: the audit log in" in notice


@pytest.mark.parametrize(("lost", "is_whole"), [(1, True), (3, True), (4, False)])
async def test_lines_that_a_failed_sync_lost_are_told_and_none_that_was_confirmed_is_excused_with_them(
    signed: Any, until: Any, lost: int, is_whole: bool
) -> None:
    """Behind the last confirmed checkpoint stand two records and their checkpoint; then comes the confirmed one."""
    log = signed.log()
    await log.open()
    await log.durable(log.append(CHANGE, Outcome.DONE))
    await log.durable(log.append(CHANGE, Outcome.DONE))
    signed.disk.always = {"sync"}
    log.append(CHANGE, Outcome.DONE)
    with pytest.raises(LogUnavailableError):
        await log.durable(log.append(CHANGE, Outcome.DONE))
    signed.disk.always = set()
    await until(lambda: log.available)
    await log.close()
    assert verdict(signed).is_whole
    given_up = segments(signed.directory)[0]
    kept = list(forwards(given_up))[: -lost - (lost == 4)]  # with the confirmed checkpoint, its record
    given_up.write_bytes(b"".join(line + b"\n" for line in kept))
    found = verdict(signed)
    assert found.is_whole == is_whole
    if is_whole:
        assert f"{given_up.name}: lines " in found.notices[0]
        assert "never got to the disk, and nobody was told that they had; the segment was given up" in found.notices[0]
    else:
        assert {one.kind for one in found.findings} == {Kind.MISSING}


async def test_a_checkpoint_that_cannot_be_written_refuses_who_waits(signed: Any, until: Any) -> None:
    log = signed.log()
    await log.open()
    seq = log.append(CHANGE, Outcome.DONE)
    signed.disk.fail_at = {len(signed.disk.calls): "ENOSPC"}
    with pytest.raises(LogUnavailableError, match="No space left"):
        await log.durable(seq)
    await until(lambda: log.available)
    await log.close()
    assert verdict(signed).is_whole


# -- every call fails once


def a_log(directory: Path, disk: RealDisk) -> AuditLog:
    return AuditLog(
        LogSettings(directory, "w", segment_bytes=2_500, sync_seconds=0.001, retry_seconds=0.001),
        loop=asyncio.get_running_loop(),
        clock=lambda: 1_700_000_000.0,
        mono=lambda: 0.0,
        new_id=lambda: "id",
        boot="b",
        disk=disk,
        notary=Notary(Keyring(directory, "acme/audit/w", ROOT)),
    )


async def some_work(log: AuditLog) -> list[int]:
    acked = []
    for number in range(8):
        try:
            log.append(CHANGE, Outcome.DONE, body={"what": "x" * 100})
            seq = log.append(CHANGE, Outcome.DONE, body={"what": number})
            await log.durable(seq)
            acked.append(seq)
        except LogUnavailableError:
            async with asyncio.timeout(5):
                while not log.available:
                    await asyncio.sleep(0.001)
    return acked


@pytest.mark.parametrize(("kind", "first"), [("EIO", 0), ("ENOSPC", 1), ("short", 2)])
@pytest.mark.parametrize("killed", [False, True], ids=["ends-in-order", "is-killed"])
async def test_a_log_is_whole_wherever_one_call_fails(tmp_path: Path, kind: str, first: int, killed: bool) -> None:
    """Every third call in each way, so that in all ways together every call is met."""
    disk = FailingDisk(-1, "")
    log = a_log(tmp_path / "model", disk)
    await log.open()
    await some_work(log)
    count = disk.count
    await log.close()
    assert count > 40
    for at in range(first, count, 3):
        directory, disk = tmp_path / f"{at}", FailingDisk(at, kind)
        log = a_log(directory, disk)
        try:
            await log.open()
        except LogUnavailableError:
            log = a_log(directory, disk)
            await log.open()
        acked = await some_work(log)
        if killed:
            await log._abandon()
            log = a_log(directory, RealDisk())
            await log.open()
        await log.close()
        (one,) = verify(directory, ROOT.public)
        assert one.findings == [], f"call {at}"
        found = b"\n".join(line for path in segments(directory) for line in forwards(path))
        assert all(b'"seq":%d,' % seq in found for seq in acked)


@pytest.mark.parametrize("records", [0, 1, 4, 9, 10, 11, 12, 13, 25, 40])
async def test_after_a_power_cut_at_any_place_the_log_goes_on_whole(signed: Any, records: int) -> None:
    """What no sync has confirmed is gone, and with it no segment that has a successor has lost a line."""
    log = signed.log()
    await log.open()
    for number in range(records):
        log.append(CHANGE, Outcome.DONE, body={"what": f"{number} ".ljust(200, "x")})
    await asyncio.sleep(0)
    await log._abandon()
    for path, size in signed.disk.safe.items():
        if path.exists():
            os.truncate(path, size)
    again = signed.log()
    await again.open()
    await again.close()
    assert verdict(signed).findings == []
    seqs = [one["seq"] for one in signed.records()]
    assert seqs == list(range(1, len(seqs) + 1))


WRITER = """
import asyncio, sys, time
from pathlib import Path
from recordings.audit.keyring import Keyring
from recordings.audit.log import AuditLog, LogSettings
from recordings.audit.notary import Notary
from recordings.audit.record import Outcome, RecordType
from recordings.audit.root_key import load_or_create_root_key

async def main():
    directory = Path(sys.argv[1])
    root = load_or_create_root_key(directory / "root", "acme/audit-root")
    log = AuditLog(LogSettings(directory / "w", "w", segment_bytes=6_000), loop=asyncio.get_running_loop(),
                   clock=time.time, mono=time.monotonic, new_id=lambda: "i", boot="b",
                   notary=Notary(Keyring(directory / "w", "acme/audit/w", root)))
    await log.open()
    while True:
        log.append(RecordType.CONFIG_CHANGE, Outcome.DONE)
        seq = log.append(RecordType.CONFIG_CHANGE, Outcome.DONE)
        await log.durable(seq)
        sys.stdout.write(f"{seq}\\n")
        sys.stdout.flush()

asyncio.run(main())
"""


def test_a_writer_that_is_killed_again_and_again_leaves_a_whole_log(tmp_path: Path) -> None:
    for lines in (1, 2, 9, 40, 3):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        ) as writer:
            assert writer.stdout is not None
            for _ in range(lines):
                seq = int(writer.stdout.readline())
            writer.kill()
        found = b"\n".join(line for path in segments(tmp_path / "w") for line in forwards(path))
        assert b'"seq":%d,' % seq in found
    key = (tmp_path / "root.pub").read_text().strip()
    asyncio.run(_open_and_close(tmp_path))
    (one,) = verify(tmp_path / "w", PublicKey.parse(key))
    assert one.findings == []
    assert one.segments >= 6


async def _open_and_close(tmp_path: Path) -> None:
    root = load_or_create_root_key(tmp_path / "root", "acme/audit-root")
    log = AuditLog(
        LogSettings(tmp_path / "w", "w", segment_bytes=6_000),
        loop=asyncio.get_running_loop(),
        clock=lambda: 4_000_000_000.0,
        mono=lambda: 0.0,
        new_id=lambda: "i",
        boot="b",
        notary=Notary(Keyring(tmp_path / "w", "acme/audit/w", root)),
    )
    await log.open()
    await log.close()
