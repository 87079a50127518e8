"""A command's output goes on only as fast as the client takes it."""

from __future__ import annotations

import asyncio
from typing import cast

from deploy.sandbox.apiserver.exec_end import ExecEnd
from deploy.sandbox.apiserver.exec_stream import ExecStream
from deploy.sandbox.apiserver.pod_process import PodProcess
from deploy.sandbox.apiserver.taken_connection import TakenConnection
from recordings.streams.events import Event, Role


class Endless:
    """A process that always has more to say."""

    stdin = None

    def __init__(self) -> None:
        self.outputs = {Role.STDOUT: self}

    async def read(self) -> bytes:
        return b"y\n"

    async def wait(self) -> int:
        await asyncio.Event().wait()
        return 0

    async def end(self) -> None:
        pass

    def close_stdin(self) -> None:
        pass


class Slow:
    """A client that takes one piece each time it is told to."""

    def __init__(self) -> None:
        self.lost, self.may = asyncio.Event(), asyncio.Semaphore(0)

    async def drain(self) -> None:
        await self.may.acquire()

    def read(self, *, on: bool) -> None:
        assert on

    def cut(self) -> None:
        pass


class Written:
    def __init__(self) -> None:
        self.pieces: list[tuple[Role, bytes]] = []

    def receive(self, data: bytes) -> list[Event]:
        assert data
        return []

    def begin(self) -> None:
        pass

    def write(self, role: Role, data: bytes) -> None:
        self.pieces.append((role, data))

    def finish(self, said: bytes) -> None:
        raise AssertionError(said)


async def test_output_waits_for_the_client() -> None:
    written, slow = Written(), Slow()

    async def start() -> PodProcess:
        return cast("PodProcess", Endless())

    stream = ExecStream(cast("ExecEnd", written), frozenset())
    serving = asyncio.create_task(stream.serve(cast("TakenConnection", slow), "v5.channel.k8s.io", start))
    for taken in (1, 2, 3):
        for _ in range(50):
            await asyncio.sleep(0)
        assert written.pieces == [(Role.STDOUT, b"y\n")] * taken
        slow.may.release()
    slow.lost.set()
    await serving
