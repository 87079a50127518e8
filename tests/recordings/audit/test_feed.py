"""Claims about a log as a stream: every record once, whatever happens to its files meanwhile."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recordings.audit.cursor import Place
from recordings.audit.encode import encode, rfc3339
from recordings.audit.feed import Feed, _signed_end
from recordings.audit.record import Outcome, RecordType
from recordings.audit.sealing import seal
from recordings.audit.segment_files import remove
from recordings.audit.segments import segment_name, segments
from tests.recordings.audit.conftest import Bench

NOW = 1_700_000_000.0


def line(seq: int) -> bytes:
    return encode({"v": 1, "seq": seq, "id": f"id-{seq}", "time": rfc3339(NOW + seq), "type": "x"})


def seqs(feed: Feed) -> list[int]:
    return [fed.record["seq"] for fed in feed.more()]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(["write", "write", "rotate", "read", "stop", "seal", "tear"]), max_size=25))
def test_nothing_is_left_out_or_comes_twice(tmp_path_factory: Any, steps: list[str]) -> None:
    """`stop`: reading is broken off after one record, and goes on from its place."""
    root = tmp_path_factory.mktemp("log")
    writer = root / "node-0"
    writer.mkdir()
    path = writer / segment_name(1, 0)
    path.write_bytes(encode({"header": {}}))
    written, torn, places = 0, False, {}
    found: list[int] = []
    for step in [*steps, "read"]:
        if step == "write":
            written += 1
            with path.open("ab") as file:
                file.write(line(written)[9:] if torn else line(written))
            torn = False
        elif step == "tear" and not torn:
            with path.open("ab") as file:
                file.write(line(written + 1)[:9])
            torn = True
        elif step == "rotate" and not torn:
            path = writer / segment_name(
                written + 1, len([p for p in segments(writer) if f"{written + 1:020d}" in p.name])
            )
            path.write_bytes(encode({"header": {}}))
        elif step == "seal":
            paths = segments(writer)
            for one, following in pairwise(paths):
                if one.suffix != ".zst":
                    seal(one, following)
        elif step in ("read", "stop"):
            feed = Feed(root, places)
            for fed in feed.more():
                assert fed.lost == 0
                found.append(fed.record["seq"])
                if step == "stop":
                    break
            places = dict(feed.places)
    assert found == list(range(1, written + 1))


async def test_only_what_is_signed_is_given(signed: Bench) -> None:
    log = signed.log()
    await log.open()
    await log.durable(log.append(RecordType.CONFIG_CHANGE, Outcome.DONE, body={"what": "signed"}))
    feed = Feed(signed.directory.parent)
    assert [fed.record["type"] for fed in feed.more()] == ["log.start", "config.change"]
    seq = log.append(RecordType.CONFIG_CHANGE, Outcome.DONE, body={"what": "not yet"})
    assert list(feed.more()) == []
    await log.durable(seq)
    assert seqs(feed) == [seq]
    await log.close()
    assert [fed.record["type"] for fed in feed.more()] == ["log.stop"]


def test_what_was_removed_unread_is_counted(tmp_path: Path) -> None:
    writer = tmp_path / "node-0"
    writer.mkdir()
    for first in (1, 4, 7):
        data = encode({"header": {}}) + b"".join(map(line, range(first, first + 3)))
        (writer / segment_name(first, 0)).write_bytes(data)
    feed = Feed(tmp_path)
    first = next(feed.more())
    assert (first.writer, first.place.seq, first.lost) == ("node-0", 1, 0)
    for one in (1, 4):
        path = writer / segment_name(one, 0)
        seal(path, writer / segment_name(7, 0))
        remove(writer, path.name)
    assert [(fed.place.seq, fed.lost) for fed in feed.more()] == [(7, 5), (8, 0), (9, 0)]


def test_lines_that_cannot_be_read_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / segment_name(1, 0)
    odd = b'\x00\n[]\n{"type":"x"}\n{"seq":9}\n{"type":"x","seq":"9"}\n'
    path.write_bytes(encode({"header": {}}) + line(1) + odd + line(2))
    assert seqs(Feed(tmp_path)) == [1, 2]


async def test_a_place_is_the_end_of_its_records_line(signed: Bench) -> None:
    log = signed.log()
    await log.open()
    for number in range(5):
        await log.durable(log.append(RecordType.CONFIG_CHANGE, Outcome.DONE, body={"what": f"change {number}"}))
    await log.close()
    found = list(Feed(signed.directory.parent).more())
    data = {path.name: path.read_bytes() for path in segments(signed.directory)}
    for fed in found:
        before = data[segment_name(fed.place.segment, fed.place.attempt)][: fed.place.byte]
        assert before.endswith(b"\n" + encode(fed.record))
    assert [fed.record["seq"] for fed in found] == [one["seq"] for one in signed.records()]


async def test_the_unsigned_end_moves_with_where_one_stands(signed: Bench) -> None:
    """From anywhere in the open segment, what is behind its last checkpoint is not given."""
    log = signed.log()
    await log.open()
    for number in range(3):
        await log.durable(log.append(RecordType.CONFIG_CHANGE, Outcome.DONE, body={"what": f"change {number}"}))
    log.append(RecordType.CONFIG_CHANGE, Outcome.DONE, body={"what": "not signed"})
    everything = list(Feed(signed.directory.parent).more())
    assert [fed.record["seq"] for fed in everything] == [1, 2, 3, 4]
    for number, fed in enumerate(everything, 1):
        later = Feed(signed.directory.parent, {signed.directory.name: fed.place})
        assert [one.record["seq"] for one in later.more()] == [1, 2, 3, 4][number:]
    await log.close()
    (path,) = segments(signed.directory)
    assert _signed_end(path, 0, path.stat().st_size) == path.stat().st_size


def test_sealed_segments_from_before_are_passed_over_only_where_nothing_was_read(tmp_path: Path) -> None:
    writer = tmp_path / "node-0"
    writer.mkdir()
    for first in (1, 4, 7):
        data = encode({"header": {}}) + b"".join(map(line, range(first, first + 3)))
        (writer / segment_name(first, 0)).write_bytes(data)
    for first in (1, 4):
        seal(writer / segment_name(first, 0), writer / segment_name(7, 0))
    since = rfc3339(NOW + 5)
    assert seqs(Feed(tmp_path, since=since)) == [4, 5, 6, 7, 8, 9]
    read = next(Feed(tmp_path).more())
    assert seqs(Feed(tmp_path, {"node-0": read.place}, since)) == list(range(2, 10))
    assert seqs(Feed(tmp_path, {"node-0": Place(7, 0, 0, 6)})) == [7, 8, 9]
