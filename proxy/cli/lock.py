"""`kwit lock add|ls|show|rm`: stop somebody now, and let them go on."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from auth.lock_making import LockWish
from auth.locks import LockKind
from proxy.cli.client.problem import Problem
from proxy.cli.client.terminal import clock, say
from proxy.cli.help_pages import Family, examples
from proxy.cli.lock_place import Fields, place, place_options
from proxy.cli.output import Column, output_option, relative, show, structured
from recordings.audit.question import moment
from recordings.audit.row import harmless
from recordings.errors import QuestionError

ADD = 'kwit lock add --user mallory@example.com --reason "stolen laptop"'
FOR = "kwit lock add --group contractors --for 2h --show-reason --reason 'audit until noon'"
COLUMNS = (
    Column("ID", "name"),
    Column("STOPS", "stops"),
    Column("AGE", "age", lambda value, _: relative(max(value, 1))),
    Column("ENDS IN", "left", lambda value, _: relative(max(value, 1))),
    Column("BY", "by"),
    Column("REASON", "reason"),
    Column("SHOWN", "shown", wide=True),
)


@click.group(
    "lock",
    cls=Family,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(ADD, FOR, "kwit lock ls", "kwit lock rm 4kq2mfvh3xy6znr5bt7wajc2de"),
)
def command() -> None:
    """Stop a person, a group, a login or a whole cluster, now.

    Whoever is locked is refused at the next request; their shells and watches are cut within seconds; they get no new
    certificate and cannot sign in. It needs a role that names `locks` of kubewitness.dev.
    """


@command.command("add", epilog=examples(ADD, FOR, "kwit lock add --cluster prod --everyone --reason incident-42"))
@click.option("--user", help="Username, as `kwit audit search` shows it; under any other name too, once known.")
@click.option("--group", help="Everybody in this group, whichever provider says so.")
@click.option("--login", help="One login, by its id.")
@click.option("--cluster", help="Everybody, on this cluster alone.")
@click.option("--reason", default="", help="Why; it is recorded.")
@click.option("--show-reason", is_flag=True, help="Whoever is locked reads the reason too.")
@click.option("--for", "span", help="30m, 2h, 7d; left out: until it is removed.")
@click.option("--until", help="2026-01-31T08:00:00Z, or 2026-01-31.")
@click.option("--myself", is_flag=True, help="Yes, it stops me as well.")
@click.option("--everyone", is_flag=True, help="Yes, it stops everybody.")
@place_options
def add(
    *,
    reason: str,
    show_reason: bool,
    span: str | None,
    until: str | None,
    myself: bool,
    everyone: bool,
    server: str | None,
    config: Path | None,
    **named: str | None,
) -> None:
    """Lock somebody out, at once."""
    given = [(kind, name) for kind, name in named.items() if name is not None]
    if len(given) != 1:
        raise Problem("lock whom? Give one of --user, --group, --login, --cluster", exit_code=2)
    if span is not None and until is not None:
        raise Problem("give --for or --until, not both", exit_code=2)
    kind, name = given[0]
    ends = None if until is None else _time(until)
    wish = LockWish(kind, name, reason, ends, show_reason, myself, everyone)
    seconds = None if span is None else _seconds(span)
    lock, stops = place(server, config).add(wish, seconds)
    end = "" if lock.get("until") is None else f" until {lock['until'].partition('.')[0]}Z"
    click.echo(f"Locked {_stops(lock)}{end}: {lock['id']}")
    if stops:
        say(f"It stops {stops} login{'s'[: stops > 1]} now.")
    elif kind in (LockKind.USER, LockKind.GROUP):
        say(f"Nobody who is signed in is of this {kind}. Is that the name as `kwit audit search -o wide` shows it?")


@command.command("ls", epilog=examples("kwit lock ls -o wide"))
@place_options
@output_option
def ls(*, server: str | None, config: Path | None, form: str) -> None:
    """The locks in force that you may list, the oldest first."""
    found, now = place(server, config).locks(), clock()
    if form in ("json", "yaml"):
        click.echo(structured(found, form))
        return
    if not found:
        say("Nobody is locked.")
        return
    click.echo(show([_row(one, now) for one in found], COLUMNS, form, now), nl=False)


@command.command("show", epilog=examples("kwit lock show 4kq2mfvh3xy6znr5bt7wajc2de"))
@click.argument("lock", metavar="ID")
@place_options
@output_option
def describe(*, lock: str, server: str | None, config: Path | None, form: str) -> None:
    """All about one lock."""
    found = place(server, config).show(lock)
    if form in ("json", "yaml"):
        click.echo(structured(found, form))
        return
    if form == "name":
        click.echo(found["id"])
        return
    facts = {
        "id": found["id"],
        "stops": _stops(found),
        "made": f"{found['created'].partition('.')[0]}Z by {found['by']}",
        "until": "it is removed" if found["until"] is None else f"{found['until'].partition('.')[0]}Z",
        "reason": found["reason"] + (" (shown to whoever is locked)" if found["shows_reason"] else ""),
        "persons": ", ".join(f"{one['issuer']} {one['subject']}" for one in found["persons"]),
    }
    for name, value in facts.items():
        if value:
            click.echo(f"{name + ':':<9}{harmless(value)}")


@command.command("rm", epilog=examples("kwit lock rm 4kq2mfvh3xy6znr5bt7wajc2de"))
@click.argument("locks", metavar="ID...", nargs=-1, required=True)
@place_options
def rm(*, locks: tuple[str, ...], server: str | None, config: Path | None) -> None:
    """Let whoever was locked go on: with the next request, by the login they had if it still lives."""
    at = place(server, config)
    for lock in locks:
        at.remove(lock)
        say(f"removed {lock}")


def _seconds(text: str) -> int:
    """Raises Problem."""
    now = 0.0
    try:
        seconds = now - moment(text, now)
    except QuestionError:
        seconds = 0.0
    if seconds <= 0:
        raise Problem(f"expected --for a time like 30m, 2h or 7d; got {text[:60]!r}", exit_code=2)
    return int(seconds)


def _time(text: str) -> float:
    """Raises Problem."""
    now = clock()
    try:
        at = moment(text, now)
    except QuestionError as error:
        raise Problem(f"expected {error}", exit_code=2) from error
    if at <= now:
        raise Problem(f"--until {text[:60]} is over already; give a time to come, or --for 2h", exit_code=2)
    return at


def _stops(lock: Fields) -> str:
    return harmless(f"{lock['kind']} {lock['name']}")


def _row(lock: Fields, now: float) -> dict[str, Any]:
    ends = lock.get("until")
    return {
        "name": lock["id"],
        "stops": _stops(lock),
        "age": now - _at(lock["created"]),
        "left": None if ends is None else _at(ends) - now,
        "by": lock.get("by", ""),
        "reason": lock.get("reason", ""),
        "shown": "yes" if lock.get("shows_reason") else "no",
    }


def _at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
