"""`kwit status`: who you are here, and until when; asked of the server where it can be reached."""

from __future__ import annotations

import click

from proxy.cli.client import terminal
from proxy.cli.client.problem import Unreachable
from proxy.cli.help_pages import examples
from proxy.cli.output import Column, output_option, relative, rfc3339, show

COLUMNS = (
    Column("SERVER", "server"),
    Column("USER", "username"),
    Column("EXPIRES", "expires_at", lambda value, now: relative(value - now)),
    Column("CLUSTERS", "clusters", lambda value, now: str(len(value))),  # noqa: ARG005
    Column("GROUPS", "groups", lambda value, now: ",".join(value), wide=True),  # noqa: ARG005
    Column("CONNECTOR", "connector", wide=True),
)


@click.command("status", epilog=examples("kwit status", "kwit status -o json"))
@click.option("--server", help="Of which server  [default: the last one]")
@output_option
def command(server: str | None, form: str) -> int:
    """Who you are, and until when."""
    login, api = terminal.signed_in(server)
    row: dict[str, object] = {
        "name": login.username,
        "server": login.server,
        "installation": login.installation,
        "username": login.username,
        "groups": list(login.groups),
        "connector": login.connector,
        "expires_at": login.expires_at,
        "clusters": [c.name for c in login.clusters],
    }
    code = 0
    try:
        answer = api.call("GET", "/api/v1/logins/current")
        row["groups"] = [str(group) for group in answer["login"]["groups"]]
    except (Unreachable, LookupError, TypeError) as error:
        terminal.say(f"kwit: this is what was stored here: {error}")
        code = 1
    now = terminal.clock()
    click.echo(show([row], COLUMNS, form, now, times={"expires_at": rfc3339}), nl=False)
    return code
