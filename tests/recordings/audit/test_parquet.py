"""Claims about Parquet files: the lines of a segment, whatever form that has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recordings.audit.encode import encode, rfc3339
from recordings.audit.parquet import connect, is_possible, lines_of, parquet_path, write_parquet
from recordings.audit.placing import temporary
from recordings.audit.segments import segment_name
from recordings.audit.stored import Packer
from recordings.errors import QuestionError

LINES = [
    encode({"v": 1, "seq": seq, "id": f"id-{seq}", "time": rfc3339(1_700_000_000.0 + seq), "type": "log.start"})
    for seq in range(1, 60)
]
DATA = encode({"header": {"first_seq": 1}}) + b"".join(LINES) + b'{"v":1,"seq":60,"ty'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "no'de-0" / segment_name(1, 0)
    path.parent.mkdir()
    path.write_bytes(DATA)
    return path


def rows(path: Path) -> list[Any]:
    found = connect().execute("SELECT writer, seq, line FROM read_parquet(?)", [str(parquet_path(path))]).fetchall()
    assert isinstance(found, list)
    return found


def test_it_holds_each_record_in_order_with_its_exact_line(path: Path) -> None:
    parquet_path(path).write_bytes(b"an older one")
    temporary(parquet_path(path)).write_bytes(b"cut off")
    assert write_parquet(connect(), path) == len(LINES)
    assert rows(path) == [("no'de-0", seq, line[:-1].decode()) for seq, line in enumerate(LINES, 1)]
    assert parquet_path(path).stat().st_mode & 0o777 == 0o600
    assert sorted(one.name for one in path.parent.iterdir()) == sorted([path.name, parquet_path(path).name])


def test_a_sealed_segment_gives_the_same(path: Path) -> None:
    write_parquet(connect(), path)
    expected = rows(path)
    packer = Packer()
    frames = [packer.add(DATA[at : at + 100]) for at in range(0, len(DATA), 100)]
    sealed = path.with_name(path.name + ".zst")
    sealed.write_bytes(b"".join(frames) + packer.end())
    path.unlink()
    write_parquet(connect(), sealed)
    assert rows(sealed) == expected


def test_a_line_of_a_megabyte_is_there(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\n" + encode({"v": 1, "seq": 61, "type": "x", "body": "a" * 1_000_000}))
    assert write_parquet(connect(), path) == len(LINES) + 1
    assert len(rows(path)[-1][2]) > 1_000_000


def test_nothing_is_loaded_from_elsewhere() -> None:
    connection = connect()
    names = ("autoinstall_known_extensions", "autoload_known_extensions", "allow_community_extensions")
    assert [connection.execute(f"SELECT current_setting('{name}')").fetchone() for name in names] == [(False,)] * 3


def test_without_duckdb_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_possible()
    monkeypatch.setitem(__import__("sys").modules, "duckdb", None)
    with pytest.raises(QuestionError, match=r"pip install 'kubewitness\[query\]'"):
        connect()


def test_the_lines_of_a_segment_are_all_there_is(path: Path) -> None:
    found = connect().execute(f"SELECT count(*) FROM ({lines_of(path)})").fetchone()
    assert found == (len(LINES) + 2,)
