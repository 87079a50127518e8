"""`kwit logout`: the login ends on the server first, then its files here."""

from __future__ import annotations

import click

from auth.kubeconfig import ours, remove
from proxy.cli.client import contexts, saved_login, terminal
from proxy.cli.client.problem import NotSignedIn, Unreachable
from proxy.cli.help_pages import examples


@click.command("logout", epilog=examples("kwit logout --remove-contexts"))
@click.option("--server", help="Of which server  [default: the last one]")
@click.option("--remove-contexts", is_flag=True, help="Take our contexts out of the kubeconfig too.")
@click.option("--kubeconfig", "file", help="The kubeconfig to take them from  [default: as kubectl chooses]")
def command(server: str | None, remove_contexts: bool, file: str | None) -> int:
    """End the login, here and on the server."""
    login, api = terminal.signed_in(server)
    code = 0
    try:
        api.call("DELETE", "/api/v1/logins/current")
    except NotSignedIn:
        pass  # it had ended already
    except Unreachable as error:
        terminal.say(f"kwit: {error}. The key was removed here; on the server the login lasts until it expires.")
        code = 1
    saved_login.forget(login.server)
    if remove_contexts:
        contexts.edit(contexts.path(file), lambda text: remove(text, ours(text, login.server)))
    click.echo(f"Signed out of {login.installation}.")
    return code
