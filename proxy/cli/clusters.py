"""`kwit clusters`: what is open to you now, as the server says it."""

from __future__ import annotations

import click

from proxy.cli.client import saved_login, terminal
from proxy.cli.help_pages import examples
from proxy.cli.output import Column, output_option, show

COLUMNS = (
    Column("NAME", "name"),
    Column("CONTEXT", "context"),
    Column("LABELS", "labels", lambda value, now: ",".join(f"{k}={v}" for k, v in sorted(value.items())), wide=True),  # noqa: ARG005
)


@click.command("clusters", epilog=examples("kwit clusters -o wide"))
@click.option("--server", help="Of which server  [default: the last one]")
@output_option
def command(server: str | None, form: str) -> None:
    """The clusters you may reach."""
    login, api = terminal.signed_in(server)
    answer = api.call("GET", "/api/v1/logins/current")
    fresh = saved_login.from_answer(
        answer, server=login.server, ca_pem=login.ca_pem, now=terminal.clock(), clock_offset=api.offset
    )
    saved_login.save(fresh)
    rows = [{"name": c.name, "context": f"kwit-{c.name}", "labels": dict(c.labels)} for c in fresh.clusters]
    if not rows and form in ("table", "wide"):
        terminal.say("No cluster is open to you; ask your platform team for a role.")
        return
    click.echo(show(rows, COLUMNS, form, terminal.clock()), nl=False)
