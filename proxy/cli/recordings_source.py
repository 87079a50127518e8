"""Where `kwit play` and `kwit recordings` have recordings from: a folder or a file, or the server with one's login."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar
from urllib.parse import urlencode

import click

from proxy.cli.client.api import Api
from proxy.cli.client.problem import Problem
from proxy.cli.client.terminal import signed_in
from recordings.errors import RecordingsError
from recordings.recorder.directory import RecordingDirectory
from recordings.recorder.footer import Footer
from recordings.recorder.head import ID, RecordingHead
from recordings.recorder.moment import Moment
from recordings.recorder.reader import open_recording
from recordings.replay.index_files import index_beside
from recordings.replay.jsonl import NoRecordingError, read, read_head
from recordings.replay.play_index import NoIndexError, PlayIndex, read_index
from recordings.replay.shelf import Follower, Summary, Wanted, summaries

FOLLOW_SECONDS = 0.5
"""Between two looks at a file that is still written, which happens each second."""
_F = TypeVar("_F", bound=Callable[..., Any])


class Recording(Protocol):
    """One recording. `footer` is known once `moments` was read to its end."""

    head: RecordingHead
    footer: Footer | None

    def moments(self) -> Iterator[Moment]:
        """All of it, each time anew. Raises RecordingsError, Problem, OSError."""

    def index(self) -> PlayIndex | None:
        """What was made of it beforehand, for a player; None where nothing was."""


class Source(Protocol):
    def rows(self, wanted: Wanted, limit: int) -> tuple[list[dict[str, Any]], bool]:
        """(the newest so many, as `Summary.fields`; whether there are more)."""

    def open(self, recording: str) -> Recording:
        """Raises Problem."""

    def follow(self, recording: str, wait: Callable[[float], None]) -> Iterator[Moment]:
        """Its moments as they come, until it ends."""


def source_options(function: _F) -> _F:
    """`--dir` and `--server`."""
    server = click.option("--server", help="Of which server  [default: the last one]")
    directory = click.option(
        "--dir",
        "directory",
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        help="Read this folder of recordings itself, without a server.",
    )
    return directory(server(function))


def source(directory: Path | None, server: str | None) -> Source:
    """Raises NotSignedIn."""
    return Server(signed_in(server)[1]) if directory is None else Folder(directory)


# -- files


class FileRecording:
    """A recording's own file."""

    def __init__(self, path: Path) -> None:
        """Raises RecordingDamagedError, OSError."""
        self._path = path
        self.footer: Footer | None = None
        with open_recording(path) as reader:
            self.head, self.footer, self._seal = reader.head, reader.footer, reader.seal

    def index(self) -> PlayIndex | None:
        return index_beside(self._path, self._seal) if self.footer is not None else None

    def moments(self) -> Iterator[Moment]:
        with open_recording(self._path) as reader:
            yield from reader.moments()


class Folder:
    """The recorder's own folder, or a copy."""

    def __init__(self, root: Path) -> None:
        self._directory = RecordingDirectory(root)

    def rows(self, wanted: Wanted, limit: int) -> tuple[list[dict[str, Any]], bool]:
        found = list(islice(summaries(self._directory, wanted), limit + 1))
        return [one.fields() for one in found[:limit]], len(found) > limit

    def open(self, recording: str) -> FileRecording:
        return opened_file(self.path(recording))

    def path(self, recording: str) -> Path:
        path = self._directory.path_of(recording)
        if path is None:
            raise Problem(
                f"there is no recording {recording[:64]!r} in {self._directory.root}; `kwit recordings ls` lists ids"
            )
        return path

    def paths(self) -> Iterator[Path]:
        return self._directory.paths()

    def follow(self, recording: str, wait: Callable[[float], None]) -> Iterator[Moment]:
        follower = Follower(self.path(recording))
        while True:
            yield from follower.more()
            if follower.footer is not None:
                return
            wait(FOLLOW_SECONDS)


