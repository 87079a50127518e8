"""`kwit serve`: run the proxy until it is told to stop."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import click

from proxy.cli.client.problem import Problem


@click.command("serve")
@click.option("-c", "--config", "path", type=click.Path(path_type=Path), default=Path("kwit.yaml"), show_default=True)
def command(path: Path) -> int:
    """Run the proxy. SIGTERM lets running requests end first."""
    from proxy.config import Config, ConfigError

    try:
        config = Config.load(path)
    except ConfigError as error:
        raise Problem(f"the configuration cannot be used, nothing was started:\n{error}") from error
    code: int = import_module("proxy.app").serve(config)
    return code
