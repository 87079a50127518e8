"""Claims about a writer's files: names, order, and complete lines however they fall on blocks."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.audit import segments as module
from recordings.audit.segments import backwards, complete, forwards, segment_name, segment_number, segments, writers

LINES = st.lists(st.binary(min_size=1, max_size=12).map(lambda raw: raw.replace(b"\n", b".")), max_size=12)


@pytest.fixture
def block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", 5)


@pytest.mark.usefixtures("block")
def test_complete_lines_are_read_the_same_from_both_ends(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("log") / "file"

    @given(LINES, st.binary(max_size=12).map(lambda raw: raw.replace(b"\n", b".")))
    def claim(lines: list[bytes], torn: bytes) -> None:
        whole = b"".join(line + b"\n" for line in lines)
        path.write_bytes(whole + torn)
        assert complete(path) == len(whole)
        assert list(forwards(path)) == lines
        assert list(backwards(path)) == lines[::-1]
        for cut in range(len(lines) + 1):
            end = len(b"".join(line + b"\n" for line in lines[:cut]))
            assert list(forwards(path, end)) == lines[cut:]
            assert list(forwards(path, 0, end)) == lines[:cut]
            assert list(backwards(path, end)) == lines[:cut][::-1]

    claim()


@given(st.integers(1, 10**20 - 1), st.integers(0, 10**9 - 1))
def test_a_name_gives_its_number_back(first: int, attempt: int) -> None:
    assert segment_number(segment_name(first, attempt)) == (first, attempt)


@pytest.mark.parametrize("name", ["lock", "keys", "1.ndjson", f"{1:020d}.ndjson.zst", f"{1:020d}-x.ndjson", ""])
def test_other_files_are_no_segments(name: str) -> None:
    assert segment_number(name) is None


def test_a_second_attempt_comes_after_the_first_and_before_the_next_number(tmp_path: Path) -> None:
    names = [segment_name(1, 0), segment_name(5, 0), segment_name(5, 1), segment_name(5, 10), segment_name(6, 0)]
    for name in [*names[::-1], "lock"]:
        (tmp_path / name).touch()
    assert [path.name for path in segments(tmp_path)] == names


def test_a_directory_of_writers_or_one_writers_own(tmp_path: Path) -> None:
    for writer in ("b", "a"):
        (tmp_path / writer).mkdir()
        (tmp_path / writer / segment_name(1, 0)).touch()
    (tmp_path / "note").touch()
    assert writers(tmp_path) == [tmp_path / "a", tmp_path / "b"]
    assert writers(tmp_path / "a") == [tmp_path / "a"]
