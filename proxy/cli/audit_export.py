"""`kwit audit export`: the log for another program, as JSON lines on stdout, in a file, or through a named pipe."""

from __future__ import annotations

import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import click

from proxy.cli.audit_place import asked_place_options, reading
from proxy.cli.audit_policy import load
from proxy.cli.audit_question import filter_options, question_of
from proxy.cli.audit_server_feed import ServerFeed
from proxy.cli.audit_source import Files, ServerApi, server_option, source
from proxy.cli.client.problem import Problem, Unreachable
from proxy.cli.client.terminal import clock, say
from recordings.audit import cursor as cursors
from recordings.audit.cursor import Place
from recordings.audit.encode import rfc3339
from recordings.audit.feed import Fed, Feed, Feeding
from recordings.audit.native_event import native_event
from recordings.audit.policy.exported import exported
from recordings.audit.policy.policy import AuditPolicy
from recordings.audit.query import Record
from recordings.audit.question import Question
from recordings.audit.row import harmless_json

POLL_SECONDS = 0.5
RECONNECT_SECONDS = 5.0
"""Between two attempts to reach a server that is gone; each leaves a record there."""
SAVE_EVERY = 1_000
"""Records between two savings of the cursor: so many may come twice, under the same ids, after a crash."""

EPILOG = """\b
Examples:
  kwit audit export --since 7d --out week.ndjson
  kwit audit export --follow --cursor /var/lib/kwit/siem.cursor --out /run/siem.pipe
  kwit audit export --follow --format event --cursor falco.cursor | falco-feeder
  kwit audit export --server https://kwit.example.com --since 1d --out day.ndjson
"""


@dataclass(slots=True)
class Delivery:
    """Where records go, and how far they have gone: `saved` is behind what is safe there."""

    begin: Callable[[dict[str, Place]], Feeding]
    """The log as a stream, from these places on."""
    question: Question
    form: str
    cursor: Path | None
    policy: AuditPolicy | None = None
    saved: dict[str, Place] = field(default_factory=dict)
    delivered: int = 0
    filtered: int = 0
    kept_in: int = 0
    """By the policy."""
    lost: int = 0

    def once(self, out: BinaryIO) -> int:
        """All there is now; how many records. Raises OSError, and `saved` is then where to go on."""
        feed = self.begin(dict(self.saved))
        before, unsaved = self.delivered, 0
        for fed in feed.more():
            self._deliver(fed, out)
            unsaved += 1
            if unsaved >= SAVE_EVERY:
                self._save(feed, out)
                unsaved = 0
        if feed.places != self.saved:
            self._save(feed, out)
        return self.delivered - before

    def sentence(self) -> str:
        """What became of the records, for the person."""
        kept_in = f", {self.kept_in:,} kept in by the policy (--all takes them too)" if self.kept_in else ""
        return f"{self.delivered:,} records, {self.filtered:,} left out by the filters{kept_in}"

    def _deliver(self, fed: Fed, out: BinaryIO) -> None:
        import orjson

        if fed.lost:
            self.lost += fed.lost
            say(f"{fed.writer}: {fed.lost:,} records were removed before they were exported")
        if not self.question.matches(fed.record):
            self.filtered += 1
            return
        shown = self._shown(fed.record)
        if shown is None:
            self.kept_in += 1
            return
        line = orjson.dumps(shown, option=orjson.OPT_APPEND_NEWLINE)
        out.write(harmless_json(line.decode()).encode() if out.isatty() else line)
        self.delivered += 1

    def _shown(self, record: Record) -> Mapping[str, Any] | None:
        """None where the policy keeps it in."""
        event = record.get("event")
        if self.policy is not None and isinstance(event, dict):
            kept = exported(self.policy, event)
            if kept is None:
                return None
            record = {**record, "event": kept}
        return native_event(record) if self.form == "event" else record

    def _save(self, feed: Feeding, out: BinaryIO) -> None:
        out.flush()
        if self.cursor is not None:
            cursors.save(self.cursor, feed.places)
        self.saved = dict(feed.places)


