"""CSV (RFC 4180) that commands neither a terminal nor, as the first character of a cell, a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence

from recordings.audit.row import harmless

_FORMULA = ("=", "+", "-", "@", "\t")


def csv_lines(
    names: Sequence[str], rows: Iterable[Sequence[object]], text: Callable[[object], str] = str
) -> Iterator[str]:
    """A line for the names, and one for each row; `text`: of a value that is no number."""
    yield _line([_cell(name, str) for name in names])
    for row in rows:
        yield _line([_cell(value, text) for value in row])


def _line(cells: Sequence[object]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()


def _cell(value: object, text: Callable[[object], str]) -> object:
    if value is None or isinstance(value, int | float):
        return value
    shown = harmless(text(value))
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
