"""Claims about SQL over a log: what is asked, and what no question can do."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from recordings.audit.columns import COLUMNS, DERIVED, STORED
from recordings.audit.encode import encode, rfc3339
from recordings.audit.parquet import connect, write_parquet
from recordings.audit.sealing import seal
from recordings.audit.segments import segment_name, segments
from recordings.audit.sql import LogDatabase
from recordings.errors import QuestionError

NOW = 1_700_000_000.0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two writers; one has a Parquet file, one sealed segment without it, and an open one; its last line is torn."""
    root = tmp_path / "au'dit"
    for writer in ("node-0", "node-1"):
        (root / writer).mkdir(parents=True)
        for first in (1, 4, 7):
            lines = [
                encode({"v": 1, "seq": seq, "id": f"id-{seq}", "time": rfc3339(NOW + seq), "type": "x", "body": seq})
                for seq in range(first, first + 3)
            ]
            data = encode({"header": {}}) + b"".join(lines) + b'{"v":1,"seq":99'
            (root / writer / segment_name(first, 0)).write_bytes(data)
    paths = segments(root / "node-0")
    for path, following in pairwise(paths):
        seal(path, following)
    with connect(threads=1) as connection:
        write_parquet(connection, segments(root / "node-0")[0])
    return root


def asked(root: Path, sql: str) -> list[tuple[Any, ...]]:
    with LogDatabase(root) as database:
        return list(database.ask(sql).rows)


def test_all_segments_answer_in_whatever_form_they_are(root: Path) -> None:
    assert asked(root, "SELECT writer, list(seq ORDER BY seq), sum(body::int) FROM records GROUP BY 1 ORDER BY 1") == [
        ("node-0", list(range(1, 10)), 45),
        ("node-1", list(range(1, 10)), 45),
    ]


def test_the_view_has_the_columns_of_the_table(root: Path) -> None:
    names = [*STORED[:-1], *(name for name, *_ in DERIVED), "line"]
    assert [(name, kind) for name, kind, *_ in asked(root, "DESCRIBE records")] == [
        (name, dict([("writer", "VARCHAR"), *((one.name, one.type) for one in COLUMNS)]).get(name, "VARCHAR"))
        for name in names
    ]


def test_times_are_utc(root: Path) -> None:
    assert asked(root, "SELECT count(*) FROM records WHERE time >= '2023-11-14 22:13:25'") == [(2 * 5,)]


def test_a_log_without_segments_has_no_records(tmp_path: Path) -> None:
    assert asked(tmp_path, "SELECT * FROM records") == []


@pytest.mark.parametrize(
    "sql",
    [
        "COPY (SELECT 1) TO '{root}/x'",
        "COPY (SELECT 1) TO '{root}/node-1/00000000000000000001.ndjson'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('{root}/keys')",
        "SELECT * FROM glob('/*')",
        "SELECT 1; SELECT 2",
        "SET enable_external_access = true",
        "ATTACH '{root}/x.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "CREATE TABLE t (a int)",
        "DROP VIEW records",
        "EXPORT DATABASE '{root}/x'",
        "PRAGMA version",
        "SELECT * FROM duckdb_secrets()",
        "",
        "SELECT",
        "SELECT nothing FROM records",
        "SELECT 'x'::int",
    ],
)
def test_what_is_no_question_is_refused_and_changes_nothing(root: Path, sql: str) -> None:
    (root / "keys").write_bytes(b"secret")
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    with pytest.raises(QuestionError):
        asked(root, sql.format(root=str(root).replace("'", "''")))
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


def test_an_answer_becomes_a_parquet_file_only_where_that_was_allowed(root: Path, tmp_path: Path) -> None:
    target = tmp_path / "answer.parquet"
    with LogDatabase(root, [target]) as database:
        database.write_parquet("SELECT seq FROM records WHERE writer = 'node-1' ORDER BY 1", target)
        with pytest.raises(QuestionError):
            database.write_parquet("SELECT 1", tmp_path / "other.parquet")
        with pytest.raises(QuestionError, match="one SELECT"):
            database.write_parquet("DROP VIEW records", target)
    rows = connect().execute("SELECT * FROM read_parquet(?)", [str(target)]).fetchall()
    assert rows == [(seq,) for seq in range(1, 10)]


def test_its_directory_on_the_disk_is_removed(root: Path) -> None:
    with LogDatabase(root) as database:
        spill = Path(database._spill.name)
        assert spill.is_dir()
        answer = database.ask("SELECT 1 AS a, [1] AS b")
        assert (answer.names, answer.types, list(answer.rows)) == (("a", "b"), ("INTEGER", "INTEGER[]"), [(1, [1])])
    assert not spill.exists()
