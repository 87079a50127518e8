"""Claims about `kwit audit timeline`."""

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
                "time": rfc3339(NOW + at),
                "type": "kube.request",
                "outcome": "done",
                "actor": {"username": user},
                "event": {"auditID": f"a-{seq}", "verb": verb, "objectRef": {"resource": "pods"}},
            }
        )
        for seq, (at, user, verb) in enumerate(
            (
                (0, "ada", "list"),
                (1, "bob", "delete"),
                (60, "ada", "list"),
                (300, "ada", "list"),
                (301, "ada", "create"),
            ),
            1,
        )
    ]
    (tmp_path / segment_name(1, 0)).write_bytes(encode({"header": {}}) + b"".join(lines))
    return tmp_path


def test_one_persons_story(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "timeline", "ada", "--dir", str(log)]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["TIME", "FOR", "COUNT", "ACTION", "OBJECT", "NAMESPACE", "CLUSTER", "RESULT", "SOURCE"],
        ["2023-11-14T22:13:20Z", "5m", "3", "list", "pods", "-", "-", "done", "-"],
        ["2023-11-14T22:18:21Z", "-", "1", "create", "pods", "-", "-", "done", "-"],
    ]
    assert main(["audit", "timeline", "ada", "--dir", str(log), "-o", "json", "--verb", "create"]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == "a-5"


def test_nobody_of_that_name_is_exit_code_1(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "timeline", "eve", "--dir", str(log)]) == 1
    assert "Nothing matches" in capsys.readouterr().err


@pytest.mark.parametrize(("last", "shown"), [(0.5, "-"), (90, "90s"), (6000, "-")])
def test_a_span_is_short(tmp_path: Path, capsys: pytest.CaptureFixture[str], last: float, shown: str) -> None:
    lines = [
        encode(
            {
                "seq": seq,
                "id": f"id-{seq}",
                "time": rfc3339(NOW + at),
                "type": "kube.request",
                "outcome": "done",
                "actor": {"username": "ada"},
                "event": {"auditID": f"a-{seq}", "verb": "get", "objectRef": {"resource": "pods"}},
            }
        )
        for seq, at in ((1, 0.0), (2, last))
    ]
    (tmp_path / segment_name(1, 0)).write_bytes(encode({"header": {}}) + b"".join(lines))
    assert main(["audit", "timeline", "ada", "--dir", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[1] == shown
