"""Claims about the files of a sealed segment."""

from __future__ import annotations

from pathlib import Path

import pytest

from recordings.audit.encode import encode, rfc3339
from recordings.audit.manifest import manifest_of
from recordings.audit.sealing import seal
from recordings.audit.segment_files import kept, remove, sweep
from recordings.audit.segments import segment_name, segments

FIRST, SECOND, THIRD = segment_name(1, 0), segment_name(3, 0), segment_name(3, 1)


@pytest.fixture
def writer(tmp_path: Path) -> Path:
    """Two sealed segments and an open one."""
    writer = tmp_path / "node-0"
    writer.mkdir()
    for name in (FIRST, SECOND, THIRD):
        line = encode({"seq": 1, "id": "x", "time": rfc3339(1_700_000_000.0), "type": "log.start"})
        (writer / name).write_bytes(encode({"header": {}}) + line)
    for name in (FIRST, SECOND):
        seal(writer / name, writer / THIRD)
    (writer / "00000000000000000001.parquet").write_bytes(b"p" * 50)
    (writer / "00000000000000000001.blob-ab").write_bytes(b"b" * 7)
    (writer / "keys").write_bytes(b"k" * 3)
    return writer


def test_what_is_kept_and_how_much_the_rest_takes(writer: Path) -> None:
    found, others = kept(writer.parent)
    sizes = {path.name: path.stat().st_size for path in writer.iterdir()}
    first = sum(size for name, size in sizes.items() if name.startswith("00000000000000000001."))
    assert [(one.manifest.segment, one.stored) for one in found] == [
        (FIRST, first),
        (SECOND, sum(size for name, size in sizes.items() if name.startswith("00000000000000000003."))),
    ]
    assert others == 3 + sizes[THIRD]
    second = writer.parent / "node-1"
    second.mkdir()
    (second / FIRST).write_bytes(b"x" * 1000)
    assert kept(writer.parent) == (found, others + 1000)


def test_a_removed_segment_leaves_nothing_and_takes_nothing_else(writer: Path) -> None:
    before = {path.name for path in writer.iterdir()}
    remove(writer, FIRST)
    assert before - {path.name for path in writer.iterdir()} == {
        name for name in before if name.startswith("00000000000000000001.")
    }
    remove(writer, FIRST)
    assert [path.name for path in segments(writer)] == [SECOND + ".zst", THIRD]


@pytest.mark.parametrize("name", ["keys", "../node-1/" + FIRST, FIRST + ".zst", "", "lock"])
def test_only_a_segment_can_be_removed(writer: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no segment"):
        remove(writer, name)


def test_a_manifest_of_another_segment_makes_nothing_removable(writer: Path) -> None:
    path = writer / "00000000000000000003.manifest.json"
    path.write_bytes((writer / "00000000000000000001.manifest.json").read_bytes())
    found, _ = kept(writer.parent)
    assert [one.manifest.segment for one in found] == [FIRST]


def test_what_belongs_to_no_segment_is_swept(writer: Path) -> None:
    (writer / (FIRST + ".zst")).unlink()
    sweep(writer)
    names = {path.name for path in writer.iterdir()}
    assert names == {
        SECOND + ".zst",
        "00000000000000000003.manifest.json",
        THIRD,
        "keys",
    }
    assert manifest_of(writer / SECOND) is not None
