"""Claims about a writer's files: names, order, and complete lines however they fall on blocks."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.audit import segments as module
from recordings.audit.segments import (
    backwards,
    complete,
    forwards,
    is_sealed,
    length,
    segment_name,
    segment_number,
    segments,
    writers,
)
from recordings.audit.stored import Packer

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


@pytest.mark.parametrize("name", ["lock", "keys", "1.ndjson", f"{1:020d}.ndjson.zst.tmp", f"{1:020d}-x.ndjson", ""])
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


@pytest.mark.usefixtures("block")
def test_a_sealed_segment_reads_as_the_plain_one(tmp_path: Path) -> None:
    data = b"".join(b"%d" % number * (number % 7) + b"\n" for number in range(60)) + b"torn"
    plain, sealed = tmp_path / segment_name(1, 0), tmp_path / (segment_name(2, 0) + ".zst")
    plain.write_bytes(data)
    packer = Packer()
    sealed.write_bytes(b"".join(packer.add(data[at : at + 11]) for at in range(0, len(data), 11)) + packer.end())
    assert (length(sealed), complete(sealed)) == (len(data), complete(plain))
    assert list(backwards(sealed)) == list(backwards(plain))
    for start in (0, 3, 11, 12, len(data) - 1, len(data)):
        for end in (None, 13, len(data)):
            assert list(forwards(sealed, start, end)) == list(forwards(plain, start, end))


def test_a_segment_is_read_once_and_plain_as_long_as_that_is_there(tmp_path: Path) -> None:
    first, second = segment_name(1, 0), segment_name(2, 0)
    for name in (first, first + ".zst", second + ".zst"):
        (tmp_path / name).touch()
    assert [path.name for path in segments(tmp_path)] == [first, second + ".zst"]
    assert [is_sealed(path) for path in segments(tmp_path)] == [False, True]


def test_whoever_has_the_plain_path_reads_on_when_it_was_sealed_meanwhile(tmp_path: Path) -> None:
    packer = Packer()
    (tmp_path / (segment_name(1, 0) + ".zst")).write_bytes(packer.add(b"a\nb\n") + packer.end())
    assert list(forwards(tmp_path / segment_name(1, 0))) == [b"a", b"b"]
    with pytest.raises(FileNotFoundError):
        list(forwards(tmp_path / segment_name(2, 0)))
