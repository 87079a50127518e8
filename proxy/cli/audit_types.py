"""`kwit audit types`: every type of record, as the table in code has them; the documentation's page is made from it."""

from __future__ import annotations

import json

import click

from proxy.cli.help_pages import examples
from recordings.audit.record import TYPES


@click.command(
    "types", context_settings={"help_option_names": ["-h", "--help"]}, epilog=examples("kwit audit types -o markdown")
)
@click.option(
    "-o", "--output", "form", type=click.Choice(("text", "json", "markdown")), default="text", help="How to show it."
)
def types(*, form: str) -> None:
    """Every type of record, what it means, and what its body holds."""
    if form == "json":
        listed = [{"type": one.type, "meaning": one.meaning, "body": dict(one.fields)} for one in TYPES]
        click.echo(json.dumps(listed, indent=2, ensure_ascii=False))
    elif form == "markdown":
        click.echo("\n".join(("| type | means | body |", "|---|---|---|", *map(_markdown, range(len(TYPES))))))
    else:
        for one in TYPES:
            click.secho(one.type, bold=True)
            click.echo(f"  {one.meaning}")
            for name, meaning in one.fields:
                click.echo(f"    {name + ':':<16} {meaning}")


def _markdown(index: int) -> str:
    one = TYPES[index]
    fields = "<br>".join(f"`{name}`: {meaning}" for name, meaning in one.fields)
    return f"| `{one.type}` | {one.meaning} | {fields} |".replace("|  |", "| |")
