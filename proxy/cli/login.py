"""`kwit login`: sign in, and have one kubectl context per cluster."""

from __future__ import annotations

from dataclasses import replace

import click

from auth.kubeconfig import merge
from proxy.cli.client import contexts, terminal
from proxy.cli.client.api import server_url
from proxy.cli.client.cached import current_server
from proxy.cli.client.problem import Problem
from proxy.cli.client.saved_login import SavedLogin
from proxy.cli.client.sign_in import WAIT_SECONDS, sign_in
from proxy.cli.help_pages import examples
from proxy.cli.output import until


@click.command(
    "login",
    epilog=examples("kwit login https://kwit.example.com", "kwit login --no-browser   on a machine without one"),
)
@click.argument("server", required=False)
@click.option("--no-browser", is_flag=True, help="Print a URL to open anywhere, and take the code it shows.")
@click.option("--connector", help="Sign in with this one of the server's providers.")
@click.option("--ca-file", help="The CA of the server's certificate, where the system does not know it.")
@click.option("--kubeconfig", "file", help="The kubeconfig to write to  [default: as kubectl chooses]")
@click.option("--print-url", is_flag=True, help="Print the URL and open no browser; the callback is still awaited.")
@click.option("--timeout", default=WAIT_SECONDS, show_default=True, type=click.IntRange(1, 3600), help="In seconds.")
def command(
    *,
    server: str | None,
    no_browser: bool,
    connector: str | None,
    ca_file: str | None,
    file: str | None,
    print_url: bool,
    timeout: int,
) -> None:
    """Sign in at SERVER (https://kwit.example.com; the last one if left out)."""
    chosen = server or current_server()
    if chosen is None:
        raise Problem("which server? Run `kwit login https://YOUR-SERVER`", exit_code=2)
    person = terminal.person()
    login = sign_in(
        server_url(chosen),
        replace(person, open_browser=_nothing) if print_url else person,
        clock=terminal.clock,
        ca_pem=terminal.read_ca(ca_file),
        connector=connector,
        no_browser=no_browser,
        wait_seconds=timeout,
    )
    click.echo(summary(login, terminal.clock()))
    write_contexts(login, file)


def _nothing(url: str) -> bool:
    del url
    return False


def summary(login: SavedLogin, now: float) -> str:
    """Who, until when, and the clusters with their contexts."""
    groups = f" ({', '.join(login.groups)})" if login.groups else ""
    lines = [f"Signed in to {login.installation} as {login.username}{groups} until {until(login.expires_at, now)}."]
    if not login.clusters:
        return "\n".join([*lines, "No cluster is open to you yet; ask your platform team for a role."])
    width = max(len(c.name) for c in login.clusters)
    lines += [f"  {c.name:<{width}}  kubectl --context kwit-{c.name}" for c in login.clusters]
    return "\n".join(lines)


def write_contexts(login: SavedLogin, file: str | None) -> None:
    """Put the contexts into the kubeconfig, and say so if that changed it. Raises Problem."""
    path = contexts.path(file)
    targets = login.targets(contexts.our_command())
    if targets and contexts.edit(path, lambda text: merge(text, targets)):
        terminal.say(f"{len(targets)} context{'s' * (len(targets) > 1)} written to {path}.")
