"""How every listing is shown: `-o table|wide|json|yaml|name`. Tables look like kubectl's.

Times are relative for people and RFC 3339 for machines; `now` comes in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

FORMS = ("table", "wide", "json", "yaml", "name")
_GAP = "   "
_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its title, the row's key, how a value is written for people, and whether only `wide` shows it."""

    title: str
    key: str
    text: Callable[[Any, float], str] | None = None
    wide: bool = False


def output_choice(*forms: str) -> Callable[[_F], _F]:
    """The `-o` option with these forms, handed to the command as `form`."""
    return click.option("-o", "--output", "form", type=click.Choice(forms), default="table", help="How to show it.")


def output_option(function: _F) -> _F:
    """With those of every listing."""
    return output_choice(*FORMS)(function)


def show(
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[Column],
    form: str,
    now: float,
    times: Mapping[str, Callable[[float], str]] | None = None,
) -> str:
    """The rows as text that ends in a newline; nothing for no names. `times`: keys written so for machines."""
    if form == "name":
        return "".join(f"{row['name']}\n" for row in rows)
    if form in ("json", "yaml"):
        plain = [{k: times[k](v) if times and k in times else v for k, v in row.items()} for row in rows]
        return structured(plain, form) + "\n"
    return _table(rows, [column for column in columns if form == "wide" or not column.wide], now)


def structured(data: object, form: str) -> str:
    """JSON or YAML, without a newline at the end."""
    if form == "json":
        return json.dumps(data, indent=2, ensure_ascii=False)
    import yaml

    text: str = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    return text.removesuffix("\n")


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column], now: float) -> str:
    cells = [[column.title for column in columns]]
    cells += [[_cell(row.get(column.key), column, now) for column in columns] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    return "".join(
        _GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n" for line in cells
    )


def _cell(value: Any, column: Column, now: float) -> str:
    if value is None or value in ("", [], {}):
        return "<none>"
    text = str(value) if column.text is None else column.text(value, now)
    return "".join(c if c.isprintable() else "?" for c in text)


def relative(seconds: float) -> str:
    """A duration as kubectl writes ages (`5d3h`, `2h5m`, `90s`); `ended` for what is over."""
    left = int(seconds)
    if left <= 0:
        return "ended"
    if left < 120:
        return f"{left}s"
    minutes, hours, days = left // 60, left // 3600, left // 86400
    if minutes < 60:
        return f"{minutes}m"
    if hours < 24:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"


def rfc3339(at: float) -> str:
    """Seconds since the epoch as RFC 3339, UTC, whole seconds."""
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def until(at: float, now: float) -> str:
    """For people: the time by this machine's own zone, and how long that is."""
    local = datetime.fromtimestamp(int(at), UTC).astimezone()
    return f"{local:%H:%M} ({relative(at - now)} left)"
