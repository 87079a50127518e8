"""Claims about `kwit audit hold`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proxy.cli import audit_hold, main
from recordings.audit.holds import Hold, read

NOW = 1_700_000_000.0


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_hold, "clock", lambda: NOW)


def run(capsys: pytest.CaptureFixture[str], root: Path, *args: str) -> tuple[int, str, str]:
    code = main(["audit", "hold", *args, "--dir", str(root)])
    return code, *capsys.readouterr()


def test_a_hold_is_added_listed_and_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ("add", "case-17", "--reason", "Smith v. Smith", "--since", "1d", "--until", "2023-11-14")
    assert run(capsys, tmp_path, *given) == (0, "", "case-17 is in force.\n")
    assert read(tmp_path) == (
        Hold(
            "case-17",
            "Smith v. Smith",
            "2023-11-13T22:13:20.000000Z",
            "2023-11-14T00:00:00.000000Z",
            "2023-11-14T22:13:20.000000Z",
        ),
    )
    code, shown, _ = run(capsys, tmp_path, "ls")
    assert (code, shown.splitlines()[1].split()) == (
        0,
        ["case-17", "2023-11-13T22:13:20.000000Z", "2023-11-14T00:00:00.000000Z", "Smith", "v.", "Smith"],
    )
    assert json.loads(run(capsys, tmp_path, "ls", "-o", "json")[1])[0]["name"] == "case-17"
    assert run(capsys, tmp_path, "rm", "case-17") == (0, "", "case-17 is over.\n")
    assert run(capsys, tmp_path, "ls") == (0, "", "There are no holds.\n")


@pytest.mark.parametrize(
    "args",
    [
        ("add", "../x", "--reason", "x"),
        ("add", "x", "--reason", "x", "--since", "soon"),
        ("add", "x", "--reason", "x", "--since", "1h", "--until", "2h"),
        ("rm", "nothing"),
    ],
)
def test_what_cannot_be_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], args: tuple[str, ...]
) -> None:
    code, _, said = run(capsys, tmp_path, *args)
    assert (code, said.count("\n")) == (2, 1)
    assert read(tmp_path) == ()
