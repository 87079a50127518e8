"""`kwit serve`: run the proxy until it is told to stop."""

from __future__ import annotations

from pathlib import Path

import click

from proxy.cli.client.problem import Problem
from proxy.cli.help_pages import examples


@click.command("serve", epilog=examples("kwit serve -c /etc/kwit/kwit.yaml"))
@click.option(
    "-c",
    "--config",
    "path",
    type=click.Path(path_type=Path),
    default=Path("kwit.yaml"),
    show_default=True,
    help="Its configuration.",
)
def command(path: Path) -> int:
    """Run the proxy. SIGTERM or Ctrl-C lets running requests end first."""
    from proxy.app import StartError
    from proxy.config import Config, ConfigError
    from proxy.server import serve

    try:
        return serve(Config.load(path))
    except ConfigError as error:
        raise Problem(f"the configuration cannot be used, nothing was started:\n{error}") from error
    except StartError as error:
        raise Problem(f"nothing was started: {error}") from error
