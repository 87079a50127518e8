"""Sends every writer's newest checkpoint to every anchor, at least each second in which something happened.

An anchor that does not answer holds up neither the log nor the other anchors; that it is behind is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from recordings.audit.anchors.anchor import Anchor, AnchorError, Published

ROUND_SECONDS = 1.0
MAX_PAUSE_SECONDS = 30.0
"""Between two tries of an anchor that fails: the pause doubles up to this."""
LAST_ROUND_SECONDS = 3.0
"""What anchors may take at the end, so that the log's last line is known to them, too."""

Say = Callable[[str], None]


@dataclass(slots=True)
class Standing:
    """How one anchor does. `problem`: empty while it takes what it is given; `taken`: lines, by origin."""

    name: str
    problem: str = ""
    checkpoints: int = 0
    failures: int = 0
    behind_since: float | None = None
    taken: dict[str, int] = field(default_factory=dict)

    def behind_seconds(self, now: float) -> float:
        """For how long it has not had the newest checkpoint, by the clock that the publisher has."""
        return 0.0 if self.behind_since is None else now - self.behind_since


class Publisher:
    """`start`, then `standings` at any time, then `stop`. `newest` blocks, and is called in a thread."""

    def __init__(
        self,
        anchors: Sequence[Anchor],
        newest: Callable[[], list[Published]],
        *,
        mono: Callable[[], float],
        say: Say,
    ) -> None:
        self._anchors, self._read, self._mono, self._say = anchors, newest, mono, say
        self.standings = [Standing(anchor.name) for anchor in anchors]
        self.problem = ""
        """Why the log's files could not be read."""
        self._newest: list[Published] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._news = asyncio.Condition()

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._look_out())]
        self._tasks += [
            loop.create_task(self._serve(anchor, standing))
            for anchor, standing in zip(self._anchors, self.standings, strict=True)
        ]

    async def stop(self) -> None:
        """What is newest now is published once more where that is quick; what fails is said."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self._look()
        last = [self._round(*pair) for pair in zip(self._anchors, self.standings, strict=True)]
        try:
            async with asyncio.timeout(LAST_ROUND_SECONDS):
                await asyncio.gather(*last)
        except TimeoutError:
            self._say("anchors: some did not take the log's last checkpoint in time; the next start sends it")
        for anchor in self._anchors:
            await anchor.close()

    async def _look_out(self) -> None:
        while True:
            await self._look()
            async with self._news:
                self._news.notify_all()
            await asyncio.sleep(ROUND_SECONDS)

    async def _look(self) -> None:
        try:
            self._newest = await asyncio.to_thread(self._read)
            self.problem = ""
        except OSError as error:
            self.problem = f"the log's files cannot be read: {error.strerror}"

    async def _serve(self, anchor: Anchor, standing: Standing) -> None:
        pause = anchor.every
        while True:
            async with self._news:
                await self._news.wait_for(lambda: self._due(standing))
            succeeded = await self._round(anchor, standing)
            pause = anchor.every if succeeded else min(max(pause * 2, ROUND_SECONDS), MAX_PAUSE_SECONDS)
            await asyncio.sleep(pause)

    def _due(self, standing: Standing) -> list[Published]:
        """What this anchor has not; a log that has become shorter is due as well: the anchor shall speak up."""
        return [one for one in self._newest if standing.taken.get(one.origin) != one.size]

    async def _round(self, anchor: Anchor, standing: Standing) -> bool:
        """Whether it has taken everything."""
        for checkpoint in self._due(standing):
            if standing.behind_since is None:
                standing.behind_since = self._mono()
            try:
                before = standing.taken.get(checkpoint.origin, 0)
                if before > checkpoint.size:
                    raise AnchorError(  # noqa: TRY301 - told like any other
                        f"{checkpoint.origin} had {before} lines and has {checkpoint.size} now: lines are missing"
                    )
                await anchor.publish(checkpoint)
            except AnchorError as error:
                standing.failures += 1
                self._tell(standing, str(error))
                return False
            standing.taken[checkpoint.origin] = checkpoint.size
            standing.checkpoints += 1
        standing.behind_since = None
        self._tell(standing, "")
        return True

    def _tell(self, standing: Standing, problem: str) -> None:
        """Said once for each turn."""
        if bool(problem) != bool(standing.problem):
            self._say(f"anchor {standing.name}: {problem or 'takes checkpoints again'}")
        standing.problem = problem
