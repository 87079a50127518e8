"""The keeper of recordings: has those that have ended indexed, so that players begin anywhere at once.

There is one in an installation's directory, in the process that has the web listener. A process of its own at low
priority makes the indexes; it is started when there is something to make, and ends with it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path

from proxy.rounds import Rounds
from recordings.audit.own_process import own_process
from recordings.replay.index_files import make_index, without_index

ROUND_SECONDS = 60.0
"""Between two rounds; a recording that is looked at before is indexed by its player."""
NICE = 10
"""Added to the indexing process's niceness: it takes what requests leave."""
MAX_A_ROUND = 100
"""Recordings in one round, so that what has just ended is not behind a year of others."""


class RecordingKeeper(Rounds):
    """A round indexes what has ended."""

    seconds = ROUND_SECONDS
    what = "the recordings' indexes"

    def __init__(self, root: Path, *, say: Callable[[str], None]) -> None:
        super().__init__(say)
        self._root = root
        self._passed: set[str] = set()
        """Without an index though they were tried: still being made, or damaged."""

    async def round(self) -> int:
        """Make what is missing; how many that were. Raises OSError."""
        found = await asyncio.to_thread(self._missing)
        if not found:
            return 0
        async with own_process("kwit-indexing", _work, found) as pipe:
            made = await asyncio.to_thread(_received, pipe)
        self._passed |= set(found) - set(made)
        return len(made)

    def _missing(self) -> list[str]:
        """A recording that grew, or ended, since it was passed over is one to try again."""
        names = (f"{path}\0{path.stat().st_size}" for path in without_index(self._root))
        return list(islice((name for name in names if name not in self._passed), MAX_A_ROUND))


def _received(pipe: Connection) -> list[str]:
    made: list[str] = []
    with suppress(EOFError):  # it is done, or died; what it told is made
        while True:
            made.append(pipe.recv())
    return made


def _work(names: list[str], pipe: Connection) -> None:
    """The indexing process's whole life."""
    os.nice(NICE)
    with suppress(BrokenPipeError):  # whoever waited is gone
        for name in names:
            with suppress(OSError):  # it was removed meanwhile, or the disk is full
                if make_index(Path(name.partition("\0")[0])):
                    pipe.send(name)
