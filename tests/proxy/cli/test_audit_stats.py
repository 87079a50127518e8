"""Claims about `kwit audit stats`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proxy.cli import main
from tests.proxy.cli.small_log import small_log


@pytest.fixture
def log(tmp_path: Path) -> Path:
    logins = (("ada", "done"), ("ada", "refused"), ("eve\x9b", "done"))
    return small_log(
        tmp_path,
        ({"type": "user.login", "outcome": outcome, "actor": {"username": name}} for name, outcome in logins),
    )


def test_lists_for_people_and_for_machines(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "stats", "--dir", str(log)]) == 0
    assert capsys.readouterr().out == (
        "RESULTS\n"
        "  done                    2\n"
        "  refused                 1\n"
        "PEOPLE\n"
        "  ada                     2\n"
        "  eve\\u009b               1\n"
        "TYPES\n"
        "  user.login              3\n"
    )
    assert main(["audit", "stats", "--dir", str(log), "--decision", "deny", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["people"] == {"counts": {"ada": 1}, "others": 0}


def test_a_table_for_a_spreadsheet_and_nothing_is_exit_code_1(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "stats", "--dir", str(log), "-o", "csv", "--decision", "deny"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "list,what,count",
        "results,refused,1",
        "people,ada,1",
        "types,user.login,1",
    ]
    assert main(["audit", "stats", "--dir", str(log), "--user", "nobody"]) == 1
    assert "Nothing matches" in capsys.readouterr().err


def test_a_question_of_other_things_is_wrong_usage(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "stats", "--dir", str(log), "--text", "x"]) == 2
    assert "filters by person" in capsys.readouterr().err
