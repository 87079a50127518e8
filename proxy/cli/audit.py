"""`kwit audit tail|search|show|verify|prove`: the log's files, read on the host that has them or from a copy."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.cells import cell_len, set_cell_size

from proxy.cli.audit_place import place, place_options, reading
from proxy.cli.audit_policy import command as policy
from proxy.cli.audit_prove import prove
from proxy.cli.audit_verify import verify
from proxy.cli.client.problem import Problem
from proxy.cli.client.terminal import clock, say
from proxy.cli.output import output_option, relative
from recordings.audit.query import Follower, Record, newest, oldest_first, story, subjects
from recordings.audit.question import Decision, Question, at, certificates, moment
from recordings.audit.record import RecordType
from recordings.audit.row import harmless, harmless_json, is_harmless, row
from recordings.errors import QuestionError

POLL_SECONDS = 0.25
"""Between two looks of `tail -f`: sooner than a person notices, and nothing for the disk."""
MIN_CELL = 6
"""Characters that a column keeps on a narrow terminal."""

NARROW = ("age", "user", "action", "object", "namespace", "cluster", "result", "code")
WIDE = ("time", *NARROW[1:], "source", "role", "rule", "reason", "groups", "login", "id")
_COLOURS = {"refused": "red", "failed": "red", "aborted": "yellow", "unknown-after-crash": "yellow"}
_FIXED = ("age", "time", "action", "result", "code")
"""Never cut: half a number or a result says something else."""
_LEAST = ("groups", "login", "id", "source", "rule", "role", "reason", "cluster", "namespace", "code", "action")
"""What a terminal too narrow goes without, first to last."""
_GAP = "   "

_F = TypeVar("_F", bound=Callable[..., Any])


def filter_options(function: _F) -> _F:
    """The options of a question; each narrows."""
    options = (
        click.option("--user", default="", help="Username of the person."),
        click.option("--group", default="", help="One of the person's groups."),
        click.option("--verb", default="", help="get, list, create, delete, exec …"),
        click.option("--resource", default="", help="pods, pods/exec, deployments.apps …"),
        click.option("-n", "--namespace", default="", help="Namespace of the object."),
        click.option("--name", default="", help="Name of the object."),
        click.option("--cluster", default="", help="Cluster."),
        click.option("--decision", type=click.Choice([str(one) for one in Decision]), help="What was decided."),
        click.option("--source", default="", help="Address, or network as 10.1.0.0/16."),
        click.option("--type", "kind", type=click.Choice([str(one) for one in RecordType]), help="Type of record."),
        click.option("--id", "wanted", default="", help="Id of a record or request, or its beginning."),
        click.option("--text", default="", help="Anywhere in the record."),
        click.option("--since", default="", help="2h, 7d, 2026-01-31, 2026-01-31T08:00:00Z."),
        click.option("--until", default="", help="The same; not included."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.group("audit", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    r"""Follow, search and show the log.

    \b
    Examples:
      kwit audit tail -f                                    what happens now
      kwit audit search --user ada@example.com --since 2h   what she did
      kwit audit search --decision deny --since 1d          who was refused what
      kwit audit search --verb exec -n shop -o wide         shells, with role and login
      kwit audit show 0199aef2-51c4                         everything about one request
      kwit audit verify --key audit-root.key.pub            is it what was written?
    """


command.add_command(policy)
command.add_command(verify)
command.add_command(prove)


@command.command("tail", epilog="\b\nExample:\n  kwit audit tail -f --user ada@example.com\n")
@click.option("-f", "--follow", is_flag=True, help="Go on; Ctrl-C ends it.")
@click.option("--lines", type=click.IntRange(min=0), default=10, show_default=True, help="How many, to begin with.")
@filter_options
@place_options
@output_option
def tail(*, follow: bool, lines: int, directory: Path | None, config: Path | None, form: str, **asked: Any) -> None:
    """The newest records, and with -f those that come."""
    follower = Follower(place(directory, config), _question(asked))
    first = reading(lambda: follower.start(lines), follower.root)
    if not follow:
        _show(first, form)
        return
    stream = _Stream(form)
    with suppress(KeyboardInterrupt):  # the way to end it, and no failure
        stream.show(first)
        while True:
            time.sleep(POLL_SECONDS)
            stream.show(reading(follower.more, follower.root))


@command.command(
    "search",
    epilog="\b\nExamples:\n"
    "  kwit audit search --resource secrets --since 7d\n"
    "  kwit audit search --user ada@example.com --limit 0 -o json | jq .event.requestURI\n",
)
@click.option(
    "--limit", type=click.IntRange(min=0), default=100, show_default=True, help="The newest so many; 0 is all."
)
@filter_options
@place_options
@output_option
def search(*, limit: int, directory: Path | None, config: Path | None, form: str, **asked: Any) -> int:
    """Find records; exit code 1 when there is none."""
    root, question = place(directory, config), _question(asked)
    if limit == 0 and form == "json":
        return reading(lambda: _stream_json(oldest_first(root, question)), root)
    if limit == 0:
        found = reading(lambda: list(oldest_first(root, question)), root)
    else:
        found = reading(lambda: newest(root, question, limit + 1), root)
    if limit and len(found) > limit:
        found = found[1:]
        say(f"The newest {limit} of more; --limit 0 shows all, --since and the filters narrow.")
    if not found:
        say("Nothing matches. Each option narrows: leave one out, or look further back with --since.")
        return 1
    _show(found, form)
    return 0


@command.command("show", epilog="\b\nExample:\n  kwit audit show 0199aef2-51c4-7d3a-9f60-1c2b3a4d5e6f\n")
@click.argument("wanted", metavar="ID")
@place_options
@output_option
def show(*, wanted: str, directory: Path | None, config: Path | None, form: str) -> None:
    """Everything about one request: its records, the login and the certificate behind it.

    ID is that of a record or a request (`search -o name` lists them, kubectl shows a request's as Audit-Id with -v=8),
    or its first characters.
    """
    root = place(directory, config)
    found = reading(lambda: story(root, wanted), root)
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
        _show(found, form)


# -- asking


def _question(asked: Mapping[str, Any]) -> Question:
    """Raises Problem."""
    now = clock()
    words = {key: value for key, value in asked.items() if key not in ("kind", "wanted", "decision", "since", "until")}
    try:
        return Question(
            **words,
            type=asked["kind"] or "",
            id=asked["wanted"],
            decision=Decision(asked["decision"]) if asked["decision"] else None,
            since=moment(asked["since"], now) if asked["since"] else None,
            until=moment(asked["until"], now) if asked["until"] else None,
        )
    except QuestionError as error:
        raise Problem(f"expected {error}", exit_code=2) from error


def _begins(record: Mapping[str, Any], wanted: str) -> bool:
    return Question(id=wanted).matches(record)


# -- showing


def _show(records: list[Record], form: str) -> None:
    if form == "json":
        _stream_json(records)
    elif form == "yaml":
        click.echo(_yaml(records), nl=False)
    elif form == "name":
        names = {row(record)["id"]: None for record in records}
        click.echo("".join(f"{name}\n" for name in names), nl=False)
    elif records:
        _table([row(record) for record in records], WIDE if form == "wide" else NARROW)


def _stream_json(records: Iterable[Record]) -> int:
    """A record a line, as stored but for what would command a terminal: that is escaped, and means the same."""
    import orjson

    code = 1
    for record in records:
        code = 0
        click.echo(harmless_json(orjson.dumps(record).decode()))
    return code


def _yaml(records: list[Record]) -> str:
    """Escaped throughout where it holds what a terminal would obey."""
    import yaml

    text: str = yaml.safe_dump_all(records, sort_keys=False, allow_unicode=True, explicit_start=True)
    if is_harmless(text):
        return text
    text = yaml.safe_dump_all(records, sort_keys=False, allow_unicode=False, explicit_start=True)
    return text  # noqa: RET504 - the annotation above is for mypy


def _table(rows: list[dict[str, str]], columns: tuple[str, ...]) -> None:
    """A table as kubectl's; on a terminal it fits, in a pipe nothing is cut."""
    now = clock()
    cells = [{column: _cell(one, column, now) for column in columns} for one in rows]
    widths = {column: max(cell_len(line[column]) for line in [_titles(columns), *cells]) for column in columns}
    if sys.stdout.isatty():
        widths = fitted(widths, shutil.get_terminal_size().columns)
    click.secho(_aligned(_titles(columns), widths), bold=True)
    for line in cells:
        click.secho(_aligned(line, widths), fg=_COLOURS.get(line["result"]), dim=line["result"] == "intent")


def fitted(widths: Mapping[str, int], room: int) -> dict[str, int]:
    """Widths that fit: the widest of what may be cut gives way first, then what says least is left out."""
    left = dict(widths)
    for column in (*_LEAST, None):
        while _total(left) > room:
            most = max((name for name in left if name not in _FIXED), key=lambda name: left[name], default=None)
            if most is None or left[most] <= MIN_CELL:
                break
            left[most] -= 1
        if _total(left) <= room or column is None:
            return left
        if column in left:
            del left[column]
            left = {name: widths[name] for name in left}
    return left


def _total(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + len(_GAP) * (len(widths) - 1)


def _titles(columns: Iterable[str]) -> dict[str, str]:
    return {column: column.upper() for column in columns}


def _aligned(line: Mapping[str, str], widths: Mapping[str, int]) -> str:
    return _GAP.join(_sized(line[column], width) for column, width in widths.items()).rstrip()


def _sized(text: str, width: int) -> str:
    """As many columns as the terminal has for it: a Chinese character takes two."""
    return set_cell_size(text, width) if cell_len(text) <= width else set_cell_size(text, width - 1) + "…"


def _cell(one: Mapping[str, str], column: str, now: float) -> str:
    if column == "age":
        seconds = _seconds(one["time"])
        return "<unknown>" if seconds is None else relative(max(1.0, now - seconds))
    return one[column] or "-"


def _seconds(time_text: str) -> float | None:
    try:
        return datetime.fromisoformat(time_text).timestamp()
    except ValueError:
        return None


class _Stream:
    """`tail -f`: rows as they come, under one header; the clock's time, since an age would be wrong a minute later."""

    def __init__(self, form: str) -> None:
        self._form = form
        self._columns = ("time", *(WIDE if form == "wide" else NARROW)[1:])
        self._widths: dict[str, int] = {}

    def show(self, records: list[Record]) -> None:
        if self._form not in ("table", "wide"):
            _show(records, self._form)
        elif records:
            self._rows([row(record) for record in records])
        sys.stdout.flush()

    def _rows(self, rows: list[dict[str, str]]) -> None:
        """Columns grow as they must; on a terminal one record stays one line."""
        lines = [{column: self._cell(one, column) for column in self._columns} for one in rows]
        if not self._widths:
            lines.insert(0, _titles(self._columns))
        for column in self._columns:
            self._widths[column] = max(self._widths.get(column, 0), *(cell_len(line[column]) for line in lines))
        terminal = sys.stdout.isatty()
        widths = fitted(self._widths, shutil.get_terminal_size().columns) if terminal else self._widths
        for line in lines:
            click.secho(_aligned(line, widths), fg=_COLOURS.get(line["result"]), dim=line["result"] == "intent")

    def _cell(self, one: Mapping[str, str], column: str) -> str:
        if column != "time" or self._form == "wide":
            return one[column] or "-"
        seconds = _seconds(one["time"])
        return one["time"] if seconds is None else f"{datetime.fromtimestamp(seconds, UTC).astimezone():%H:%M:%S}"


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
        **({str(key): value for key, value in body.items() if key != "reason"} if isinstance(body, dict) else {}),
    }
    lines += [
        f"  {harmless(key) + ':':<12} {harmless(str(value))}" for key, value in more.items() if value not in (None, "")
    ]
    return "\n".join(lines) + "\n"
