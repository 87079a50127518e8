"""Claims about what a record over the cap was: nothing of it is lost, from a byte to 64 MiB (A8)."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import zstandard

from recordings.audit.blobs import BlobError, find, keep
from recordings.audit.encode import MAX_LINE_BYTES, decode, encode_whole
from recordings.audit.record import Outcome, RecordType
from recordings.audit.segment_files import remove
from recordings.audit.segments import segment_name, segments
from recordings.audit.verify import verify
from tests.recordings.audit.conftest import ROOT, Bench

DIGEST = sha256(b"whole\n").hexdigest()


@pytest.fixture
def writer(tmp_path: Path) -> Path:
    writer = tmp_path / "node-0"
    writer.mkdir()
    (writer / segment_name(1, 0)).touch()
    return writer


@pytest.mark.parametrize("size", [1, MAX_LINE_BYTES - 100, MAX_LINE_BYTES, 3 << 20, 64 << 20])
def test_whatever_its_size_a_record_is_whole_somewhere(writer: Path, size: int) -> None:
    record = {"v": 1, "seq": 1, "id": "x", "body": {"text": "a" * size}}
    line, whole = encode_whole(record)
    assert len(line) <= MAX_LINE_BYTES
    if whole is None:
        assert decode(line) == record
        return
    keep(writer / segment_name(1, 0), whole)
    cut = decode(line)
    assert (cut["encoding"], cut["bytes"], cut["seq"]) == ("cut", len(whole), 1)
    assert decode(find(writer.parent, cut["blob"])) == record


async def test_the_log_keeps_it_beside_the_segment_and_verifies(signed: Bench) -> None:
    log = signed.log()
    await log.open()
    body = {"text": "b" * (2 * MAX_LINE_BYTES)}
    seq = log.append(RecordType.CONFIG_CHANGE, Outcome.DONE, body=body)
    await log.durable(seq)
    await log.close()
    (record,) = [one for one in signed.records() if one["seq"] == seq]
    assert json.loads(find(signed.directory, record["blob"]))["body"] == body
    (path,) = signed.directory.glob("*.blob-*")
    assert any(
        path.name.startswith(f"{segment.name.partition('.')[0]}.blob-") for segment in segments(signed.directory)
    )
    assert path.stat().st_mode & 0o777 == 0o600
    assert verify(signed.directory, ROOT.public)[0].is_whole


async def test_a_blob_that_cannot_be_kept_makes_the_log_unavailable(signed: Bench, monkeypatch: Any) -> None:
    log = signed.log()
    await log.open()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("recordings.audit.log.keep", full)
    with pytest.raises(Exception, match="No space left on device"):
        log.append(RecordType.CONFIG_CHANGE, Outcome.DONE, body={"text": "b" * (2 * MAX_LINE_BYTES)})
    monkeypatch.undo()
    await log.close()


def test_what_is_not_what_its_name_says_is_refused(writer: Path) -> None:
    path = keep(writer / segment_name(1, 0), b"whole\n")
    assert find(writer.parent, DIGEST) == b"whole\n"
    good = path.read_bytes()
    for bad in (good[:-1], b"", zstandard.ZstdCompressor().compress(b"other\n")):
        path.write_bytes(bad)
        with pytest.raises(BlobError):
            find(writer.parent, DIGEST)


def test_a_bomb_is_not_unpacked(writer: Path) -> None:
    path = keep(writer / segment_name(1, 0), b"whole\n")
    packer = zstandard.ZstdCompressor().compressobj(size=1 << 40)
    path.write_bytes(packer.compress(bytes(1 << 20)) + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))
    with pytest.raises(BlobError, match="more than"):
        find(writer.parent, DIGEST)


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "A" * 64, "*" * 64])
def test_only_a_digest_names_one(writer: Path, digest: str) -> None:
    with pytest.raises(BlobError, match="64 hexadecimal"):
        find(writer.parent, digest)


def test_it_goes_with_its_segment(writer: Path) -> None:
    keep(writer / segment_name(1, 0), b"whole\n")
    remove(writer, segment_name(1, 0))
    with pytest.raises(BlobError, match="goes with its segment"):
        find(writer.parent, DIGEST)
