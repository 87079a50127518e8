"""Records on a terminal: tables as kubectl's, whole records as JSON or YAML, and rows as they come."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import click
from rich.cells import cell_len, set_cell_size

from proxy.cli.csv_text import csv_lines
from proxy.cli.output import relative
from recordings.audit.query import Record
from recordings.audit.row import harmless_json, is_harmless, row

MIN_CELL = 6
"""Characters that a column keeps on a narrow terminal."""

NARROW = ("age", "user", "action", "object", "namespace", "cluster", "result", "code")
WIDE = ("time", *NARROW[1:], "source", "role", "rule", "reason", "groups", "login", "id")
_COLOURS = {"refused": "red", "failed": "red", "aborted": "yellow", "unknown-after-crash": "yellow"}
_FIXED = ("age", "time", "action", "result", "code")
"""Never cut: half a number or a result says something else."""
_LEAST = ("groups", "login", "id", "source", "rule", "role", "reason", "cluster", "namespace", "code", "action")
"""What a terminal too narrow goes without, first to last."""
_GAP = "   "


def show_records(records: list[Record], form: str, now: float) -> None:
    if form == "json":
        stream_json(records)
    elif form == "yaml":
        click.echo(_yaml(records), nl=False)
    elif form == "csv":
        rows = ([one[column] for column in WIDE] for one in map(row, records))
        click.echo("".join(csv_lines(WIDE, rows)), nl=False)
    elif form == "name":
        names = {row(record)["id"]: None for record in records}
        click.echo("".join(f"{name}\n" for name in names), nl=False)
    elif records:
        _table([row(record) for record in records], WIDE if form == "wide" else NARROW, now)


def stream_json(records: Iterable[Record]) -> int:
    """A record a line, as stored but for what would command a terminal: that is escaped, and means the same."""
    import orjson

    code = 1
    for record in records:
        code = 0
        click.echo(harmless_json(orjson.dumps(record).decode()))
    return code


def _yaml(records: list[Record]) -> str:
    """Escaped throughout where it holds what a terminal would obey."""
    import yaml

    text: str = yaml.safe_dump_all(records, sort_keys=False, allow_unicode=True, explicit_start=True)
    if is_harmless(text):
        return text
    text = yaml.safe_dump_all(records, sort_keys=False, allow_unicode=False, explicit_start=True)
    return text  # noqa: RET504 - the annotation above is for mypy


def _table(rows: list[dict[str, str]], columns: tuple[str, ...], now: float) -> None:
    table([{column: _cell(one, column, now) for column in columns} for one in rows], columns)


def table(cells: list[dict[str, str]], columns: tuple[str, ...]) -> None:
    """Texts that are harmless, in columns; on a terminal it fits, in a pipe nothing is cut."""
    cells = [{column: one[column] or "-" for column in columns} for one in cells]
    widths = {column: max(cell_len(line[column]) for line in [_titles(columns), *cells]) for column in columns}
    if sys.stdout.isatty():
        widths = fitted(widths, shutil.get_terminal_size().columns)
    click.secho(_aligned(_titles(columns), widths), bold=True)
    for line in cells:
        click.secho(_aligned(line, widths), fg=_COLOURS.get(line["result"]), dim=line["result"] == "intent")


def fitted(widths: Mapping[str, int], room: int) -> dict[str, int]:
    """Widths that fit: the widest of what may be cut gives way first, then what says least is left out."""
    left = dict(widths)
    for column in (*_LEAST, None):
        while _total(left) > room:
            most = max((name for name in left if name not in _FIXED), key=lambda name: left[name], default=None)
            if most is None or left[most] <= MIN_CELL:
                break
            left[most] -= 1
        if _total(left) <= room or column is None:
            return left
        if column in left:
            del left[column]
            left = {name: widths[name] for name in left}
    return left


def _total(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + len(_GAP) * (len(widths) - 1)


def _titles(columns: Iterable[str]) -> dict[str, str]:
    return {column: column.upper() for column in columns}


def _aligned(line: Mapping[str, str], widths: Mapping[str, int]) -> str:
    return _GAP.join(_sized(line[column], width) for column, width in widths.items()).rstrip()


def _sized(text: str, width: int) -> str:
    """As many columns as the terminal has for it: a Chinese character takes two."""
    return set_cell_size(text, width) if cell_len(text) <= width else set_cell_size(text, width - 1) + "…"


def _cell(one: Mapping[str, str], column: str, now: float) -> str:
    if column == "age":
        seconds = _seconds(one["time"])
        return "<unknown>" if seconds is None else relative(max(1.0, now - seconds))
    return one[column] or "-"


def _seconds(time_text: str) -> float | None:
    try:
        return datetime.fromisoformat(time_text).timestamp()
    except ValueError:
        return None


class Stream:
    """`tail -f`: rows as they come, under one header; the clock's time, since an age would be wrong a minute later."""

    def __init__(self, form: str) -> None:
        self._form = form
        self._columns = ("time", *(WIDE if form == "wide" else NARROW)[1:])
        self._widths: dict[str, int] = {}

    def show(self, records: list[Record]) -> None:
        if self._form not in ("table", "wide"):
            show_records(records, self._form, 0.0)
        elif records:
            self._rows([row(record) for record in records])
        sys.stdout.flush()

    def _rows(self, rows: list[dict[str, str]]) -> None:
        """Columns grow as they must; on a terminal one record stays one line."""
        lines = [{column: self._cell(one, column) for column in self._columns} for one in rows]
        if not self._widths:
            lines.insert(0, _titles(self._columns))
        for column in self._columns:
            self._widths[column] = max(self._widths.get(column, 0), *(cell_len(line[column]) for line in lines))
        terminal = sys.stdout.isatty()
        widths = fitted(self._widths, shutil.get_terminal_size().columns) if terminal else self._widths
        for line in lines:
            click.secho(_aligned(line, widths), fg=_COLOURS.get(line["result"]), dim=line["result"] == "intent")

    def _cell(self, one: Mapping[str, str], column: str) -> str:
        if column != "time" or self._form == "wide":
            return one[column] or "-"
        seconds = _seconds(one["time"])
        return one["time"] if seconds is None else f"{datetime.fromtimestamp(seconds, UTC).astimezone():%H:%M:%S}"
