"""`kwit audit hold add|rm|ls`: legal holds, which keep segments that are over their limits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from proxy.cli.audit_place import place, place_options, reading
from proxy.cli.client.problem import Problem
from proxy.cli.client.terminal import clock, say
from proxy.cli.help_pages import Family, examples
from proxy.cli.output import Column, output_option, show
from recordings.audit import holds
from recordings.audit.encode import rfc3339
from recordings.audit.question import moment

_T = TypeVar("_T")

COLUMNS = (
    Column("NAME", "name"),
    Column("SINCE", "since"),
    Column("UNTIL", "until"),
    Column("CREATED", "created", wide=True),
    Column("REASON", "reason"),
)


ADD = 'kwit audit hold add case-17 --reason "Smith v. Smith" --since 2026-01-01 --until 2026-02-01'
LS = "kwit audit hold ls"
RM = "kwit audit hold rm case-17"


@click.group("hold", cls=Family, context_settings={"help_option_names": ["-h", "--help"]}, epilog=examples(ADD, LS, RM))
def hold() -> None:
    """What must not be removed, whatever the log's retention says.

    Holds are in force at once, and the log records each change of them.
    """


@hold.command("add", epilog=examples(ADD))
@click.argument("name")
@click.option("--reason", required=True, help="Why; it is recorded.")
@click.option("--since", default="", help="Left out: from the beginning.")
@click.option("--until", default="", help="Left out: without end.")
@place_options
def add(*, name: str, reason: str, since: str, until: str, directory: Path | None, config: Path | None) -> None:
    """Hold what was recorded between two times."""
    root, now = place(directory, config), clock()
    begin, end = (reading(lambda one=one: _time(one, now), root) for one in (since, until))  # type: ignore[misc]
    _held(lambda: holds.add(root, holds.Hold(name, reason, begin, end, rfc3339(now))), root)
    say(f"{name} is in force.")


@hold.command("rm", epilog=examples(RM))
@click.argument("name")
@place_options
def rm(*, name: str, directory: Path | None, config: Path | None) -> None:
    """End a hold; what it kept may be removed within a minute."""
    root = place(directory, config)
    _held(lambda: holds.remove(root, name), root)
    say(f"{name} is over.")


@hold.command("ls", epilog=examples(LS))
@place_options
@output_option
def ls(*, form: str, directory: Path | None, config: Path | None) -> None:
    """The holds that are in force."""
    root = place(directory, config)
    found = holds.as_json(_held(lambda: holds.read(root), root))
    if not found and form in ("table", "wide"):
        say("There are no holds.")
        return
    click.echo(show(found, COLUMNS, form, clock()), nl=False)


def _time(text: str, now: float) -> str:
    """Raises QuestionError."""
    return rfc3339(moment(text, now)) if text else ""


def _held(do: Callable[[], _T], root: Path) -> _T:
    """Raises Problem."""
    try:
        return reading(do, root)
    except holds.HoldError as error:
        raise Problem(str(error), exit_code=2) from error
