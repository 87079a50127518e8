"""Claims about records on a terminal."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.cli.audit_listing import WIDE, Stream, fitted, show_records, table

NOW = 1_700_000_000.0
RECORD: dict[str, Any] = {
    "id": "id-1",
    "time": "2023-11-14T22:13:20.000000Z",
    "type": "user.login",
    "outcome": "done",
    "actor": {"username": "ada\x9b2J"},
}


@given(st.dictionaries(st.sampled_from(WIDE), st.integers(1, 60), min_size=1), st.integers(1, 300))
def test_fitting_cuts_no_more_than_it_must(widths: dict[str, int], room: int) -> None:
    left = fitted(widths, room)
    total = sum(left.values()) + 3 * (len(left) - 1)
    if sum(widths.values()) + 3 * (len(widths) - 1) <= room:
        assert left == widths
    elif total <= room:
        assert all(left[name] <= widths[name] for name in left)
    assert all(left[name] == widths[name] for name in left if name in ("age", "time", "result"))


def test_what_is_not_known_is_a_dash_and_columns_are_as_wide_as_they_must(capsys: pytest.CaptureFixture[str]) -> None:
    table([{"user": "ada", "result": ""}, {"user": "a", "result": "done"}], ("user", "result"))
    assert capsys.readouterr().out == "USER   RESULT\nada    -\na      done\n"


@pytest.mark.parametrize("form", ["table", "wide", "json", "yaml"])
def test_no_form_commands_a_terminal(capsys: pytest.CaptureFixture[str], form: str) -> None:
    show_records([RECORD], form, NOW)
    stream = Stream(form)
    stream.show([RECORD])
    shown = capsys.readouterr().out
    assert "\x9b" not in shown
    assert "9b2j" in shown.lower()


def test_rows_that_come_have_one_header(capsys: pytest.CaptureFixture[str]) -> None:
    stream = Stream("wide")
    stream.show([])
    stream.show([RECORD])
    stream.show([RECORD, RECORD])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["TIME", *[RECORD["time"]] * 3]
