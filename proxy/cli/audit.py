"""`kwit audit`: the log, asked where its files are, or through the server with one's login."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from proxy.cli.audit_blob import blob
from proxy.cli.audit_export import export
from proxy.cli.audit_hold import hold
from proxy.cli.audit_listing import Stream, show_records, stream_json
from proxy.cli.audit_place import asked_place_options, reading
from proxy.cli.audit_policy import command as policy
from proxy.cli.audit_prove import prove
from proxy.cli.audit_question import filter_options, question_of
from proxy.cli.audit_source import Files, Source, server_option, source
from proxy.cli.audit_sql import sql
from proxy.cli.audit_stats import stats
from proxy.cli.audit_timeline import timeline
from proxy.cli.audit_types import types
from proxy.cli.audit_verify import verify
from proxy.cli.client.problem import Problem
from proxy.cli.client.terminal import clock, say
from proxy.cli.help_pages import Family, examples
from proxy.cli.output import FORMS, output_choice, output_option
from recordings.audit.query import Record, oldest_first, subjects
from recordings.audit.question import Question, at, certificates
from recordings.audit.row import harmless, row


@click.group(
    "audit",
    cls=Family,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "kwit audit tail -f                                    what happens now",
        "kwit audit search --user ada@example.com --since 2h   what she did",
        "kwit audit search --decision deny --since 1d          who was refused what",
        "kwit audit search --verb exec -n shop -o wide         shells, with role and login",
        "kwit audit show 0199aef2-51c4                         everything about one request",
        "kwit audit timeline ada@example.com --since 1d        her day, in a page",
        'kwit audit sql "SELECT verb, count(*) FROM records GROUP BY 1"',
        "kwit audit verify --key audit-root.key.pub            is it what was written?",
    ),
)
def command() -> None:
    """Follow, search and show the log."""


command.add_command(policy)
command.add_command(verify)
command.add_command(prove)
command.add_command(sql)
command.add_command(stats)
command.add_command(timeline)
command.add_command(types)
command.add_command(export)
command.add_command(hold)
command.add_command(blob)


@command.command("tail", epilog="\b\nExample:\n  kwit audit tail -f --user ada@example.com\n")
@click.option("-f", "--follow", is_flag=True, is_eager=True, help="Go on; Ctrl-C ends it.")
@click.option("--lines", type=click.IntRange(min=0), default=10, show_default=True, help="How many, to begin with.")
@filter_options
@asked_place_options
@server_option
@output_option
def tail(
    *,
    follow: bool,
    lines: int,
    directory: Path | None,
    config: Path | None,
    server: str | None,
    form: str,
    **asked: Any,
) -> None:
    """The newest records, and with -f those that come."""
    asks, question = source(directory, config, server), question_of(asked, clock())
    if not follow:
        show_records(asks.newest(question, lines)[0] if lines else [], form, clock())
        return
    _follow(asks, question, lines, form)


def _follow(asks: Source, question: Question, lines: int, form: str) -> int:
    stream = Stream(form)
    with suppress(KeyboardInterrupt):  # the way to end it, and no failure
        for records in asks.follow(question, lines):
            stream.show(records)
    return 0


@command.command(
    "search",
    epilog="\b\nExamples:\n"
    "  kwit audit search --resource secrets --since 7d\n"
    "  kwit audit search --user ada@example.com --limit 0 -o json | jq .event.requestURI\n",
)
@click.option(
    "--limit", type=click.IntRange(min=0), default=100, show_default=True, help="The newest so many; 0 is all."
)
@click.option("-f", "--follow", is_flag=True, is_eager=True, help="And go on with those that come; Ctrl-C ends it.")
@filter_options
@asked_place_options
@server_option
@output_choice(*FORMS, "csv")
def search(
    *,
    limit: int,
    follow: bool,
    directory: Path | None,
    config: Path | None,
    server: str | None,
    form: str,
    **asked: Any,
) -> int:
    """Find records; exit code 1 when there is none."""
    asks, question = source(directory, config, server), question_of(asked, clock())
    if follow:
        if not limit or form == "csv":
            raise Problem("-f begins with the newest so many, as a table or JSON: give --limit a number", exit_code=2)
        return _follow(asks, question, limit, form)
    if limit == 0 and form == "json" and isinstance(asks, Files):
        return reading(lambda: stream_json(oldest_first(asks.root, question)), asks.root)
    found, is_more = asks.newest(question, limit)
    if is_more:
        all_of_them = "--limit 0 shows all, " if isinstance(asks, Files) else ""
        say(f"The newest {len(found)} of more; {all_of_them}--since and the filters narrow.")
    if not found:
        say("Nothing matches. Each option narrows: leave one out, or look further back with --since.")
        return 1
    show_records(found, form, clock())
    return 0


@command.command("show", epilog="\b\nExample:\n  kwit audit show 0199aef2-51c4-7d3a-9f60-1c2b3a4d5e6f\n")
@click.argument("wanted", metavar="ID")
@asked_place_options
@server_option
@output_option
def show(*, wanted: str, directory: Path | None, config: Path | None, server: str | None, form: str) -> None:
    """Everything about one request: its records, the login and the certificate behind it.

    ID is that of a record or a request (`search -o name` lists them, kubectl shows a request's as Audit-Id with -v=8),
    or its first characters.
    """
    found = source(directory, config, server).story(wanted)
    if not found:
        raise Problem(f"no record has the id {harmless(wanted)[:80]}; `kwit audit search -o name` lists ids")
    meant = subjects([record for record in found if _begins(record, wanted)], wanted)
    if len(meant) > 1:
        some = ", ".join(harmless(one) for one in meant[:5])
        raise Problem(
            f"{harmless(wanted)} is the beginning of {len(meant)} ids ({some} …); give more of it", exit_code=2
        )
    if form in ("table", "wide"):
        click.echo("\n".join(_described(record) for record in found))
    else:
        show_records(found, form, clock())


def _begins(record: Mapping[str, Any], wanted: str) -> bool:
    return Question(id=wanted).matches(record)


_LABELS = {
    "user": "User",
    "groups": "Groups",
    "action": "Action",
    "object": "Object",
    "namespace": "Namespace",
    "cluster": "Cluster",
    "code": "Status",
    "role": "Role",
    "rule": "Rule",
    "reason": "Reason",
    "source": "Source",
    "login": "Login",
    "id": "Id",
}


def _described(record: Record) -> str:
    """A record as a paragraph, for people."""
    one = row(record)
    lines = [f"{one['time']}  {harmless(str(record.get('type', '')))}  {one['result']}"]
    lines += [f"  {label + ':':<12} {one[key]}" for key, label in _LABELS.items() if one[key]]
    body = record.get("body")
    more = {
        "Request": at(record, "event", "requestURI"),
        "Agent": at(record, "event", "userAgent"),
        "Message": at(record, "event", "responseStatus", "message"),
        "Certificate": ",".join(certificates(record)),
        "Cut": f"`kwit audit blob {record['blob']}` is all of it" if record.get("blob") else "",
        **({str(key): value for key, value in body.items() if key != "reason"} if isinstance(body, dict) else {}),
    }
    lines += [
        f"  {harmless(key) + ':':<12} {harmless(str(value))}" for key, value in more.items() if value not in (None, "")
    ]
    return "\n".join(lines) + "\n"
