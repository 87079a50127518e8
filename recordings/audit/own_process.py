"""Work that is done in a process of its own, for as long as somebody wants it."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from typing import Any


@asynccontextmanager
async def own_process(name: str, work: Callable[..., None], *arguments: Any) -> AsyncIterator[Connection]:
    """`work(*arguments, pipe)` runs in a new process; what it sends is received from what this gives, and back.

    At the end of the block the process is killed and waited for, whatever ended it. `work` is a module's function, and
    the arguments can be pickled. Raises OSError where no process can be started.
    """
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=work, args=(*arguments, theirs), name=name, daemon=True
    )
    starting = asyncio.ensure_future(asyncio.to_thread(process.start))
    try:
        await asyncio.shield(starting)
        theirs.close()
        yield ours
    finally:
        await asyncio.wait([starting])  # its thread goes on where we are cancelled meanwhile
        theirs.close()
        if process.pid is not None:
            process.kill()
            await asyncio.to_thread(process.join)
        ours.close()
