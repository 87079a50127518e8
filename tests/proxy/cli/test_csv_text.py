"""Claims about CSV for spreadsheets."""

from __future__ import annotations

import csv

from proxy.cli.csv_text import csv_lines


def test_no_cell_commands_anything_and_numbers_stay_numbers() -> None:
    text = "".join(csv_lines(("a", "=b"), [(1, "=cmd"), (None, 'say "\x1b[2J"'), (-0.5, "-1")]))
    assert list(csv.reader(text.splitlines())) == [
        ["a", "'=b"],
        ["1", "'=cmd"],
        ["", 'say "\\u001b[2J"'],
        ["-0.5", "'-1"],
    ]
