"""Questions asked in a process of their own, for those who must not stand still meanwhile.

A search takes a core for seconds and DuckDB a gigabyte; the process gets both and ends with the question. Records come
in batches as they are found, and it is killed when nobody wants more.
"""

from __future__ import annotations

import asyncio
import os
import resource
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from recordings.audit.answering import FOLLOW_SECONDS, Answerable, followed
from recordings.audit.cursor import Place
from recordings.audit.feed import Fed, Feed
from recordings.audit.own_process import own_process
from recordings.audit.query import Record, newest_first, story
from recordings.audit.question import Question
from recordings.audit.visible import Visible
from recordings.errors import LogUnavailableError, QuestionError

BATCH = 100
"""Records sent at once."""
MAX_SECONDS = 30.0
"""Of a question; a search through a year without any column to ask takes longer, and belongs on the host."""
NICE = 5
MAX_CPU_SECONDS = 120
"""Of a question's process, which ends by itself then, should nobody be there any more to end it."""


async def asked(root: Path, question: Question | str) -> AsyncGenerator[list[Record], None]:
    """Batches of records: those that match a question, newest first, or the story of an id, oldest first.

    Close it when enough has come. Raises TimeoutError, LogUnavailableError where the files cannot be read.
    """
    deadline = asyncio.get_running_loop().time() + MAX_SECONDS
    async with own_process("kwit-asking", _work, str(root), question) as pipe:
        while True:
            async with asyncio.timeout_at(deadline):  # around our own waiting: it must not end the asker's
                batch = await asyncio.to_thread(_received, pipe)
            if not batch:
                return
            yield batch


async def answered(root: Path, question: Answerable, visible: Visible) -> AsyncGenerator[list[bytes], None]:
    """Batches of the answer's items (`recordings.audit.answering`); what may be seen is asked of `visible`, here.

    Close it when enough has come. Raises TimeoutError, QuestionError, LogUnavailableError.
    """
    deadline = asyncio.get_running_loop().time() + MAX_SECONDS
    async with own_process("kwit-answering", _answer, str(root), question, visible.own) as pipe:
        while True:
            async with asyncio.timeout_at(deadline):
                batch = await asyncio.to_thread(_received, pipe)
            if isinstance(batch, _Place):
                pipe.send(visible.sees_place(batch.cluster, batch.namespace))
            elif not batch:
                return
            else:
                yield batch


async def following(root: Path, question: Question, lines: int) -> AsyncGenerator[list[Record], None]:
    """The newest `lines` records, then what comes, looked for twice a second; nothing where nothing came.

    It ends when it is closed. Raises LogUnavailableError.
    """
    async with own_process("kwit-following", _follow, str(root), question, lines) as pipe:
        while True:
            yield await asyncio.to_thread(_received, pipe)


async def exporting(
    root: Path, places: dict[str, Place], since: str, *, follow: bool
) -> AsyncGenerator[list[Fed], None]:
    """All records from the places on, in batches; with `follow` also those that come, and nothing where nothing came.

    Close it when enough has come. Raises LogUnavailableError.
    """
    async with own_process("kwit-exporting", _export, str(root), places, since, follow) as pipe:
        while True:
            batch = await asyncio.to_thread(_received, pipe)
            if not batch and not follow:
                return
            yield batch


@dataclass(frozen=True, slots=True)
class _Place:
    """A question of the process: may this be seen?"""

    cluster: str | None
    namespace: str


@dataclass(frozen=True, slots=True)
class _Failed:
    """`asked`: the question itself cannot be understood."""

    sentence: str
    asked: bool = False


def _received(pipe: Connection) -> Any:
    """A batch, nothing at the end; or a place. Raises LogUnavailableError, QuestionError."""
    try:
        message = pipe.recv()
    except (EOFError, OSError) as error:
        raise LogUnavailableError("the log could not be read; the server's own log says why") from error
    if isinstance(message, _Failed):
        raise QuestionError(message.sentence) if message.asked else LogUnavailableError(message.sentence)
    return message


def _work(root: str, question: Question | str, pipe: Connection) -> None:
    """A search's process: its whole life."""

    def found() -> Iterable[Record]:
        return story(Path(root), question) if isinstance(question, str) else newest_first(Path(root), question)

    _send(pipe, found)


def _answer(root: str, question: Answerable, own: tuple[str, str], pipe: Connection) -> None:
    """An answer's process."""

    def may(cluster: str | None, namespace: str) -> bool:
        pipe.send(_Place(cluster, namespace))
        return pipe.recv() is True

    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_SECONDS, MAX_CPU_SECONDS))
    _send(pipe, lambda: question.items(Path(root), Visible(own, may)))


def _send(pipe: Connection, found: Callable[[], Iterable[object]]) -> None:
    os.nice(NICE)
    with suppress(BrokenPipeError):  # enough has come
        try:
            items = iter(found())
            while batch := list(islice(items, BATCH)):
                pipe.send(batch)
            pipe.send([])
        except BrokenPipeError:
            raise
        except QuestionError as error:
            pipe.send(_Failed(str(error), asked=True))
        except OSError as error:
            pipe.send(_Failed(f"the log cannot be read: {error}"))


def _follow(root: str, question: Question, lines: int, pipe: Connection) -> None:
    """A follower's process."""
    os.nice(NICE)
    with suppress(BrokenPipeError):  # nobody wants more
        try:
            for batch in followed(Path(root), question, lines):
                pipe.send(batch)
        except BrokenPipeError:
            raise
        except OSError as error:
            pipe.send(_Failed(f"the log cannot be read: {error}"))


def _export(root: str, places: dict[str, Place], since: str, follow: bool, pipe: Connection) -> None:
    """An export's process."""
    os.nice(NICE)
    feed = Feed(Path(root), places, since)
    with suppress(BrokenPipeError):  # nobody wants more
        try:
            while True:
                found = feed.more()
                while batch := list(islice(found, BATCH)):
                    pipe.send(batch)
                pipe.send([])
                if not follow:
                    return
                time.sleep(FOLLOW_SECONDS)
        except BrokenPipeError:
            raise
        except OSError as error:
            pipe.send(_Failed(f"the log cannot be read: {error}"))
