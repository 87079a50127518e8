"""Work that is done again and again beside requests, which nothing waits for and no fault may end."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable


class Rounds(ABC):
    """`round` every `seconds`, from `start` to `stop`; what it raises is said of `what`, and does not end it."""

    seconds: float = 60.0
    what: str

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def round(self) -> object:
        """One round of it."""

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """A round that is under way is cut off, which leaves nothing that the next one does not put in order."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self.seconds)
            try:
                await self.round()
            except Exception as error:  # noqa: BLE001 - it is tried again, and must not take the server down
                self._say(f"{self.what}: {error!r}; please report it")
