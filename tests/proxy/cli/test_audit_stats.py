"""Claims about `kwit audit stats`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proxy.cli import main
from recordings.audit.encode import encode, rfc3339
from recordings.audit.segments import segment_name

NOW = 1_700_000_000.0


@pytest.fixture
def log(tmp_path: Path) -> Path:
    lines = [
        encode(
            {
                "v": 1,
                "seq": seq,
                "id": f"id-{seq}",
                "time": rfc3339(NOW + seq),
                "type": "user.login",
                "outcome": outcome,
                "actor": {"username": name},
            }
        )
        for seq, (name, outcome) in enumerate((("ada", "done"), ("ada", "refused"), ("eve\x9b", "done")), 1)
    ]
    (tmp_path / segment_name(1, 0)).write_bytes(encode({"header": {}}) + b"".join(lines))
    return tmp_path


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


def test_a_question_of_other_things_is_wrong_usage(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "stats", "--dir", str(log), "--text", "x"]) == 2
    assert "filters by person" in capsys.readouterr().err
