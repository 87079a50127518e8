"""Where a log's files are, as `kwit audit` is told or finds it, and what is said where they cannot be read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from proxy.cli.audit_bucket import SCHEME, fetched
from proxy.cli.byte_bar import byte_bar
from proxy.cli.client.problem import Problem
from recordings.errors import QuestionError

DEFAULT_CONFIG = Path("kwit.yaml")
DEFAULT_DIRECTORY = Path("kwit-data/audit")

_F = TypeVar("_F", bound=Callable[..., Any])
_T = TypeVar("_T")


def place_options(function: _F) -> _F:
    """`--dir` and `-c`, of which one at most is needed."""
    directory = click.option(
        "--dir", "directory", type=click.Path(path_type=Path), help="The log's directory, or a copy of it."
    )
    return directory(config_option(function))


def asked_place_options(function: _F) -> _F:
    """The same where the log is only read: `--dir` also takes `s3://BUCKET/PREFIX`, fetched until the command ends.

    `follow` and `server` of the command have to be eager: nothing is fetched for what cannot be answered.
    """
    directory = click.option(
        "--dir",
        "directory",
        metavar="DIR|S3 URL",
        callback=_brought,
        help="The log's directory, or a copy of it; or s3://BUCKET/PREFIX.",
    )
    return directory(config_option(function))


def _brought(context: click.Context, _option: click.Parameter, text: str | None) -> Path | None:
    """Raises Problem."""
    if text is None or not text.startswith(SCHEME):
        return None if text is None else Path(text)
    if context.params.get("follow"):
        raise Problem(f"{text} is fetched once, and nothing comes after that: leave --follow out", exit_code=2)
    if context.params.get("server") is not None:
        raise Problem("--server asks a server and --dir or -c files: give one of them", exit_code=2)
    shown = sys.stderr.isatty()
    return context.with_resource(fetched(text, lambda total: byte_bar(total if shown else 0)))


def config_option(function: _F) -> _F:
    return click.option(
        "-c",
        "--config",
        type=click.Path(path_type=Path),
        help="Or: the kwit.yaml that names it  [default: ./kwit.yaml]",
    )(function)


def place(directory: Path | None, config: Path | None) -> Path:
    """Where the log is. Raises Problem."""
    if directory is None and (config is not None or DEFAULT_CONFIG.exists()):
        from proxy.config import Config, ConfigError

        try:
            directory = Config.load(config or DEFAULT_CONFIG).audit_directory
        except ConfigError as error:
            raise Problem(f"{error}\nOr name the log's directory with --dir") from error
    directory = directory or DEFAULT_DIRECTORY
    if not directory.is_dir():
        raise Problem(f"there is no audit log in {directory}; name its directory with --dir, or the config with -c")
    return directory


def reading(read: Callable[[], _T], root: Path) -> _T:
    """Raises Problem where the files cannot be read."""
    try:
        return read()
    except QuestionError as error:
        raise Problem(f"expected {error}", exit_code=2) from error
    except PermissionError as error:
        raise Problem(
            f"{error.filename or root} may not be read by you; run this as the user that runs kwit, or on a copy"
        ) from error