@click.command("export", epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--follow", is_flag=True, is_eager=True, help="Go on with what comes; Ctrl-C ends it.")
@click.option(
    "--format",
    "form",
    type=click.Choice(("record", "event")),
    default="record",
    show_default=True,
    help="Whole records, or audit.k8s.io/v1 Events.",
)
@click.option(
    "--policy",
    metavar="FILE|PROFILE",
    help="Audit policy that decides what goes out, instead of the configuration's  [default: proxy]",
)
@click.option("--all", "everything", is_flag=True, help="All that the log holds, whatever the policy says.")
@click.option("--cursor", type=click.Path(path_type=Path), help="File that remembers how far it came.")
@click.option("--out", type=click.Path(path_type=Path), help="File (appended to) or named pipe; left out: stdout.")
@filter_options
@server_option
@asked_place_options
def export(
    *,
    follow: bool,
    form: str,
    policy: str | None,
    everything: bool,
    cursor: Path | None,
    out: Path | None,
    directory: Path | None,
    config: Path | None,
    server: str | None,
    **asked: Any,
) -> int:
    """Every record that matches, once each, in its writer's order; only what the log has signed.

    The audit policy decides which requests go out, and with which bodies; those of level None stay here, and --all
    takes them too. Records that are about no request always go out.

    With --cursor a later run goes on where this one ended; what a policy kept in then does not come again. After a
    crash some may come again: an Event's auditID and stage, or a record's id, say which. Exit code 1 where records were
    removed before they could be exported.
    """
    if everything and policy is not None:
        raise Problem("--all takes what every policy keeps in: give it or --policy", exit_code=2)
    found, question = source(directory, config, server), question_of(asked, clock())
    begin = _files(found.root, question) if isinstance(found, Files) else _server(found.api, question, follow=follow)
    delivery = Delivery(begin, question, form, cursor, None if everything else load(policy, config))
    if cursor is not None:
        delivery.saved = _saved(cursor)
    with suppress(KeyboardInterrupt):  # the way to end --follow
        _run(delivery, out, follow=follow)
    say(delivery.sentence())
    return 1 if delivery.lost else 0


def _run(delivery: Delivery, out: Path | None, *, follow: bool) -> None:
    """A named pipe whose reader went away is opened again, which waits for the next one."""
    while True:
        try:
            with _opened(out) as file:
                delivery.once(file)
                while follow:
                    time.sleep(POLL_SECONDS)
                    _again(delivery, file)
        except BrokenPipeError:
            if not (follow and out is not None and _is_pipe(out)):
                raise
        else:
            return


def _again(delivery: Delivery, file: BinaryIO) -> None:
    """A server that is restarted is waited for."""
    is_said = False
    while True:
        try:
            delivery.once(file)
        except Unreachable as error:
            if not is_said:
                say(f"{error}; trying again every {RECONNECT_SECONDS:.0f} s")
            is_said = True
            time.sleep(RECONNECT_SECONDS)
        else:
            return


def _files(root: Path, question: Question) -> Callable[[dict[str, Place]], Feeding]:
    since = "" if question.since is None else rfc3339(question.since)

    @dataclass(slots=True)
    class Readable(Feed):
        """Raises Problem where a file cannot be read."""

        def more(self) -> Iterator[Fed]:
            found = Feed.more(self)
            while (fed := reading(lambda: next(found, None), self.root)) is not None:
                yield fed

    return lambda places: Readable(root, places, since)


def _server(api: ServerApi, question: Question, *, follow: bool) -> Callable[[dict[str, Place]], Feeding]:
    """One connection, for as long as what it gave was saved."""
    feed = ServerFeed(api, since=question.since, follow=follow)

    def begin(places: dict[str, Place]) -> Feeding:
        nonlocal feed
        if not (feed.is_open and feed.places == places):
            feed = ServerFeed(api, places, question.since, follow)
        return feed

    return begin


@contextmanager
def _opened(out: Path | None) -> Iterator[BinaryIO]:
    """Raises OSError."""
    if out is None:
        yield sys.stdout.buffer
        return
    file = out.open("wb" if _is_pipe(out) else "ab")
    try:
        yield file
    finally:
        with suppress(BrokenPipeError):
            file.close()


def _is_pipe(path: Path) -> bool:
    try:
        return stat.S_ISFIFO(path.stat().st_mode)
    except FileNotFoundError:
        return False


def _saved(path: Path) -> dict[str, Place]:
    """Raises Problem."""
    try:
        return cursors.read(path)
    except cursors.CursorError as error:
        raise Problem(f"{path}: {error}", exit_code=2) from error
