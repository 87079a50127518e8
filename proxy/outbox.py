"""What leaves at the end of a pass of the loop: what was made during one pass is written when all of it is made.

With many connections at work, a write at once wakes whoever reads it, who is done and asleep again before the next
write wakes him anew: half of a small answer's cost. Written together, they wake once. With one connection at work it
costs one callback.
"""

from __future__ import annotations

import asyncio
from typing import Protocol


class Pending(Protocol):
    """A connection that keeps bytes until `flush`, which writes them, or drops them where it has ended."""

    def flush(self) -> None: ...


class Outbox:
    """Calls `flush` of everything that was put in, in that order, once this pass of the loop is over."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pending: list[Pending] = []

    def put(self, pending: Pending) -> None:
        if not self._pending:
            self._loop.call_soon(self._flush)
        self._pending.append(pending)

    def _flush(self) -> None:
        pending, self._pending = self._pending, []
        for one in pending:
            one.flush()