def opened_file(path: Path) -> FileRecording:
    """Raises Problem."""
    try:
        return FileRecording(path)
    except RecordingsError as error:
        raise Problem(f"{path} is no recording that can be read: {error}") from error


# -- the server


class SpooledRecording:
    """A recording from the server, kept in a file without a name while it is looked at."""

    def __init__(self, lines: Iterator[bytes], index: Callable[[], PlayIndex | None]) -> None:
        """Raises NoRecordingError, Problem."""
        self._index = index
        self.footer: Footer | None = None
        self.head = read_head(next(lines, b""))
        self._lines: Iterator[bytes] | None = lines
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as this
        weakref.finalize(self, self._file.close)

    def index(self) -> PlayIndex | None:
        return self._index()

    def moments(self) -> Iterator[Moment]:
        if self._lines is not None:
            for line in self._lines:
                self._file.write(line)
            self._lines = None
        self._file.seek(0)
        for one in read(iter(self._file)):
            if isinstance(one, Moment):
                yield one
            else:
                self.footer = one


class Server:
    """The web listener's API, with the caller's login; each opening leaves a record there."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def rows(self, wanted: Wanted, limit: int) -> tuple[list[dict[str, Any]], bool]:
        asked = {key: value for key, value in asdict(wanted).items() if value not in ("", None)}
        answer = self._api.call("GET", "/api/v1/recordings?" + urlencode(asked | {"limit": limit}))
        rows = answer.get("recordings")
        if not isinstance(rows, list) or not all(isinstance(row, dict) and "head" in row for row in rows):
            raise Problem(f"{self._api.server} answered something else than recordings; update kubewitness")
        return rows, answer.get("more") is True

    def open(self, recording: str) -> SpooledRecording:
        try:
            return SpooledRecording(self._api.lines(_path(recording, "/moments")), lambda: self._index(recording))
        except NoRecordingError as error:
            raise Problem(str(error)) from error

    def _index(self, recording: str) -> PlayIndex | None:
        """None too where the server is older and knows of none."""
        try:
            return read_index(b"".join(self._api.lines(_path(recording, "/index"))), None)
        except (Problem, NoIndexError):
            return None

    def follow(self, recording: str, wait: Callable[[float], None]) -> Iterator[Moment]:
        del wait  # the server waits
        lines = self._api.lines(_path(recording, "/moments?follow=1"))
        read_head(next(lines, b""))
        for one in read(lines):
            if isinstance(one, Moment):
                yield one

    def remove(self, recording: str) -> None:
        self._api.call("DELETE", _path(recording, ""))


def _path(recording: str, rest: str) -> str:
    if not ID.fullmatch(recording):
        raise Problem(f"{recording[:64]!r} is no recording's id; `kwit recordings ls` lists them", exit_code=2)
    return f"/api/v1/recordings/{recording}{rest}"


def row_of(fields: dict[str, Any], now: float) -> dict[str, Any]:
    """A listing's row, of `Summary.fields`."""
    head, end = fields["head"], fields.get("end") or {}
    length = end.get("duration")
    return {
        "name": head["id"],
        "started": head["started"],
        "age": max(now - float(head["started"]), 0.0),
        "user": head["username"],
        "cluster": head["cluster"],
        "namespace": head["namespace"],
        "pod": head["pod"],
        "container": head.get("container", ""),
        "node": end.get("node", ""),
        "image": end.get("image", ""),
        "command": " ".join(head.get("command", ())) or head["subresource"],
        "duration": None if length is None else length / 1_000_000,
        "exit": end.get("exit_code") if end.get("ended") == "exited" else (end.get("ended") or "live"),
        "received": end.get("received"),
        "sent": end.get("sent"),
        "source": head.get("source", ""),
        "role": head.get("role", ""),
        "audit_id": head.get("audit_id", ""),
        "damage": fields.get("damage", ""),
    }


__all__ = ["Folder", "Recording", "Server", "Source", "Summary", "opened_file", "row_of", "source", "source_options"]
