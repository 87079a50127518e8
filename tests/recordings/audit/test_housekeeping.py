"""Claims about a round over the files of a log."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from recordings.audit.encode import encode, rfc3339
from recordings.audit.housekeeping import housekeep
from recordings.audit.manifest import manifest_of, manifest_path
from recordings.audit.parquet import parquet_path
from recordings.audit.segments import is_sealed, segment_name, segments

NOW = 1_700_000_000.0


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Two writers of three segments each."""
    for writer in ("node-0", "node-1"):
        for seq in (1, 2, 3):
            path = tmp_path / writer / segment_name(seq, 0)
            path.parent.mkdir(exist_ok=True)
            line = encode({"seq": seq, "id": "x", "time": rfc3339(NOW), "type": "log.start"})
            path.write_bytes(encode({"header": {}}) + line)
            os.utime(path, (NOW, NOW))
    return tmp_path


def test_a_round_seals_and_makes_parquet_and_the_next_has_nothing_to_do(log: Path) -> None:
    done = housekeep(log, NOW + 3600)
    names = [f"node-{writer}/{segment_name(seq, 0)}" for writer in (0, 1) for seq in (1, 2)]
    assert sorted(done.sealed) == names
    assert sorted(done.parquet) == [name.replace(".ndjson", ".parquet") for name in names]
    assert done.problems == []
    assert [is_sealed(path) for path in segments(log / "node-0")] == [True, True, False]
    again = housekeep(log, NOW + 3600)
    assert (again.sealed, again.parquet, again.problems) == ([], [], [])


def test_what_can_be_made_again_is(log: Path) -> None:
    housekeep(log, NOW + 3600)
    sealed = segments(log / "node-0")[0]
    before = manifest_of(sealed)
    manifest_path(sealed).unlink()
    parquet_path(sealed).unlink()
    (log / "node-0" / ".cut-off.tmp").touch()
    (log / "node-0" / "00000000000000000009.parquet").touch()
    done = housekeep(log, NOW + 3600)
    assert (done.sealed, done.parquet) == ([], [f"node-0/{parquet_path(sealed).name}"])
    assert manifest_of(sealed) == before
    assert sorted(path.name for path in (log / "node-0").iterdir()) == sorted(
        path.name for path in (log / "node-1").iterdir()
    )


def test_without_duckdb_segments_are_sealed_all_the_same(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recordings.audit.housekeeping.is_possible", lambda: False)
    done = housekeep(log, NOW + 3600)
    assert (len(done.sealed), done.parquet, done.problems) == (4, [], [])


def test_one_file_that_fails_is_told_and_keeps_no_other_from_being_sealed(log: Path) -> None:
    first = segments(log / "node-0")[0]
    (log / "node-0" / f".{first.name}.zst.tmp").mkdir()
    done = housekeep(log, NOW + 3600)
    assert len(done.sealed) == 3
    assert any(str(first) in problem for problem in done.problems)
    assert first.exists()
