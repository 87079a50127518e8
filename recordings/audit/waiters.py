"""Those who wait until a record is on the disk."""

from __future__ import annotations

import asyncio

from recordings.errors import LogUnavailableError


class Waiters:
    """Futures by the number of the record that each waits for. For one loop's thread."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, seq: int, future: asyncio.Future[None]) -> None:
        self._waiting.append((seq, future))

    def release(self, upto: int) -> None:
        """Every record up to this one is on the disk."""
        still = [(seq, future) for seq, future in self._waiting if seq > upto]
        for seq, future in self._waiting:
            if seq <= upto and not future.done():
                future.set_result(None)
        self._waiting = still

    def fail(self, cause: str) -> None:
        """Nobody is told that anything was written: each gets a LogUnavailableError."""
        waiting, self._waiting = self._waiting, []
        for _, future in waiting:
            if not future.done():
                future.set_exception(LogUnavailableError(cause))
