"""Whom `kwit audit` asks: the log's files, where they are here, or else the server, with the caller's login."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Protocol, TypeVar

import click

from proxy.cli.audit_place import DEFAULT_CONFIG, DEFAULT_DIRECTORY, place, reading
from proxy.cli.client.problem import NotSignedIn, Problem
from proxy.cli.client.terminal import say
from recordings.audit.answering import followed
from recordings.audit.query import Record, newest, oldest_first, story
from recordings.audit.question import Question
from recordings.audit.row import harmless
from recordings.audit.sql import Answer, LogDatabase
from recordings.audit.stats import Counts, stats
from recordings.audit.timeline import Entry, timeline

MAX_FROM_SERVER = 1_000
"""What a server gives at once."""

ANSWER_SECONDS = 45.0
"""For a server's answer: it may let a question wait for others, and then work for half a minute."""

_F = TypeVar("_F", bound=Callable[..., Any])
_PATH = "/api/v1/audit"
_NOT_UNDERSTOOD = "the server's answer is not what was asked for; is it another kubewitness than this?"


class ServerApi(Protocol):
    """The web listener's API, as `proxy.cli.client.api` speaks to it."""

    def call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Mapping[str, Any]:
        """The answer."""
        ...

    def lines(self, path: str, body: Mapping[str, object] | None = None) -> Iterator[bytes]:
        """The lines of an answer, as they come."""
        ...


class Source(Protocol):
    """All raise Problem."""

    def newest(self, question: Question, limit: int) -> tuple[list[Record], bool]:
        """(the newest that match, at most `limit`, oldest of them first; whether there are more). 0 is all."""
        ...

    def story(self, wanted: str) -> list[Record]:
        """All about one id, oldest first."""
        ...

    def follow(self, question: Question, lines: int) -> Iterator[list[Record]]:
        """The newest `lines`, then those that come, without end."""
        ...

    def counts(self, question: Question) -> list[Counts]:
        """How many, by what."""
        ...

    def timeline(self, question: Question) -> list[Entry]:
        """What one person did."""
        ...

    def select(self, sql: str, since: float | None) -> AbstractContextManager[Answer]:
        """What a SELECT over the records gives."""
        ...


@dataclass(frozen=True, slots=True)
class Files:
    """A log's directory."""

    root: Path

    def newest(self, question: Question, limit: int) -> tuple[list[Record], bool]:
        if not limit:
            return reading(lambda: list(oldest_first(self.root, question)), self.root), False
        found = reading(lambda: newest(self.root, question, limit + 1), self.root)
        return found[-limit:], len(found) > limit

    def story(self, wanted: str) -> list[Record]:
        return reading(lambda: story(self.root, wanted), self.root)

    def follow(self, question: Question, lines: int) -> Iterator[list[Record]]:
        batches = followed(self.root, question, lines)
        while True:
            yield reading(lambda: next(batches), self.root)

    def counts(self, question: Question) -> list[Counts]:
        with self.database() as database:
            return reading(lambda: stats(database, question), self.root)

    def timeline(self, question: Question) -> list[Entry]:
        return reading(lambda: timeline(oldest_first(self.root, question)), self.root)

    @contextmanager
    def select(self, sql: str, since: float | None) -> Iterator[Answer]:
        with self.database(since) as database:
            yield reading(lambda: database.ask(sql), self.root)

    def database(self, since: float | None = None, *also: Path) -> LogDatabase:
        """`also`: files that may be written."""
        return reading(lambda: LogDatabase(self.root, also, since=since), self.root)


@dataclass(frozen=True, slots=True)
class Server:
    """A server's log, as far as the caller may see it."""

    api: ServerApi

    def newest(self, question: Question, limit: int) -> tuple[list[Record], bool]:
        body = {**_asked(question), "limit": min(limit or MAX_FROM_SERVER, MAX_FROM_SERVER)}
        answer = self._call("search", body)
        return _objects(answer, "records"), answer.get("more") is True

    def story(self, wanted: str) -> list[Record]:
        return _objects(self._call("show", {"id": wanted}), "records")

    def follow(self, question: Question, lines: int) -> Iterator[list[Record]]:
        for line in self.api.lines(f"{_PATH}/follow", {**_asked(question), "limit": min(lines, MAX_FROM_SERVER)}):
            if not line.strip():
                continue
            record = _line(line)
            if set(record) == {"error"}:
                raise Problem(harmless(str(record["error"]))[:1_000])
            yield [record]
        raise Problem("the server has ended this; is it being restarted? Ask again")

    def counts(self, question: Question) -> list[Counts]:
        found = _objects(self._call("stats", _asked(question)), "counts")
        with _understood():
            return [
                Counts(str(one["name"]), tuple((str(what), int(n)) for what, n in one["rows"]), int(one["others"]))
                for one in found
            ]

    def timeline(self, question: Question) -> list[Entry]:
        answer = self._call("timeline", _asked(question))
        if answer.get("more") is True:
            say("The first of more; --since, --until and the filters narrow.")
        names = {one.name for one in fields(Entry)}
        with _understood():
            return [
                Entry(**{name: value for name, value in one.items() if name in names})
                for one in _objects(answer, "entries")
            ]

    @contextmanager
    def select(self, sql: str, since: float | None) -> Iterator[Answer]:
        answer = self._call("sql", {"select": sql} | ({} if since is None else {"since": since}))
        rows, names = answer.get("rows"), answer.get("names")
        if not isinstance(rows, list) or not isinstance(names, list):
            raise Problem(_NOT_UNDERSTOOD)
        if answer.get("more") is True:
            say(f"The first {len(rows):,} rows of more; the server gives no more at once.")
        types = tuple(str(one) for one in answer.get("types", ()))
        yield Answer(tuple(str(name) for name in names), types, (tuple(row) for row in rows))

    def _call(self, what: str, body: Mapping[str, object]) -> Mapping[str, Any]:
        return self.api.call("POST", f"{_PATH}/{what}", body)


def server_option(function: _F) -> _F:
    """`--server`, handed to the command as `server`."""
    return click.option("--server", is_eager=True, help="Ask this server, with your login, and no files.")(function)


def source(directory: Path | None, config: Path | None, server: str | None) -> Files | Server:
    """Files where they are named or lie here; else the server that one is signed in to. Raises Problem."""
    if server is not None and (directory is not None or config is not None):
        raise Problem("--server asks a server and --dir or -c files: give one of them", exit_code=2)
    is_here = DEFAULT_CONFIG.exists() or DEFAULT_DIRECTORY.is_dir()
    if server is None and (directory is not None or config is not None or is_here):
        return Files(place(directory, config))
    from proxy.cli.client import terminal

    try:
        _, api = terminal.signed_in(server)
    except NotSignedIn as error:
        if server is not None:
            raise
        raise Problem(
            f"there is no audit log in {DEFAULT_DIRECTORY}; name its directory with --dir, or the config with -c, "
            "or sign in with `kwit login` to ask a server"
        ) from error
    api.timeout = ANSWER_SECONDS
    return Server(api)


def _asked(question: Question) -> dict[str, object]:
    return {key: value for key, value in asdict(question).items() if value not in ("", None)}


def _line(line: bytes) -> Record:
    with _understood():
        record = json.loads(line)
        if isinstance(record, dict):
            return record
    raise Problem(_NOT_UNDERSTOOD)


def _objects(answer: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = answer.get(name)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise Problem(_NOT_UNDERSTOOD)
    return found


@contextmanager
def _understood() -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, KeyError) as error:
        raise Problem(_NOT_UNDERSTOOD) from error
