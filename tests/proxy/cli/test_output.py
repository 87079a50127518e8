"""Claims about how listings look."""

from __future__ import annotations

import json

import pytest
import yaml

from proxy.cli.output import Column, relative, rfc3339, show

ROWS = [{"name": "a", "n": 1, "at": 90.0, "more": "x"}, {"name": "longer", "n": None, "at": 0.0, "more": ""}]
COLUMNS = (
    Column("NAME", "name"),
    Column("N", "n"),
    Column("LEFT", "at", lambda at, now: relative(at - now)),
    Column("MORE", "more", wide=True),
)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("table", "NAME     N        LEFT\na        1        90s\nlonger   <none>   ended\n"),
        ("wide", "NAME     N        LEFT    MORE\na        1        90s     x\nlonger   <none>   ended   <none>\n"),
        ("name", "a\nlonger\n"),
    ],
)
def test_a_table_looks_like_kubectls(form: str, text: str) -> None:
    assert show(ROWS, COLUMNS, form, 0.0) == text


@pytest.mark.parametrize(("form", "parse"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_machines_get_every_field_and_rfc_3339(form: str, parse) -> None:
    expected = [row | {"at": rfc3339(row["at"])} for row in ROWS]
    assert parse(show(ROWS, COLUMNS, form, 0.0, {"at": rfc3339})) == expected


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "ended"),
        (1, "1s"),
        (119, "119s"),
        (120, "2m"),
        (3600, "1h"),
        (7500, "2h5m"),
        (86400, "1d"),
        (97200, "1d3h"),
    ],
)
def test_durations_read_as_kubectls_ages(seconds: float, text: str) -> None:
    assert relative(seconds) == text


def test_a_cell_cannot_steer_the_terminal() -> None:
    assert show([{"name": "a\x1b[2J\n"}], COLUMNS[:1], "table", 0.0) == "NAME\na?[2J?\n"
