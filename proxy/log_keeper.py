"""The keeper of the log's files: has closed segments sealed, removes what is over its limits, and records that.

There is one in an installation's directory, in the process that has the web listener. Sealing is done by a process of
its own at low priority, which is started for each round and ends with it. Nothing is removed before the record of it is
on the disk; where the holds cannot be read, nothing is removed at all.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from proxy.rounds import Rounds
from recordings.audit import holds, segment_files, tombstone
from recordings.audit.housekeeping import Round, housekeep
from recordings.audit.own_process import own_process
from recordings.audit.query import newest
from recordings.audit.question import Question, at
from recordings.audit.record import Outcome, RecordType
from recordings.audit.retention import Limits, Removal, plan
from recordings.audit.segments import writers
from recordings.errors import LogUnavailableError

ROUND_SECONDS = 60.0
"""Between two rounds: a segment is closed at most every few minutes, and a limit of days needs no hurry."""
NICE = 10
"""Added to the sealing process's niceness: it takes what requests leave."""
KEEPER = "-web"
"""How the directories of writers end that have such records in them."""

Record = Callable[[RecordType, Mapping[str, Any]], Awaitable[None]]
"""As `LogWriter.record`: durable when it returns. Raises LogUnavailableError."""


class LogKeeper(Rounds):
    """A round seals and removes."""

    seconds = ROUND_SECONDS
    what = "the audit log's files"

    def __init__(
        self, root: Path, limits: Limits, record: Record, *, clock: Callable[[], float], say: Callable[[str], None]
    ) -> None:
        self._root, self._limits, self._record = root, limits, record
        super().__init__(say)
        self._clock = clock
        self._standing: list[tombstone.Stretch] | None = None
        self._holds: object = None
        self._said: set[str] = set()

    async def round(self) -> None:
        """Seal, then remove. What fails is said once and tried again in the next round."""
        problems: list[str] = []
        try:
            problems += (await _apart(self._root, self._clock())).problems
            await self._remove()
        except LogUnavailableError:
            pass  # the log says so itself, and everything waits for it
        except (holds.HoldError, OSError) as error:
            problems.append(f"{error}")
        for problem in problems:
            if problem not in self._said:
                self._say(f"{self.what}: {problem}")
        self._said = set(problems)

    async def _remove(self) -> None:
        """Raises LogUnavailableError, HoldError, OSError."""
        if self._standing is None:
            self._standing, self._holds = await asyncio.to_thread(_remembered, self._root)
        held = await self._read_holds()
        kept, others = await asyncio.to_thread(segment_files.kept, self._root)
        removals = plan(kept, others, held, self._limits, self._clock())
        for first in range(0, len(removals), tombstone.MAX_REMOVALS):
            await self._remove_some(removals[first : first + tombstone.MAX_REMOVALS])

    async def _remove_some(self, removals: list[Removal]) -> None:
        after = tombstone.joined(self._standing or (), removals)
        await self._record(RecordType.LOG_REMOVED, {"outcome": Outcome.DONE, "body": tombstone.body(after, removals)})
        self._standing = after
        for one in removals:
            await asyncio.to_thread(segment_files.remove, self._root / one.manifest.writer, one.manifest.segment)
        self._say(f"audit log: {len(removals)} segments are over their limit of {removals[0].why} and were removed")

    async def _read_holds(self) -> tuple[holds.Hold, ...]:
        """A change is recorded before anything follows from it. Raises HoldError, LogUnavailableError, OSError."""
        try:
            found = holds.read(self._root)
        except holds.HoldError as error:
            await self._tell_holds({"error": str(error)}, Outcome.FAILED)
            raise
        await self._tell_holds({"holds": holds.as_json(found)}, Outcome.DONE)
        return found

    async def _tell_holds(self, body: Mapping[str, Any], outcome: Outcome) -> None:
        if body != self._holds:
            await self._record(RecordType.LOG_HOLD, {"outcome": outcome, "body": body})
            self._holds = body


def _remembered(root: Path) -> tuple[list[tombstone.Stretch], object]:
    """What the log itself says is gone and held; the files of this directory are nobody's word. Raises OSError."""
    keepers = [writer for writer in writers(root) if writer.name.endswith(KEEPER)]
    removed = [one for writer in keepers for one in newest(writer, Question(type=RecordType.LOG_REMOVED), 1)]
    held = [one for writer in keepers for one in newest(writer, Question(type=RecordType.LOG_HOLD), 1)]
    last = max(held, key=lambda one: str(one.get("time")), default=None)
    body: object = {"holds": []} if last is None else at(last, "body")
    return tombstone.joined([one for record in removed for one in tombstone.stretches(record)], ()), body


async def _apart(root: Path, now: float) -> Round:
    """A round of housekeeping in a process of its own; it is killed where we are cancelled."""
    async with own_process("kwit-sealing", _work, str(root), now) as pipe:
        return await asyncio.to_thread(_received, pipe)


def _received(pipe: Connection) -> Round:
    try:
        done = pipe.recv()
    except EOFError:
        return Round(problems=["the process that seals segments died; it is started again"])
    assert isinstance(done, Round)
    return done


def _work(root: str, now: float, pipe: Connection) -> None:
    """The sealing process's whole life."""
    os.nice(NICE)
    with suppress(OSError):  # whoever waited is gone
        try:
            pipe.send(housekeep(Path(root), now))
        except OSError as error:
            pipe.send(Round(problems=[str(error)]))
