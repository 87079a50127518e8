"""Ends of pipes and pseudo-terminals without a thread: read and written only when somebody awaits it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os

CHUNK_BYTES = 32 * 1024
"""Read at a time: what Kubernetes copies at a time."""


class Descriptor:
    """A file descriptor of ours; `close` it. One reader and one writer at a time."""

    def __init__(self, number: int) -> None:
        os.set_blocking(number, False)
        self._number = number
        self._loop = asyncio.get_running_loop()
        self._open = True

    @property
    def number(self) -> int:
        """For what has to be said to the kernel."""
        return self._number

    async def read(self) -> bytes:
        """What there is; nothing at the end, which on a terminal is an error of its own (Linux: EIO)."""
        while self._open:
            try:
                return os.read(self._number, CHUNK_BYTES)
            except BlockingIOError:
                await self._ready(writing=False)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                return b""
        return b""

    async def write(self, data: bytes) -> None:
        """All of it. Raises OSError where nobody reads any more."""
        rest = memoryview(data)
        while rest and self._open:
            try:
                rest = rest[os.write(self._number, rest) :]
            except BlockingIOError:
                await self._ready(writing=True)

    def close(self) -> None:
        """Once; who still waits for it must be cancelled first."""
        if self._open:
            self._open = False
            os.close(self._number)

    async def _ready(self, *, writing: bool) -> None:
        ready = self._loop.create_future()
        add = self._loop.add_writer if writing else self._loop.add_reader
        remove = self._loop.remove_writer if writing else self._loop.remove_reader
        add(self._number, _set, ready)
        try:
            await ready
        finally:
            with contextlib.suppress(ValueError, OSError):
                remove(self._number)


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
