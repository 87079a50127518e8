"""`kwit credential`: what kubectl runs before a request, when no fresh certificate is at hand (`client.cached`).

Nothing but the ExecCredential goes to stdout. Not signed in: where a person is there, the login starts by itself.
"""

from __future__ import annotations

import click

from proxy.cli.client import terminal
from proxy.cli.client.api import server_url
from proxy.cli.client.cached import current_server
from proxy.cli.client.certificates import Certificates
from proxy.cli.client.problem import NotSignedIn
from proxy.cli.client.saved_login import SavedLogin
from proxy.cli.client.sign_in import sign_in
from proxy.cli.help_pages import examples


@click.command("credential", epilog=examples("kwit credential --cluster staging"))
@click.option("--cluster", required=True, help="The cluster to have a certificate for.")
@click.option("--server", help="Of which server  [default: the last one]")
def command(cluster: str, server: str | None) -> None:
    """What kubectl calls; not for people."""
    click.echo(certificates(server).answer(cluster), nl=False)


def certificates(server: str | None) -> Certificates:
    """Those of a server; with a person at the terminal, a login can be made on the way. Raises NotSignedIn."""
    chosen = server or current_server()
    if chosen is None:
        raise NotSignedIn("you are not signed in; run `kwit login https://YOUR-SERVER`")
    url = server_url(chosen)

    def interactively() -> SavedLogin:
        terminal.say(f"You are not signed in to {url}.")
        return sign_in(url, terminal.person(), clock=terminal.clock)

    asks = interactively if terminal.someone_is_there() else None
    return Certificates(url, terminal.clock, asks, lambda text: terminal.say(f"kwit: {text}"))
