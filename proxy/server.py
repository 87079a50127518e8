"""The processes of `kwit serve`: one with both listeners, or one for the web and several for kubectl.

Every process ends in order on SIGTERM and SIGINT; a second one cuts what still runs.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable

from proxy.app import App, StartError
from proxy.config import Config
from proxy.supervisor import Supervisor
from proxy.version import version
from recordings.errors import LogUnavailableError

SWITCH_SECONDS = 0.0005
"""How long a thread asks for the interpreter before the one that has it must give way (Python's default is ten times as
much). The log's and the recordings' threads wait less, and the loop's thread wakes them less often in vain."""
SAME_SIGNAL_SECONDS = 1.0
"""`timeout`, terminals and container runtimes signal a process and then its group."""


def serve(config: Config) -> int:
    """Run a server until it is told to stop; the process's exit code. Raises StartError."""
    if config.worker_count == 1:
        return run(lambda: _alone(config))
    return run(lambda: _with_workers(config))


def run(main: Callable[[], Awaitable[int]]) -> int:
    """On uvloop where there is one: an idle TLS connection costs an eighth of what it costs on asyncio's own loop."""
    if sys.platform == "win32":
        runner = asyncio.Runner()
    else:
        import uvloop

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)

    async def running() -> int:
        return await main()

    with runner:
        return runner.run(running())


async def _alone(config: Config) -> int:
    app = App(config, environ=os.environ, say=say)  # noqa: TID251 - the composition root
    await app.start()
    return await until_stopped(app, config)


async def _with_workers(config: Config) -> int:
    supervisor = Supervisor(config, config.worker_count, say=say)
    app = App(
        config,
        environ=os.environ,  # noqa: TID251 - the composition root
        say=say,
        worker=None,
        others=supervisor.reports,
    )
    await app.start()
    try:
        await supervisor.start()
    except StartError:
        await supervisor.stop()
        await app.stop()
        raise
    return await until_stopped(app, config, supervisor)


async def until_stopped(app: App, config: Config, supervisor: Supervisor | None = None) -> int:
    """Say what is up, wait for a signal or a fault, then end; the exit code."""
    loop, told = asyncio.get_running_loop(), Told(asyncio.get_running_loop())
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told)
    announce(config)
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()  # what was made until now lives as long as the process: no collection needs to look at it again
    failed, waiting = loop.create_task(app.failed()), loop.create_task(told.once.wait())
    await asyncio.wait((failed, waiting), return_when=asyncio.FIRST_COMPLETED)
    fault = failed.done()
    if fault:
        say(f"ended because of a fault of its own: {failed.result()!r}; please report it")
    else:
        say(f"stopping: requests under way may take {config.kube.limits.drain_timeout} s more; again to cut them")
    for task in (failed, waiting):
        task.cancel()
    cutting = loop.create_task(_cut(told, app, supervisor))
    try:
        if supervisor is not None:
            await supervisor.stop()
        await app.stop()
    except LogUnavailableError as error:
        say(f"the log's end could not be written: {error}")
        return 1
    finally:
        cutting.cancel()
    say("stopped")
    return int(fault)


class Told:
    """A signal's handler. One that comes within a second of the first is the same one, sent to us and to our group."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.once, self.again = asyncio.Event(), asyncio.Event()
        self._loop, self._at = loop, 0.0

    def __call__(self) -> None:
        if not self.once.is_set():
            self._at = self._loop.time()
            self.once.set()
        elif self._loop.time() - self._at >= SAME_SIGNAL_SECONDS:
            self.again.set()


async def _cut(told: Told, app: App, supervisor: Supervisor | None) -> None:
    await told.again.wait()
    say("what runs is cut")
    app.cut()
    if supervisor is not None:
        supervisor.cut()


def announce(config: Config) -> None:
    """What is up, for the person who started it."""
    say(f"kubewitness {version()}, installation {config.installation}")
    say(f"kubectl   {config.kube.url}  (listens on {config.kube.address}{_workers(config)})")
    say(f"sign-in   {config.web.url}  (listens on {config.web.address})")
    say(f"operators http://{config.operations.address}/readyz  /metrics")


def _workers(config: Config) -> str:
    return f", {config.worker_count} workers" if config.worker_count > 1 else ""


def say(line: str) -> None:
    """To standard error, whole lines."""
    sys.stderr.write(f"kwit: {line}\n")
    sys.stderr.flush()
