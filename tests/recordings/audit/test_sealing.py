"""Claims about sealing: the same bytes, and the whole segment in one form at least wherever it is cut off."""

from __future__ import annotations

import os
import shutil
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recordings.audit import sealing
from recordings.audit.manifest import manifest_of, manifest_path
from recordings.audit.record import Outcome, RecordType
from recordings.audit.sealing import SETTLE_SECONDS, ready, seal
from recordings.audit.segment_header import parse_header
from recordings.audit.segments import forwards, is_sealed, segments
from recordings.audit.stored import SealedError, sealed_path
from recordings.audit.verify import verify
from tests.recordings.audit.conftest import ROOT, Bench


@pytest.fixture
async def log(signed: Bench) -> Path:
    """A signed log of several segments, and then a second run of it."""
    for _ in range(2):
        log = signed.log()
        await log.open()
        for number in range(40):
            seq = log.append(RecordType.CONFIG_CHANGE, Outcome.DONE, body={"what": f"change {number}"})
            await log.durable(seq)
        await log.close()
    assert len(segments(signed.directory)) > 3
    return signed.directory


def lines(directory: Path) -> list[bytes]:
    return [line for path in segments(directory) for line in forwards(path)]


def seal_all(directory: Path) -> None:
    for path, following in ready(directory, later(directory)):
        seal(path, following)


def later(directory: Path) -> float:
    return max(path.stat().st_mtime for path in segments(directory)) + SETTLE_SECONDS


async def test_everything_but_the_newest_segment_is_sealed_and_reads_as_before(log: Path) -> None:
    before, names = lines(log), [path.name for path in segments(log)]
    seal_all(log)
    assert [path.name for path in segments(log)] == [*(name + ".zst" for name in names[:-1]), names[-1]]
    assert lines(log) == before
    assert ready(log, later(log)) == []


async def test_a_segment_of_many_frames_is_sealed_like_one_of_one(log: Path, monkeypatch: Any) -> None:
    before = lines(log)
    monkeypatch.setattr(sealing, "FRAME_BYTES", 700)
    seal_all(log)
    assert lines(log) == before
    assert [one.findings for one in verify(log.parent, ROOT.public)] == [[]]


async def test_a_sealed_log_verifies_and_goes_on(log: Path, signed: Bench) -> None:
    seal_all(log)
    assert [one.findings for one in verify(log.parent, ROOT.public)] == [[]]
    again = signed.log()
    await again.open()
    await again.durable(again.append(RecordType.CONFIG_CHANGE, Outcome.DONE, body={"what": "more"}))
    await again.close()
    seal_all(log)
    (verdict,) = verify(log.parent, ROOT.public)
    assert verdict.is_whole
    assert verdict.records == len([line for line in lines(log) if line.startswith(b'{"v"')])


async def test_a_changed_byte_in_a_sealed_segment_is_found(log: Path) -> None:
    seal_all(log)
    path = segments(log)[1]
    whole = sealing.Summary()
    data = b"".join(line + b"\n" for line in forwards(path)).replace(b"change 1", b"change 2", 1)
    whole.add(data)
    packer = sealing.Packer()
    path.write_bytes(packer.add(data) + packer.end())
    (verdict,) = verify(log.parent, ROOT.public)
    assert not verdict.is_whole
    assert verdict.findings[0].place.startswith(path.name)


async def test_the_manifest_says_what_is_in_it(log: Path) -> None:
    path, following = ready(log, later(log))[1]
    data = path.read_bytes()
    header = parse_header(next(forwards(following)))
    manifest = seal(path, following)
    assert manifest == manifest_of(path)
    records = [line for line in data.split(b"\n") if line.startswith(b'{"v"')]
    assert (manifest.first_seq, manifest.last_seq) == (
        int(path.name[:20]),
        int(path.name[:20]) + len(records) - 1,
    )
    assert (manifest.lines, manifest.records, manifest.length) == (data.count(b"\n"), len(records), len(data))
    assert (manifest.origin, manifest.size) == ("acme/audit/node-0", header.size)
    assert manifest.start == manifest.size - manifest.lines > 0
    assert manifest.root == b64encode(header.tree.root()).decode()
    assert manifest.writer == "node-0"


async def test_a_segment_that_was_written_to_a_moment_ago_is_left_alone(log: Path) -> None:
    newest = max(path.stat().st_mtime for path in segments(log)[:-1])
    assert ready(log, newest - 1) == []
    for path in segments(log)[:-1]:
        os.utime(path, (newest, newest))
    assert ready(log, newest + SETTLE_SECONDS - 0.1) == []
    assert len(ready(log, newest + SETTLE_SECONDS)) == len(segments(log)) - 1


async def test_a_segment_that_is_written_to_meanwhile_stays_as_it_is(log: Path, monkeypatch: Any) -> None:
    path, following = ready(log, later(log))[0]
    data = path.read_bytes()
    read_back = sealing._read_back

    def writing(*given: Any) -> None:
        read_back(*given)
        with path.open("ab") as file:
            file.write(b"more\n")

    monkeypatch.setattr(sealing, "_read_back", writing)
    with pytest.raises(SealedError, match="written to"):
        seal(path, following)
    assert path.read_bytes() == data + b"more\n"
    assert not sealed_path(path).exists()


async def test_what_cannot_be_read_back_does_not_replace_the_segment(log: Path, monkeypatch: Any) -> None:
    path, following = ready(log, later(log))[0]
    data = path.read_bytes()
    monkeypatch.setattr(sealing.Packer, "add", lambda self, block: Packer_add(self, block[:-1] + b"?"))
    with pytest.raises(SealedError, match="read back"):
        seal(path, following)
    assert path.read_bytes() == data
    assert not sealed_path(path).exists()


Packer_add = sealing.Packer.add


class CutError(BaseException):
    """The process dies here."""


async def test_cut_off_at_any_step_the_segment_is_there_and_the_next_run_seals_it(
    log: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    """Every call that changes the disk is cut before and after it."""
    before = lines(log)
    steps = [
        (sealing, "make"),
        (sealing, "finish"),
        (sealing, "_read_back"),
        (sealing, "place"),
        (sealing, "write"),
        (Path, "unlink"),
        (sealing, "sync_directory"),
    ]
    for number, (owner, name) in enumerate(steps):
        for is_after in (False, True) if name != "make" else (False,):
            copy = tmp_path / f"cut-{number}-{is_after}" / log.name
            shutil.copytree(log, copy)
            path, following = ready(copy, later(copy))[1]
            with monkeypatch.context() as patch:
                patch.setattr(owner, name, dying(getattr(owner, name), is_after=is_after))
                with pytest.raises(CutError):
                    seal(path, following)
            assert lines(copy) == before, (name, is_after)
            seal_all(copy)
            assert lines(copy) == before, (name, is_after)
            assert all(is_sealed(path) and manifest_path(path).exists() for path in segments(copy)[:-1])


def dying(call: Callable[..., Any], *, is_after: bool) -> Callable[..., Any]:
    def cut(*given: Any, **named: Any) -> Any:
        if is_after:
            call(*given, **named)
        raise CutError

    return cut
