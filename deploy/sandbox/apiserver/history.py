"""The changes of the last while, for watches that go on and lists that are read in chunks. Bounded."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from deploy.sandbox.apiserver.kinds import Kind, Object
from deploy.sandbox.apiserver.problem import expired

MAX_CHANGES = 2000
"""Some minutes of busy work. What is older gets 410, as it does from a real cluster after five minutes."""


@dataclass(frozen=True, slots=True)
class Change:
    """`type` is ADDED, MODIFIED or DELETED; `object` is as it became, or last was; `previous` as it was before."""

    version: int
    type: str
    kind: Kind
    object: Object
    previous: Object | None


class History:
    """Changes in the order of their versions."""

    def __init__(self, limit: int = MAX_CHANGES) -> None:
        self._changes: deque[Change] = deque(maxlen=limit)
        self._forgotten = 0
        self._waiting: set[asyncio.Event] = set()

    def append(self, change: Change) -> None:
        if len(self._changes) == self._changes.maxlen:
            self._forgotten = self._changes[0].version
        self._changes.append(change)
        for waiting in self._waiting:
            waiting.set()

    def since(self, version: int) -> list[Change]:
        """What came after `version`. Raises Problem 410 where some of it is forgotten."""
        if version < self._forgotten:
            raise expired(f"too old resource version: {version} ({self._forgotten})")
        found = []
        for change in reversed(self._changes):
            if change.version <= version:
                break
            found.append(change)
        return found[::-1]

    async def grow(self, version: int, newest: int, timeout_seconds: float) -> None:
        """Returns when there is something after `version`, of which `newest` is the last, or when time is up."""
        if newest > version:
            return
        waiting = asyncio.Event()
        self._waiting.add(waiting)
        try:
            async with asyncio.timeout(timeout_seconds):
                await waiting.wait()
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(waiting)

    def wake(self) -> None:
        """End all waiting: the server stops."""
        for waiting in self._waiting:
            waiting.set()
