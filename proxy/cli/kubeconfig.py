"""`kwit kubeconfig`: the contexts once more, or a file for a machine without `kwit`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from auth.kubeconfig import KubeconfigError, embedded_user, whole
from proxy.cli.client import contexts, private_file, terminal
from proxy.cli.client.problem import Problem
from proxy.cli.client.saved_login import SavedLogin
from proxy.cli.credential import certificates
from proxy.cli.help_pages import examples
from proxy.cli.login import write_contexts


@click.command(
    "kubeconfig",
    epilog=examples("kwit kubeconfig", "kwit kubeconfig --embed --cluster staging --kubeconfig ci.kubeconfig"),
)
@click.option(
    "--embed", is_flag=True, help="With certificate and key inside: works anywhere, until the certificate ends."
)
@click.option("--print", "to_stdout", is_flag=True, help="To stdout, and change no file.")
@click.option("--cluster", "chosen", multiple=True, help="Only this cluster (may be repeated).")
@click.option("--kubeconfig", "file", help="The file to write  [default: as kubectl chooses; with --embed: stdout]")
@click.option("--server", help="Of which server  [default: the last one]")
def command(embed: bool, to_stdout: bool, chosen: tuple[str, ...], file: str | None, server: str | None) -> None:
    """Write the contexts again, or a self-contained file."""
    login, _ = terminal.signed_in(server)
    login = only(login, chosen)
    if not embed and not to_stdout:
        write_contexts(login, file)
        return
    try:
        text = embedded(login) if embed else whole(login.targets(contexts.our_command()))
    except KubeconfigError as error:
        raise Problem(str(error)) from error
    if to_stdout or file is None:
        click.echo(text, nl=False)
        return
    path = Path(file)
    if path.exists():
        raise Problem(f"{path} exists; a self-contained file is never mixed with another: choose a new name")
    private_file.write(path, text)
    terminal.say(f"{path} holds a private key, and works until its certificates end.")


def only(login: SavedLogin, chosen: tuple[str, ...]) -> SavedLogin:
    """The login with just these clusters; all where none is named. Raises Problem."""
    from dataclasses import replace

    known = {c.name: c for c in login.clusters}
    missing = [name for name in chosen if name not in known]
    if missing or not known:
        raise Problem(f"no cluster {', '.join(missing) or 'is open to you'}; `kwit clusters` lists yours")
    return replace(login, clusters=tuple(known[name] for name in chosen or known))


def embedded(login: SavedLogin) -> str:
    """A whole kubeconfig with a certificate and the key for each cluster. Raises Problem, KubeconfigError."""
    source = certificates(login.server)
    targets = []
    for cluster in login.clusters:
        status = json.loads(source.answer(cluster.name))["status"]
        user = embedded_user(status["clientCertificateData"], status["clientKeyData"])
        targets.append(login.target(cluster.name, user))
    return whole(targets)
