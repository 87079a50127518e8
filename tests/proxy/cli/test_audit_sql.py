"""Claims about `kwit audit sql`."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

from proxy.cli import audit_sql, main
from recordings.audit.parquet import connect
from tests.proxy.cli.small_log import small_log

NASTY = "\x1b[2J\x9b\u202e\n=1+1"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return small_log(tmp_path, ({"type": "x", "actor": {"username": name}} for name in ("ada", NASTY, "=cmd")))


def run(log: Path, capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    code = main(["audit", "sql", "--dir", str(log), *args])
    return code, *capsys.readouterr()


def test_a_table(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, shown, _ = run(log, capsys, "SELECT seq, time, groups, NULL AS n FROM records ORDER BY 1 LIMIT 1")
    assert (code, shown) == (
        0,
        "SEQ   TIME                          GROUPS   N\n1     2023-11-14T22:13:21.000000Z   []       <none>\n",
    )


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_no_form_commands_a_terminal_nor_a_spreadsheet(
    log: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    select = f'SELECT username AS "a{NASTY}" FROM records ORDER BY seq'
    _, shown, _ = run(log, capsys, select, "-o", form)
    assert not set(shown) & {"\x1b", "\x9b", "\u202e"}
    if form == "json":
        assert [next(iter(json.loads(line).values())) for line in shown.splitlines()] == ["ada", NASTY, "=cmd"]
    if form == "csv":
        assert [row[0] for row in csv.reader(shown.splitlines())][-1] == "'=cmd"
        assert len(list(csv.reader(shown.splitlines()))) == 4


def test_a_file_is_written_once_and_parquet_needs_one(
    log: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    target = tmp_path / "answer.csv"
    assert run(log, capsys, "SELECT seq FROM records", "-o", "csv", "--out", str(target))[0] == 0
    assert target.read_text() == "seq\r\n1\r\n2\r\n3\r\n" or target.read_text() == "seq\n1\n2\n3\n"
    assert run(log, capsys, "SELECT 1", "-o", "csv", "--out", str(target))[0] == 1
    code, _, said = run(log, capsys, "SELECT 1", "-o", "parquet")
    assert (code, said) == (2, "kwit: Parquet is no text; name a file with --out\n")
    target = tmp_path / "answer.parquet"
    assert run(log, capsys, "SELECT seq FROM records", "-o", "parquet", "--out", str(target))[0] == 0
    assert connect().execute("SELECT sum(seq) FROM read_parquet(?)", [str(target)]).fetchall() == [(6,)]


def test_a_long_table_says_that_there_is_more(
    log: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_sql, "MAX_ROWS", 2)
    _, shown, said = run(log, capsys, "SELECT seq FROM records")
    assert (len(shown.splitlines()), said) == (3, "The first 2 rows of more; -o json or -o csv gives all.\n")
    assert run(log, capsys, "SELECT seq FROM records LIMIT 2")[2] == ""


@pytest.mark.parametrize("select", ["SELECT nothing FROM records", "DROP VIEW records", "SELECT 'x'::int FROM records"])
def test_a_mistake_is_wrong_usage_in_duckdbs_words(log: Path, capsys: pytest.CaptureFixture[str], select: str) -> None:
    code, shown, said = run(log, capsys, select)
    assert (code, shown) == (2, "")
    assert said.startswith("kwit: expected ")


def test_without_duckdb_the_sentence_says_what_to_install(
    log: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    code, _, said = run(log, capsys, "SELECT 1")
    assert (code, said) == (2, "kwit: expected DuckDB, which is not installed here: pip install 'kubewitness[query]'\n")
