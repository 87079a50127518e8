"""`kwit audit stats`: the log in numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from proxy.cli.audit_place import asked_place_options
from proxy.cli.audit_question import filter_options, question_of
from proxy.cli.audit_source import server_option, source
from proxy.cli.client.terminal import clock, say
from proxy.cli.csv_text import csv_lines
from proxy.cli.output import output_choice
from recordings.audit.row import harmless, harmless_json


@click.command(
    "stats",
    epilog="\b\nExample:\n  kwit audit stats --since 7d --decision deny\n",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@filter_options
@asked_place_options
@server_option
@output_choice("table", "json", "csv")
def stats(*, form: str, directory: Path | None, config: Path | None, server: str | None, **asked: Any) -> int:
    """How many requests, by result, person, verb, object, cluster, address and reason; each counted once.

    Needs DuckDB: pip install 'kubewitness[query]'.
    """
    found = source(directory, config, server).counts(question_of(asked, clock()))
    if not any(one.rows for one in found):
        say("Nothing matches. Each option narrows: leave one out, or look further back with --since.")
        return 1
    if form == "csv":
        counts = ((one.name, what, count) for one in found for what, count in one.rows)
        click.echo("".join(csv_lines(("list", "what", "count"), counts)), nl=False)
        return 0
    if form == "json":
        listed = {one.name: {"counts": dict(one.rows), "others": one.others} for one in found}
        click.echo(harmless_json(json.dumps(listed, indent=2)))
        return 0
    width = max((len(harmless(what)) for one in found for what, _ in one.rows), default=0)
    for one in found:
        if one.rows:
            click.secho(one.name.upper(), bold=True)
            for what, count in one.rows:
                click.echo(f"  {harmless(what):<{width}}   {count:>12,}")
            if one.others:
                click.echo(f"  … and {one.others:,} others")
    return 0
