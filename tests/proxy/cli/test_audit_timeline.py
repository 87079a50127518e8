"""Claims about `kwit audit timeline`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proxy.cli import main
from tests.proxy.cli.small_log import small_log


@pytest.fixture
def log(tmp_path: Path) -> Path:
    done = ((0, "ada", "list"), (1, "bob", "delete"), (60, "ada", "list"), (300, "ada", "list"), (301, "ada", "create"))
    return small_log(
        tmp_path,
        (
            {
                "at": at,
                "type": "kube.request",
                "actor": {"username": user},
                "event": {"auditID": f"a-{seq}", "verb": verb, "objectRef": {"resource": "pods"}},
            }
            for seq, (at, user, verb) in enumerate(done, 1)
        ),
    )


def test_one_persons_story(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "timeline", "ada", "--dir", str(log)]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["TIME", "FOR", "COUNT", "ACTION", "OBJECT", "NAMESPACE", "CLUSTER", "RESULT", "SOURCE"],
        ["2023-11-14T22:13:20Z", "5m", "3", "list", "pods", "-", "-", "done", "-"],
        ["2023-11-14T22:18:21Z", "-", "1", "create", "pods", "-", "-", "done", "-"],
    ]
    assert main(["audit", "timeline", "ada", "--dir", str(log), "-o", "json", "--verb", "create"]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == "a-5"
    assert main(["audit", "timeline", "ada", "--dir", str(log), "-o", "csv", "--verb", "create"]) == 0
    names, told = capsys.readouterr().out.splitlines()
    assert (names[:17], told.endswith(",create,pods,,,done,,,a-5")) == ("since,until,count", True)


def test_nobody_of_that_name_is_exit_code_1(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "timeline", "eve", "--dir", str(log)]) == 1
    assert "Nothing matches" in capsys.readouterr().err


@pytest.mark.parametrize(("last", "shown"), [(0.5, "-"), (90, "90s"), (6000, "-")])
def test_a_span_is_short(tmp_path: Path, capsys: pytest.CaptureFixture[str], last: float, shown: str) -> None:
    request = {"type": "kube.request", "actor": {"username": "ada"}}
    event = {"verb": "list", "objectRef": {"resource": "pods"}}
    records = ({**request, "at": at, "event": {**event, "auditID": f"a-{at}"}} for at in (0.0, last))
    small_log(tmp_path, records)
    assert main(["audit", "timeline", "ada", "--dir", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[1] == shown
