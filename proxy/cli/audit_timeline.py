"""`kwit audit timeline USER`: what one person did, as a story."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from proxy.cli.audit_listing import table
from proxy.cli.audit_place import asked_place_options
from proxy.cli.audit_question import filter_options, question_of
from proxy.cli.audit_source import server_option, source
from proxy.cli.client.terminal import clock, say
from proxy.cli.csv_text import csv_lines
from proxy.cli.output import output_choice
from recordings.audit.timeline import Entry

COLUMNS = ("time", "for", "count", "action", "object", "namespace", "cluster", "result", "source")
WIDE = (*COLUMNS, "role", "id")


@click.command(
    "timeline",
    epilog="\b\nExample:\n  kwit audit timeline ada@example.com --since 1d\n",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.argument("person", metavar="USER")
@filter_options
@asked_place_options
@server_option
@output_choice("table", "wide", "json", "csv")
def timeline(
    *, person: str, form: str, directory: Path | None, config: Path | None, server: str | None, **asked: Any
) -> int:
    """What USER did: sign-ins, changes, shells and refusals one by one, reads that came again as one with a count."""
    entries = source(directory, config, server).timeline(question_of({**asked, "user": person}, clock()))
    if not entries:
        say("Nothing matches. Is that the name as `kwit audit search` shows it?")
        return 1
    if form == "json":
        for entry in entries:
            click.echo(json.dumps(asdict(entry)))
        return 0
    if form == "csv":
        names = [one.name for one in fields(Entry)]
        click.echo("".join(csv_lines(names, (tuple(asdict(entry).values()) for entry in entries))), nl=False)
        return 0
    table([_shown(entry) for entry in entries], WIDE if form == "wide" else COLUMNS)
    return 0


def _shown(entry: Entry) -> dict[str, str]:
    words = {key: str(value) for key, value in asdict(entry).items()}
    return {**words, "time": entry.since.partition(".")[0] + "Z", "for": _span(entry)}


def _span(entry: Entry) -> str:
    """How long it went on; a millisecond is of no interest to anybody."""
    try:
        seconds = (datetime.fromisoformat(entry.until) - datetime.fromisoformat(entry.since)).total_seconds()
    except ValueError:
        return ""
    if seconds < 1:
        return ""
    return (
        f"{seconds:.0f}s" if seconds < 120 else f"{seconds / 60:.0f}m" if seconds < 7200 else f"{seconds / 3600:.1f}h"
    )
