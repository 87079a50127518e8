"""`kwit demo`: the whole story on this machine, in one command."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

import click

EPILOG = """\b
Examples:
  kwit demo                        see it; Ctrl-C ends it, and nothing stays
  kwit demo --data ~/kwit-demo     the same, and keep configuration, CA and log there
  kwit demo --context kind-kind    in front of a cluster of yours; reads only
  kwit demo --check                no show: check each step, exit with 0 or 1
"""


@click.command("demo", epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--check", is_flag=True, help="Check each step without a person; exit code 0 if all hold, 1 if not.")
@click.option("--data", type=click.Path(path_type=Path), help="Keep everything in this directory, and go on from it.")
@click.option("--context", help="Use the cluster of this kubeconfig context instead of the sandbox.")
def command(*, check: bool, data: Path | None, context: str | None) -> int:
    """A cluster's API, an identity provider and kwit on loopback, and a person who works with them.

    Without --check it stays up, and says what to try in a second terminal.
    """
    from proxy.demo.own_cluster import find
    from proxy.demo.stage import Play, perform
    from proxy.server import run

    environ = dict(os.environ)  # noqa: TID251 - a command is where the environment comes from
    own = find(context, environ) if context is not None else None
    directory = data.expanduser().absolute() if data is not None else Path(tempfile.mkdtemp(prefix="kwit-demo-"))
    play = Play(directory, own, check=check, kept=data is not None, environ=environ)
    try:
        return run(lambda: perform(play, time.time))  # noqa: TID251 - and the clock
    finally:
        if data is None:
            shutil.rmtree(directory, ignore_errors=True)
