"""How far an export is behind: by what its cursor says and what the segments hold, whatever became of either."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from recordings.audit import cursor as cursors
from recordings.audit.encode import encode, rfc3339
from recordings.audit.export_lag import BEHIND, CAUGHT_UP, ExportLag, lag_of
from recordings.audit.feed import Feed
from recordings.audit.sealing import seal
from recordings.audit.segment_files import remove
from recordings.audit.segments import segment_name, segments

NOW = 1_700_000_000.0


def line(seq: int) -> bytes:
    return encode({"v": 1, "seq": seq, "id": f"id-{seq}", "time": rfc3339(NOW + seq), "type": "x"})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Ten records of one writer in two segments, a second apart; the first segment is sealed."""
    writer = tmp_path / "audit" / "node-0"
    writer.mkdir(parents=True)
    for first in (1, 6):
        lines = [encode({"header": {}}), *(line(seq) for seq in range(first, first + 5))]
        (writer / segment_name(first, 0)).write_bytes(b"".join(lines))
    seal(*segments(writer))
    return tmp_path / "audit"


def exported(root: Path, count: int) -> Path:
    """The cursor of an export that read so many records."""
    feed, path = Feed(root), root.parent / "cursor"
    more = feed.more()
    for _ in range(count):
        next(more)
    cursors.save(path, feed.places)
    return path


@pytest.mark.parametrize("count", range(1, 11))
def test_it_is_the_age_of_the_first_record_that_was_not_read(root, count):
    expected = ExportLag()
    if count < 10:
        name = segment_name(1 if count < 5 else 6, 0)
        segment = f"node-0/{name}.zst" if count < 5 else f"node-0/{name}"
        expected = ExportLag(100.0 - (count + 1), segment)
    assert lag_of(root, exported(root, count), NOW + 100) == expected


def test_of_several_writers_the_one_that_is_furthest_behind_counts(root):
    cursor = exported(root, 10)
    other = root / "node-1"
    other.mkdir()
    (other / segment_name(1, 0)).write_bytes(encode({"header": {}}) + line(3))
    assert lag_of(root, cursor, NOW + 60) == ExportLag(57.0, f"node-1/{segment_name(1, 0)}")


def test_what_was_removed_unread_is_counted(root):
    cursor = exported(root, 3)
    remove(root / "node-0", segment_name(1, 0))
    lag = lag_of(root, cursor, NOW + 10)
    assert lag == ExportLag(4.0, f"node-0/{segment_name(6, 0)}", lost=2)
    assert lag.state(300) == BEHIND


@pytest.mark.parametrize(
    ("content", "cause"), [(None, "did not begin"), (b"{}", "cannot be read"), (b"\xff", "cannot be read")]
)
def test_without_a_cursor_that_can_be_read_the_lag_is_that_of_the_whole_log(root, content, cause):
    path = root.parent / "cursor"
    if content is not None:
        path.write_bytes(content)
    lag = lag_of(root, path, NOW + 10)
    assert cause in lag.cause
    assert replace(lag, cause="") == ExportLag(9.0, f"node-0/{segment_name(1, 0)}.zst")
    assert lag.state(300) == BEHIND


def test_lines_that_are_no_records_are_passed_over(root):
    cursor = exported(root, 10)
    path = root / "node-0" / segment_name(6, 0)
    with path.open("ab") as file:
        file.write(b"not json\n" + encode({"type": "x", "seq": 11, "time": "never"}) + line(12)[:-5])
    assert lag_of(root, cursor, NOW + 60) == ExportLag()


def test_a_record_says_what_the_operator_has_to_know():
    lag = ExportLag(400.0, "node-0/a", 7, "why")
    assert lag.body("siem", 300, 1_000) == {
        "export": "siem",
        "state": BEHIND,
        "seconds": 400,
        "limit": 300,
        "segment": "node-0/a",
        "retention_seconds": 600,
        "lost": 7,
        "cause": "why",
    }
    assert ExportLag(299.0, "node-0/a").body("siem", 300, None) == {
        "export": "siem",
        "state": CAUGHT_UP,
        "seconds": 299,
        "limit": 300,
        "segment": "node-0/a",
    }
