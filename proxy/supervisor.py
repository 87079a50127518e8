"""The kube listener in several processes: started, watched, started again when one dies, told to end.

Each has a pipe to us. On it comes a report each second; when it closes at our end, the worker ends in order, so that
no worker outlives us. All listen on the same address (SO_REUSEPORT): the kernel spreads connections over them.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from proxy.app import App, Report, StartError
from proxy.config import Config
from proxy.metrics import Metrics
from recordings.errors import LogUnavailableError

REPORT_SECONDS = 1.0
START_SECONDS = 60.0
"""A worker loads its roles, opens its log and recovers what a crash left: seconds, on a slow disk."""
RESTART_SECONDS = 1.0
"""Before a worker that died is started again, so that one that cannot live does not take a core for dying."""
MAX_RESTART_SECONDS = 30.0
"""Between attempts, once several have failed."""
STOP_SECONDS = 10.0
"""More than the drain, for the log's last sync."""
SILENT_SECONDS = 5.0
"""A worker that has not reported for so long hangs: /readyz says so."""


class Supervisor:
    """`start`, then `reports` at any time, then `stop`."""

    def __init__(self, config: Config, count: int, *, say: Callable[[str], None]) -> None:
        self._config, self._say = config, say
        self._workers = [Worker(config, number) for number in range(count)]
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """All of them serve when this returns. Raises StartError with the first one's reason."""
        for worker in self._workers:
            await worker.start()
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._keep(worker)) for worker in self._workers]

    async def stop(self) -> None:
        """Tell all to end, and wait; one that does not is killed."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(worker.stop(self._config.kube.limits.drain_timeout) for worker in self._workers))

    def cut(self) -> None:
        """While `stop` waits: the workers wait no longer for what runs."""
        for worker in self._workers:
            worker.cut()

    def reports(self) -> list[Report]:
        """The last report of each worker; of one that is silent, that it is."""
        return [worker.report(time.monotonic()) for worker in self._workers]

    async def _keep(self, worker: Worker) -> None:
        while True:
            await worker.ended()
            self._say(f"worker {worker.number} ended with code {worker.exit_code}; it is started again")
            await self._again(worker)

    async def _again(self, worker: Worker) -> None:
        """Until it serves, ever more patiently: what keeps it from starting may be mended."""
        wait = RESTART_SECONDS
        while True:
            await asyncio.sleep(wait)
            try:
                await worker.start()
            except StartError as error:
                wait = min(2 * wait, MAX_RESTART_SECONDS)
                self._say(f"worker {worker.number}: {error}; tried again in {wait:.0f} s")
            else:
                return


class Worker:
    """One process, and our end of its pipe."""

    def __init__(self, config: Config, number: int) -> None:
        self.number = number
        self.exit_code: int | None = None
        self._config = config
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None
        self._ended = asyncio.Event()
        self._started: asyncio.Future[str] | None = None
        self._report = Report.down(Metrics(), "not started")
        self._heard_at = 0.0

    async def start(self) -> None:
        """Raises StartError when it does not come to serve."""
        loop = asyncio.get_running_loop()
        ours, theirs = multiprocessing.Pipe()
        self._pipe, self._started = ours, loop.create_future()
        self._ended.clear()
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(
            target=work, args=(self._config, self.number, theirs), name=f"kwit-{self.number}"
        )
        await asyncio.to_thread(self._process.start)
        theirs.close()
        loop.add_reader(ours.fileno(), self._heard)
        try:
            async with asyncio.timeout(START_SECONDS):
                problem = await self._started
        except TimeoutError:
            problem = f"worker {self.number} did not come up within {START_SECONDS:.0f} s"
        if problem:
            await self.stop(0)
            raise StartError(problem)

    async def ended(self) -> None:
        await self._ended.wait()

    async def stop(self, drain_seconds: float) -> None:
        """Closing the pipe tells it to end."""
        process = self._process
        if process is None:
            return
        self._close()
        await asyncio.to_thread(process.join, drain_seconds + STOP_SECONDS)
        if process.exitcode is None:
            process.kill()
            await asyncio.to_thread(process.join)
        self.exit_code, self._process = process.exitcode, None

    def cut(self) -> None:
        """End its drain."""
        if self._process is not None and self._process.pid is not None and self._process.exitcode is None:
            os.kill(self._process.pid, signal.SIGUSR1)

    def report(self, now: float) -> Report:
        if self._pipe is None or now - self._heard_at <= SILENT_SECONDS:
            return self._report
        return Report.down(self._report.metrics, f"has not reported for {now - self._heard_at:.0f} s")

    def _heard(self) -> None:
        """A report, or a sentence why it could not start; the end of the pipe is its end."""
        assert self._pipe is not None
        assert self._started is not None
        try:
            message = self._pipe.recv()
        except (EOFError, OSError):
            self._gone()
            return
        if isinstance(message, str):
            self._started.set_result(message)
            return
        self._report, self._heard_at = message, time.monotonic()
        if not self._started.done():
            self._started.set_result("")

    def _gone(self) -> None:
        process = self._process
        self._close()
        if process is not None:
            process.join(RESTART_SECONDS)
            self.exit_code = process.exitcode
        if self._started is not None and not self._started.done():
            self._started.set_result(f"worker {self.number} ended with code {self.exit_code} before it served")
        self._report = Report.down(self._report.metrics, "ended; it is started again")
        self._ended.set()

    def _close(self) -> None:
        if self._pipe is not None:
            asyncio.get_running_loop().remove_reader(self._pipe.fileno())
            self._pipe.close()
            self._pipe = None


def work(config: Config, number: int, pipe: Connection) -> None:
    """A worker's whole life, in its own process."""
    from proxy.server import run

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C goes to all: the supervisor tells us
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(run(lambda: _work(config, number, pipe)))


async def _work(config: Config, number: int, pipe: Connection) -> int:
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    app = App(config, environ=os.environ, say=lambda _line: None, worker=number, web=False)  # noqa: TID251
    try:
        await app.start()
    except StartError as error:
        with suppress(OSError):
            pipe.send(str(error))
        return 1
    loop.add_signal_handler(signal.SIGUSR1, app.cut)
    loop.add_reader(pipe.fileno(), told.set)  # nothing is ever sent to us: readable means closed
    failed = loop.create_task(app.failed())
    while not told.is_set() and not failed.done():
        with suppress(OSError):  # it is gone; `told` says so
            pipe.send(app.report())
        with suppress(TimeoutError):
            async with asyncio.timeout(REPORT_SECONDS):
                await told.wait()
    loop.remove_reader(pipe.fileno())
    fault = failed.done()
    failed.cancel()
    try:
        await app.stop()
    except LogUnavailableError:
        return 1
    return int(fault)
