"""`kwit audit export`: the log for another program, as JSON lines on stdout, in a file, or through a named pipe."""

from __future__ import annotations

import stat
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import click

from proxy.cli.audit_place import asked_place_options, place, reading
from proxy.cli.audit_policy import load
from proxy.cli.audit_question import filter_options, question_of
from proxy.cli.client.problem import Problem
from proxy.cli.client.terminal import clock, say
from recordings.audit import cursor as cursors
from recordings.audit.cursor import Place
from recordings.audit.encode import rfc3339
from recordings.audit.feed import Fed, Feed
from recordings.audit.native_event import native_event
from recordings.audit.policy.exported import exported
from recordings.audit.policy.policy import AuditPolicy
from recordings.audit.query import Record
from recordings.audit.question import Question
from recordings.audit.row import harmless_json

POLL_SECONDS = 0.5
SAVE_EVERY = 1_000
"""Records between two savings of the cursor: so many may come twice, under the same ids, after a crash."""

EPILOG = """\b
Examples:
  kwit audit export --since 7d --out week.ndjson
  kwit audit export --follow --cursor /var/lib/kwit/siem.cursor --out /run/siem.pipe
  kwit audit export --follow --format event --cursor falco.cursor | falco-feeder
"""


@dataclass(slots=True)
class Delivery:
    """Where records go, and how far they have gone: `saved` is behind what is safe there."""

    root: Path
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
        since = "" if self.question.since is None else rfc3339(self.question.since)
        feed = Feed(self.root, dict(self.saved), since)
        before, unsaved = self.delivered, 0
        for fed in feed.more():
            self._deliver(fed, out)
            unsaved += 1
            if unsaved >= SAVE_EVERY:
                self._save(feed, out)
                unsaved = 0
        if unsaved:
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

    def _save(self, feed: Feed, out: BinaryIO) -> None:
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
    root, question = place(directory, config), question_of(asked, clock())
    delivery = Delivery(root, question, form, cursor, None if everything else load(policy, config))
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
                reading(lambda: delivery.once(file), delivery.root)
                while follow:
                    time.sleep(POLL_SECONDS)
                    reading(lambda: delivery.once(file), delivery.root)
        except BrokenPipeError:
            if not (follow and out is not None and _is_pipe(out)):
                raise
        else:
            return


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
