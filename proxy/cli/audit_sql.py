"""`kwit audit sql`: a SELECT over the log's files, and the answer as a table, JSON, CSV or a Parquet file."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import click

from proxy.cli.audit_place import asked_place_options, reading
from proxy.cli.audit_source import Files, Source, server_option, source
from proxy.cli.client.problem import Problem
from proxy.cli.client.terminal import clock, say
from proxy.cli.csv_text import csv_lines
from proxy.cli.output import Column, show
from recordings.audit.question import moment
from recordings.audit.row import harmless, harmless_json
from recordings.audit.sql import Answer, plain, spelled
from recordings.errors import QuestionError

MAX_ROWS = 1_000
"""Of a table, whose widths need all of it; JSON and CSV have no limit."""
MAX_CELL = 200
"""Characters of a cell in a table."""

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
@click.option("--since", default="", help="Only records from then on: 2h, 7d, 2026-01-31.")
@asked_place_options
@server_option
def sql(
    *,
    select: str,
    form: str,
    out: Path | None,
    since: str,
    directory: Path | None,
    config: Path | None,
    server: str | None,
) -> None:
    """Ask the log in SQL (DuckDB's): the view `records` has a row for each record.

    Only the log is read and nothing is written. Needs DuckDB: pip install 'kubewitness[query]'.

    A server is asked over what you may see there, for half a minute, and has no column `line`; `kwit audit show ID` has
    whole records.
    """
    if form == "parquet" and out is None:
        raise Problem("Parquet is no text; name a file with --out", exit_code=2)
    asks = source(directory, config, server)
    begin = _moment(since)
    if form == "parquet" and out is not None:
        _write_parquet(asks, select, begin, out)
        return
    with asks.select(select, begin) as answer:
        _show(answer, form, out)


def _moment(since: str) -> float | None:
    """Raises Problem."""
    try:
        return moment(since, clock()) if since else None
    except QuestionError as error:
        raise Problem(f"expected {error}", exit_code=2) from error


def _write_parquet(asks: Source, select: str, since: float | None, out: Path) -> None:
    """Raises Problem."""
    if not isinstance(asks, Files):
        raise Problem("a server answers in text: -o json or -o csv", exit_code=2)
    with asks.database(since, out) as database:
        reading(lambda: database.write_parquet(select, out), asks.root)


def _show(answer: Answer, form: str, out: Path | None) -> None:
    """Raises Problem."""
    pieces: Iterable[str] = _shown(answer, form)
    if form == "table":
        pieces = [reading(lambda: "".join(_shown(answer, form)), Path())]
    if out is None:
        reading(lambda: _write(pieces), Path())
    else:
        with out.open("x", encoding="utf-8", newline="") as file:
            reading(lambda: file.writelines(pieces), out)


def _write(pieces: Iterable[str]) -> None:
    for piece in pieces:
        click.echo(piece, nl=False)
    sys.stdout.flush()


def _shown(answer: Answer, form: str) -> Iterator[str]:
    if form == "json":
        return _json(answer)
    return csv_lines(answer.names, answer.rows, _text) if form == "csv" else _table(answer)


def _json(answer: Answer) -> Iterator[str]:
    for row in answer.rows:
        yield harmless_json(plain(dict(zip(answer.names, row, strict=True))).decode()) + "\n"


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
    if value is None:
        return ""
    return plain(value).decode() if isinstance(value, list | dict) else spelled(value)
