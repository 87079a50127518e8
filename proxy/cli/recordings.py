"""`kwit recordings ls|show|text|search|export|verify|rm|follow`: what was recorded of shells, attaches and copies."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import click

from proxy.cli.client.problem import Problem
from proxy.cli.client.terminal import clock, say
from proxy.cli.help_pages import Family, examples
from proxy.cli.output import Column, output_option, relative, rfc3339, show, structured
from proxy.cli.play import opened, show_text
from proxy.cli.recordings_source import Folder, Recording, Server, row_of, source, source_options
from proxy.cli.recordings_verify import verify
from proxy.cli.terminal_player import RESET, highlighted
from recordings.audit.question import moment as time_from
from recordings.audit.row import harmless
from recordings.errors import QuestionError, RecordingsError
from recordings.recorder.footer import Footer
from recordings.recorder.head import RecordingHead
from recordings.recorder.moment import OUTPUT
from recordings.replay.search import Hit, hits
from recordings.replay.shelf import Wanted
from recordings.replay.terminal_filter import TerminalFilter
from recordings.replay.transcript import Origin, transcript

DEFAULT_LIMIT = 100
FORMATS = ("asciicast", "asciicast-v2", "text", "jsonl", "html")
_F = TypeVar("_F", bound=Callable[..., Any])

COLUMNS = (
    Column("ID", "name"),
    Column("AGE", "age", lambda value, _: relative(value)),
    Column("USER", "user"),
    Column("CLUSTER", "cluster"),
    Column("NAMESPACE", "namespace"),
    Column("POD", "pod"),
    Column("CONTAINER", "container", wide=True),
    Column("NODE", "node", wide=True),
    Column("IMAGE", "image", wide=True),
    Column("LENGTH", "duration", lambda value, _: relative(max(value, 1))),
    Column("EXIT", "exit"),
    Column("COMMAND", "command", lambda value, _: str(value)[:60]),
    Column("IN", "received", wide=True),
    Column("OUT", "sent", wide=True),
    Column("SOURCE", "source", wide=True),
    Column("ROLE", "role", wide=True),
    Column("REQUEST", "audit_id", wide=True),
)


def filter_options(function: _F) -> _F:
    """Which recordings; each narrows."""
    options = (
        click.option("--user", default="", help="Username of the person."),
        click.option("--cluster", default="", help="Cluster."),
        click.option("-n", "--namespace", default="", help="Namespace of the pod."),
        click.option("--pod", default="", help="Pod, or what it is called before its last dash."),
        click.option("--since", default="", help="2h, 7d, 2026-01-31, 2026-01-31T08:00:00Z."),
        click.option("--until", default="", help="The same; not included."),
        click.option(
            "--limit",
            type=click.IntRange(1, 1000),
            default=DEFAULT_LIMIT,
            show_default=True,
            help="The newest so many.",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.group(
    "recordings",
    cls=Family,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "kwit recordings ls --user ada@example.com --since 7d     what she did in shells",
        "kwit recordings search DROP --namespace shop             where that was drawn or typed",
        "kwit recordings text 4kq2…                               read one",
        "kwit recordings export 4kq2… --format html --to a.html   a page with a player",
        "kwit play 4kq2…                                          watch it",
    ),
)
def command() -> None:
    """Find, read and export recordings."""


command.add_command(verify)


@command.command("ls", epilog="\b\nExample:\n  kwit recordings ls --pod web --since 2d --text passwd\n")
@filter_options
@click.option("--text", default="", help="Drawn or typed anywhere in it; reads every recording that the rest leaves.")
@source_options
@output_option
def ls(*, directory: Path | None, server: str | None, limit: int, form: str, **asked: Any) -> int:
    """The newest recordings that you may list; exit code 1 when there is none."""
    fields, more = source(directory, server).rows(_wanted(asked), limit)
    now = clock()
    if not fields:
        say("No recording fits. Each option narrows: leave one out, or look further back with --since.")
    if not fields and form not in ("json", "yaml"):
        return 1
    click.echo(show([row_of(one, now) for one in fields], COLUMNS, form, now, {"started": rfc3339}), nl=False)
    if more:
        say(f"The newest {limit} of more; the filters and --until narrow, --limit shows more.")
    return 0 if fields else 1


@command.command("show", epilog=examples("kwit recordings show 4kq2…"))
@click.argument("recording", metavar="ID|FILE")
@source_options
@output_option
def describe(*, recording: str, directory: Path | None, server: str | None, form: str) -> None:
    """What one recording is of, how it ended, and the commands that were typed (a guess from keys and echo)."""
    with _readable():
        one = opened(recording, directory, server)
        lines = [line for line in transcript(one.head, one.moments()) if line.origin is Origin.COMMAND]
    facts = _facts(one.head, one.footer)
    if form in ("json", "yaml"):
        commands = [{"at": line.at / 1_000_000, "text": line.text} for line in lines]
        click.echo(structured(facts | {"commands": commands}, form))
        return
    if form == "name":
        click.echo(one.head.id)
        return
    for name, value in facts.items():
        if value not in ("", None):
            click.echo(f"{name + ':':<11} {harmless(_ending(value) if isinstance(value, dict) else str(value))}")
    if one.footer is None:
        click.echo("end:        none: it is still being made, or was interrupted")
    if one.head.hides_input:
        click.echo("input:      what did not come back on the screen is kept as its length")
    click.echo("commands:   (a guess from keys and echo)" if lines else "commands:   none that could be told")
    for line in lines:
        click.echo(f"  {_time(line.at)}  {line.text}")


def _facts(head: RecordingHead, footer: Footer | None) -> dict[str, Any]:
    end = {} if footer is None else {key: getattr(footer, key) for key in ("ended", "exit_code", "message", "why")}
    return {
        "id": head.id,
        "user": head.username,
        "cluster": head.cluster,
        "namespace": head.namespace,
        "pod": head.pod,
        "container": head.container,
        "image": "" if footer is None else footer.image,
        "node": "" if footer is None else footer.node,
        "command": " ".join(head.command) or head.subresource,
        "started": rfc3339(head.started),
        "seconds": None if footer is None else footer.duration / 1_000_000,
        "received": None if footer is None else footer.received,
        "sent": None if footer is None else footer.sent,
        "source": head.source,
        "role": head.role,
        "request": head.audit_id,
        "end": end or None,
    }


def _ending(end: dict[str, Any]) -> str:
    """`exited, exit code 3`; of texts what there is."""
    parts = [
        end["ended"],
        "" if end["exit_code"] is None else f"exit code {end['exit_code']}",
        end["message"],
        end["why"],
    ]
    return ", ".join(part for part in parts if part)


@command.command("text", epilog=examples("kwit recordings text 4kq2… | grep passwd"))
@click.argument("recording", metavar="ID|FILE")
@click.option("--typed", is_flag=True, help="Also what was typed, as it was sent; it may hold passwords.")
@source_options
def text(*, recording: str, typed: bool, directory: Path | None, server: str | None) -> None:
    """Every line that was ever drawn, wiped and overwritten ones too."""
    with _readable():
        show_text(opened(recording, directory, server), typed=typed)


@command.command("search", epilog="\b\nExample:\n  kwit recordings search 'curl http' --since 7d\n")
@click.argument("wanted", metavar="TEXT")
@click.argument("recording", metavar="[ID|FILE]", required=False)
@filter_options
@source_options
def search(
    *, wanted: str, recording: str | None, directory: Path | None, server: str | None, limit: int, **asked: Any
) -> int:
    """Where a text was drawn or typed, in one recording or in all that fit; exit code 1 when nowhere."""
    if not wanted:
        raise Problem("search for what? Give a text", exit_code=2)
    if recording is not None:
        with _readable():
            code = _told(opened(recording, directory, server), wanted)
        if code:
            say("Nowhere in this recording.")
        return code
    place = source(directory, server)
    fields, more = place.rows(_wanted({**asked, "text": wanted}), limit)
    for one in fields:
        with _readable():
            _told(place.open(one["head"]["id"]), wanted)
    if more:
        say(f"The newest {limit} recordings of more; the filters and --until narrow.")
    if not fields:
        say(
            "Nowhere in the recordings that fit. Each option narrows: leave one out, or look further back with --since."
        )
    return 0 if fields else 1


@command.command("export", epilog="\b\nExample:\n  kwit recordings export 4kq2… --format html --to incident-42.html\n")
@click.argument("recording", metavar="ID|FILE")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="asciicast", show_default=True, help="What to make of it."
)
@click.option("--to", "target", type=click.Path(path_type=Path), help="Write this file, readable by you alone.")
@click.option("--with-input", is_flag=True, help="Also what was typed; it may hold passwords.")
@source_options
def export(
    *, recording: str, form: str, target: Path | None, with_input: bool, directory: Path | None, server: str | None
) -> None:
    """One recording as asciicast v3 or v2, text, JSON lines (every byte), or a page with a player."""
    if target is None and form != "text" and sys.stdout.isatty():
        raise Problem("that is not for a terminal; add --to FILE, or a pipe", exit_code=2)
    with _readable():
        parts = _exported(opened(recording, directory, server), form, with_input=with_input)
        if target is None:
            for part in parts:
                click.echo(part, nl=False)
        else:
            _write(target, parts)
            say(f"wrote {target}")


@command.command("rm", epilog=examples("kwit recordings rm 4kq2…"))
@click.argument("recordings", metavar="ID...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--server", help="Of which server  [default: the last one]")
def rm(*, recordings: tuple[str, ...], yes: bool, server: str | None) -> None:
    """Remove recordings, if a role lets you; the server records who removed what, with its digest."""
    place = source(None, server)
    assert isinstance(place, Server)
    if not yes and not click.confirm(f"Remove {len(recordings)} recording(s) for good?", err=True):
        raise click.Abort
    for recording in recordings:
        place.remove(recording)
        say(f"removed {recording}")


@command.command("follow", epilog=examples("kwit recordings follow 4kq2…"))
@click.argument("recording", metavar="ID")
@source_options
def follow(*, recording: str, directory: Path | None, server: str | None) -> None:
    """Watch a shell that is still open, until it ends; Ctrl-C leaves it."""
    filtered, is_terminal = TerminalFilter(), sys.stdout.isatty()
    with suppress(KeyboardInterrupt), _readable():
        try:
            for one in source(directory, server).follow(recording, time.sleep):
                if one.kind in OUTPUT:
                    click.echo(filtered.feed(one.data), nl=False)
        finally:
            if is_terminal:
                click.echo(RESET)


# -- asking


def _wanted(asked: dict[str, Any]) -> Wanted:
    """Raises Problem."""
    now = clock()
    since, until = asked.pop("since", ""), asked.pop("until", "")
    try:
        return Wanted(
            **asked,
            since=time_from(since, now) if since else None,
            until=time_from(until, now) if until else None,
        )
    except QuestionError as error:
        raise Problem(f"expected {error}", exit_code=2) from error


@contextmanager
def _readable() -> Iterator[None]:
    """Raises Problem where a recording breaks off."""
    try:
        yield
    except RecordingsError as error:
        raise Problem(f"the recording cannot be read further: {error}; `kwit recordings verify` says more") from error


# -- showing


def _told(one: Recording, wanted: str) -> int:
    found = False
    for hit in hits(one.head, one.moments(), wanted):
        if not found:
            head = one.head
            click.secho(f"{head.id}  {rfc3339(head.started)}  {harmless(head.username)}  ", bold=True, nl=False)
            click.secho(harmless(f"{head.cluster}/{head.namespace}/{head.pod}"), bold=True)
        found = True
        click.echo(f"  {_time(hit.line.at)}  {hit.line.origin:<7}  {_marked(hit)}")
    return 0 if found else 1


def _marked(hit: Hit) -> str:
    """Click takes the colours out where it is no terminal."""
    return highlighted(hit, "\x1b[1;31m", "\x1b[0m")


def _time(at: int) -> str:
    seconds = at // 1_000_000
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


# -- exporting


def _exported(one: Recording, form: str, *, with_input: bool) -> Iterable[str]:
    from recordings.replay.asciicast import asciicast
    from recordings.replay.commands import Command
    from recordings.replay.html_page import page
    from recordings.replay.jsonl import written_to_end

    lines = list(transcript(one.head, one.moments())) if form not in ("jsonl", "text") else []
    if form == "jsonl":
        return written_to_end(one.head, one.moments(), lambda: one.footer)
    if form == "text":
        origins = {Origin.DRAWN, Origin.STDOUT, Origin.STDERR, Origin.HIDDEN} | (
            {Origin.TYPED} if with_input else set()
        )
        return (f"{line.text}\n" for line in transcript(one.head, one.moments()) if line.origin in origins)
    if form == "html":
        return [page(one.head, one.moments(), one.footer, lines, with_input=with_input)]
    commands = sorted((Command(line.at, line.text) for line in lines if line.origin is Origin.COMMAND), key=_at)
    version = 2 if form == "asciicast-v2" else 3
    return asciicast(one.head, one.moments(), one.footer, version=version, commands=commands, with_input=with_input)


def _at(command: Any) -> int:
    at: int = command.at
    return at


def _write(target: Path, parts: Iterable[str]) -> None:
    """A new file, 0600: it holds what somebody saw."""
    try:
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise Problem(f"{target} is there already; give another name") from error
    with os.fdopen(fd, "w", encoding="utf-8", newline="") as file:
        file.writelines(parts)


__all__ = ["Folder", "command"]
