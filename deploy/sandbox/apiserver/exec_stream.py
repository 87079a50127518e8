"""One exec or attach: the client's streams on one side, a command on the other, and what each waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from deploy.sandbox.apiserver.exec_end import ExecEnd, exited, failed
from deploy.sandbox.apiserver.pod_process import CannotStartError, PodProcess
from deploy.sandbox.apiserver.taken_connection import TakenConnection
from recordings.streams.events import Closing, Ending, Event, Role, StreamData, StreamEnded, StreamOpened
from recordings.streams.fault import StreamFaultError
from recordings.streams.resize import ResizeReader

STREAMS_SECONDS = 30.0
"""How long a SPDY client may take to open what it asked for; the kubelet's own limit."""
MAX_SECONDS = 4 * 3600.0
"""Of a command: longer than any demo, and what a kubelet allows an idle one."""
MAX_INPUT_BYTES = 256 * 1024
"""Input that the command has not read; then the client waits."""
DRAIN_SECONDS = 2.0
"""For output that is still held open by what the command has left behind."""


class ExecStream:
    """`receive` the client's bytes from the first; `await serve(…)` once."""

    def __init__(self, end: ExecEnd, awaited: frozenset[Role]) -> None:
        self._end, self._awaited = end, set(awaited)
        self._input: list[bytes] = []
        self._input_bytes, self._input_ended = 0, False
        self._wake, self._opened, self._gone = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._sizes = ResizeReader()
        self._waiting_sizes: list[bytes] = []
        self._process: PodProcess | None = None
        self._connection: TakenConnection | None = None
        if not self._awaited:
            self._opened.set()

    def receive(self, data: bytes) -> None:
        """Bytes from the client; what it does wrong ends the command."""
        try:
            for event in self._end.receive(data):
                self._take(event)
        except StreamFaultError:
            self._gone.set()

    async def serve(
        self, connection: TakenConnection, protocol: str, start: Callable[[], Awaitable[PodProcess]]
    ) -> None:
        """Until the command or the client ends."""
        self._connection = connection
        try:
            async with asyncio.timeout(STREAMS_SECONDS):
                await self._either(self._opened)
        except TimeoutError:
            self._gone.set()
        if self._gone.is_set():
            connection.cut()
            return
        self._end.begin()
        try:
            self._process = await start()
        except CannotStartError as error:
            self._end.finish(failed(protocol, f"error executing command in container: {error}"))
            await connection.close()
            return
        try:
            self._resize(b"".join(self._waiting_sizes))
            code = await self._run(connection, self._process)
        finally:
            await self._process.end()
        if code is None:
            connection.cut()
        else:
            self._end.finish(exited(protocol, code))
            await connection.close()

    # -- what the client says

    def _take(self, event: Event) -> None:
        match event:
            case StreamOpened():
                self._awaited.discard(event.role)
                if not self._awaited:
                    self._opened.set()
            case StreamData(role=Role.STDIN):
                self._put(event.data)
            case StreamData(role=Role.RESIZE):
                self._resize(event.data)
            case StreamEnded(role=Role.STDIN):
                self._input_ended = True
                self._wake.set()
            case StreamEnded(role=Role.ERROR, ending=Ending.RESET) | Closing():
                self._gone.set()
            case _:
                pass

    def _put(self, data: bytes) -> None:
        self._input.append(data)
        self._input_bytes += len(data)
        self._wake.set()
        if self._input_bytes > MAX_INPUT_BYTES and self._connection is not None:
            self._connection.read(on=False)

    def _resize(self, data: bytes) -> None:
        if self._process is None:
            self._waiting_sizes.append(data)
            return
        for size in self._sizes.feed(data):
            self._process.resize(size)

    # -- what the command does

    async def _run(self, connection: TakenConnection, process: PodProcess) -> int | None:
        """The exit code; None where the client has gone or the time is over."""
        tasks = [asyncio.ensure_future(self._copy(role, connection, process)) for role in process.outputs]
        feeding = asyncio.ensure_future(self._feed(connection, process))
        waiting = asyncio.ensure_future(process.wait())
        try:
            async with asyncio.timeout(MAX_SECONDS):
                await self._either(waiting, connection.lost)
            if not waiting.done():
                return None
            with suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_SECONDS):
                    await asyncio.gather(*tasks)
            return waiting.result()
        except (TimeoutError, ConnectionResetError):
            return None
        finally:
            for task in (*tasks, feeding, waiting):
                task.cancel()
            await asyncio.gather(*tasks, feeding, waiting, return_exceptions=True)

    async def _copy(self, role: Role, connection: TakenConnection, process: PodProcess) -> None:
        while data := await process.outputs[role].read():
            self._end.write(role, data)
            await connection.drain()

    async def _feed(self, connection: TakenConnection, process: PodProcess) -> None:
        while not (self._input_ended and not self._input):
            await self._wake.wait()
            self._wake.clear()
            data, self._input = b"".join(self._input), []
            self._input_bytes = 0
            connection.read(on=True)
            if process.stdin is not None:
                with suppress(OSError):  # it reads no more; the rest is dropped, as in a pod
                    await process.stdin.write(data)
        process.close_stdin()

    async def _either(self, *conditions: asyncio.Event | asyncio.Future[int]) -> None:
        """Wait for one of them, or for the client to go."""
        waits = [
            asyncio.ensure_future(one.wait()) if isinstance(one, asyncio.Event) else one
            for one in (*conditions, self._gone)
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                if wait not in conditions:
                    wait.cancel()
