"""Whom `kwit audit` asks: the log's files, where they are here, or else the server, with the caller's login."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import click

from proxy.cli.audit_place import DEFAULT_CONFIG, DEFAULT_DIRECTORY, place, reading
from proxy.cli.client.problem import NotSignedIn, Problem
from recordings.audit.query import Record, newest, oldest_first, story
from recordings.audit.question import Question

MAX_FROM_SERVER = 1_000
"""What a server gives at once."""

_F = TypeVar("_F", bound=Callable[..., Any])


class Source(Protocol):
    """Both raise Problem."""

    def newest(self, question: Question, limit: int) -> tuple[list[Record], bool]:
        """(the newest that match, at most `limit`, oldest of them first; whether there are more). 0 is all."""
        ...

    def story(self, wanted: str) -> list[Record]:
        """All about one id, oldest first."""
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


@dataclass(frozen=True, slots=True)
class Server:
    """A server's log, as far as the caller may see it. `call`: method, path, body → the answer."""

    call: Callable[[str, str, Mapping[str, object]], Mapping[str, Any]]

    def newest(self, question: Question, limit: int) -> tuple[list[Record], bool]:
        asked = {key: value for key, value in asdict(question).items() if value not in ("", None)}
        body = {**asked, "limit": min(limit or MAX_FROM_SERVER, MAX_FROM_SERVER)}
        answer = self.call("POST", "/api/v1/audit/search", body)
        return _records(answer), answer.get("more") is True

    def story(self, wanted: str) -> list[Record]:
        return _records(self.call("POST", "/api/v1/audit/show", {"id": wanted}))


def server_option(function: _F) -> _F:
    """`--server`, handed to the command as `server`."""
    return click.option("--server", help="Ask this server, with your login, and no files.")(function)


def source(directory: Path | None, config: Path | None, server: str | None) -> Source:
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
    return Server(api.call)


def _records(answer: Mapping[str, Any]) -> list[Record]:
    found = answer.get("records")
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise Problem("the server's answer holds no records; is it a newer kubewitness than this?")
    return found
