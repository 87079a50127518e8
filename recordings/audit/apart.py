"""Questions asked in a process of their own, for those who must not stand still meanwhile.

A search takes a core for seconds and DuckDB a gigabyte; the process gets both and ends with the question. Records come
in batches as they are found, and it is killed when nobody wants more.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Iterable
from contextlib import suppress
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path

from recordings.audit.own_process import own_process
from recordings.audit.query import Record, newest_first, story
from recordings.audit.question import Question
from recordings.errors import LogUnavailableError

BATCH = 100
"""Records sent at once."""
MAX_SECONDS = 30.0
"""Of a question; a search through a year without any column to ask takes longer, and belongs on the host."""
NICE = 5


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


def _received(pipe: Connection) -> list[Record]:
    """Nothing at the end. Raises LogUnavailableError."""
    try:
        batch: list[Record] | str = pipe.recv()
    except (EOFError, OSError) as error:
        raise LogUnavailableError("the log could not be read; the server's own log says why") from error
    if isinstance(batch, str):
        raise LogUnavailableError(batch)
    return batch


def _work(root: str, question: Question | str, pipe: Connection) -> None:
    """The process's whole life."""
    os.nice(NICE)
    found: Iterable[Record]
    with suppress(BrokenPipeError):  # enough has come
        try:
            found = story(Path(root), question) if isinstance(question, str) else newest_first(Path(root), question)
            records = iter(found)
            while batch := list(islice(records, BATCH)):
                pipe.send(batch)
            pipe.send([])
        except BrokenPipeError:
            raise
        except OSError as error:
            pipe.send(f"the log cannot be read: {error}")
