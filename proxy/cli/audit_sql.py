"""`kwit audit sql`: a SELECT over the log's files, and the answer as a table, JSON, CSV or a Parquet file."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from proxy.cli.audit_place import place, place_options, reading
from proxy.cli.client.problem import Problem
from proxy.cli.client.terminal import say
from proxy.cli.output import Column, show
from recordings.audit.row import harmless, harmless_json

if TYPE_CHECKING:
    from recordings.audit.sql import Answer

MAX_ROWS = 1_000
"""Of a table, whose widths need all of it; JSON and CSV have no limit."""
MAX_CELL = 200
"""Characters of a cell in a table."""
_FORMULA = ("=", "+", "-", "@", "\t")

EPILOG = """\b
Examples:
  kwit audit sql "DESCRIBE records"
  kwit audit sql "SELECT username, count(*) FROM records WHERE decision = 'deny' GROUP BY 1 ORDER BY 2 DESC"
  kwit audit sql "SELECT * FROM records WHERE time > '2026-01-31'" -o parquet --out january.parquet
"""


@click.command("sql", epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("select", metavar="SELECT")
@click.option(
    "-o",
    "--output",
    "form",
    type=click.Choice(("table", "json", "csv", "parquet")),
    default="table",
    help="How to show it.",
)
@click.option("--out", type=click.Path(path_type=Path), help="The file to write; Parquet needs one.")
@place_options
def sql(*, select: str, form: str, out: Path | None, directory: Path | None, config: Path | None) -> None:
    """Ask the log in SQL (DuckDB's): the view `records` has a row for each record.

    Only the log is read and nothing is written. Needs DuckDB: pip install 'kubewitness[query]'.
    """
    from recordings.audit.sql import LogDatabase

    root = place(directory, config)
    if form == "parquet" and out is None:
        raise Problem("Parquet is no text; name a file with --out", exit_code=2)
    with reading(lambda: LogDatabase(root, [out] if out is not None else []), root) as database:
        if form == "parquet" and out is not None:
            target = out
            reading(lambda: database.write_parquet(select, target), root)
            return
        answer = reading(lambda: database.ask(select), root)
        text = reading(lambda: "".join(_shown(answer, form)), root) if form == "table" else None
        pieces: Iterable[str] = [text] if text is not None else _shown(answer, form)
        if out is None:
            reading(lambda: _write(pieces), root)
        else:
            with out.open("x", encoding="utf-8", newline="") as file:
                reading(lambda: file.writelines(pieces), root)


def _write(pieces: Iterable[str]) -> None:
    for piece in pieces:
        click.echo(piece, nl=False)
    sys.stdout.flush()


def _shown(answer: Answer, form: str) -> Iterator[str]:
    if form == "json":
        return _json(answer)
    return _csv(answer) if form == "csv" else _table(answer)


def _json(answer: Answer) -> Iterator[str]:
    import orjson

    for row in answer.rows:
        record = dict(zip(answer.names, row, strict=True))
        yield harmless_json(orjson.dumps(record, default=_plain, option=orjson.OPT_NON_STR_KEYS).decode()) + "\n"


def _csv(answer: Answer) -> Iterator[str]:
    """Nothing in it commands a terminal, nor, as the first character of a cell, a spreadsheet."""
    yield _line([_csv_cell(name) for name in answer.names])
    for row in answer.rows:
        yield _line([_csv_cell(value) for value in row])


def _line(cells: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()


def _csv_cell(value: Any) -> object:
    if value is None or isinstance(value, int | float):
        return value
    text = harmless(_text(value))
    return f"'{text}" if text.startswith(_FORMULA) else text


def _table(answer: Answer) -> Iterator[str]:
    columns = [Column(harmless(name).upper(), str(index), _shortened) for index, name in enumerate(answer.names)]
    rows = [{str(index): _text(value) for index, value in enumerate(row)} for row in islice(answer.rows, MAX_ROWS)]
    yield show(rows, columns, "table", 0.0)
    if next(answer.rows, None) is not None:
        say(f"The first {MAX_ROWS:,} rows of more; -o json or -o csv gives all.")


def _shortened(value: Any, _now: float) -> str:
    text = harmless(str(value))
    return text if len(text) <= MAX_CELL else text[: MAX_CELL - 1] + "…"


def _text(value: Any) -> str:
    import orjson

    if value is None:
        return ""
    if isinstance(value, list | dict):
        return orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS).decode()
    return _plain(value)


def _plain(value: Any) -> str:
    """Times as the log has them; whatever else is no JSON, as Python says it."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
