"""The composition root: every object of a server is made here, from a Config, and handed to those who need it.

`App` is one process with both listeners; `serve` runs it until a signal says stop. The clock, randomness and the
environment come in here and nowhere else.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable, Mapping

from auth.keystore import KeystoreError
from auth.rbac import PolicyError
from auth.state.live import REFRESH_SECONDS, LiveState
from auth.state.sqlite import SqliteStore
from auth.state.store import StoreError
from proxy.clusters import ClusterRegistry
from proxy.config import Config, ConfigError
from proxy.config_types import Address
from proxy.identity_providers import connectors_of
from proxy.in_force import Changes, InForce
from proxy.keys import load_keys
from proxy.kube_server import KubeServer
from proxy.listeners import listen
from proxy.log_writer import LogWriter
from proxy.operations import Check, OperationsListener
from proxy.role_directory import RoleDirectory
from proxy.version import version
from proxy.web_server import WebServer
from recordings.audit.record import Outcome, RecordType
from recordings.errors import LogUnavailableError

Say = Callable[[str], None]
"""One line for whoever runs the server."""


class StartError(Exception):
    """Nothing was started; the message says why, and what to do."""


class App:
    """One kwit server. `start`, then `failed` can be awaited, then `stop`."""

    def __init__(
        self,
        config: Config,
        *,
        environ: Mapping[str, str],
        say: Say,
        clock: Callable[[], float] = time.time,  # noqa: TID251 - the composition root
        mono: Callable[[], float] = time.monotonic,
        node: str | None = None,
    ) -> None:
        """`node` names this machine in the log's directories; left out, its host name."""
        self._config, self._environ, self._say = config, environ, say
        self._clock, self._mono = clock, mono
        self.node = node_name(socket.gethostname() if node is None else node)
        self._undo: list[Callable[[], object]] = []
        self._keeper: asyncio.Task[None] | None = None
        self.in_force: InForce
        self.kube: KubeServer
        self.web: WebServer

    # -- life

    async def start(self) -> None:
        """Everything, in an order in which nothing listens before it can refuse properly. Raises StartError."""
        try:
            await self._start()
        except PolicyError as error:
            await self._fail(f"the roles in {self._config.roles_dir} cannot be used:\n{error}", error)
        except (ConfigError, KeystoreError, StoreError, LogUnavailableError) as error:
            await self._fail(str(error), error)
        except ssl.SSLError as error:
            await self._fail(f"a serving certificate or its key cannot be used: {error}", error)
        except OSError as error:
            await self._fail(f"{error.filename}: {error.strerror}" if error.filename else str(error), error)
        except BaseException:  # StartError among them
            await self.stop()
            raise

    async def _fail(self, sentence: str, error: Exception) -> None:
        await self.stop()
        raise StartError(sentence) from error

    async def _start(self) -> None:
        config, now, loop = self._config, self._clock(), asyncio.get_running_loop()
        connectors = connectors_of(config, self._environ)
        keys = load_keys(config, now)
        store = SqliteStore(config.state_path)
        self._undo.append(store.close)
        await store.open()
        clusters = ClusterRegistry.load(config.clusters_dir)
        self.in_force = InForce(
            store, LiveState(), RoleDirectory(config, clusters), clusters, max_age_seconds=float(config.state.max_age)
        )
        first = await self.in_force.refresh(now)
        kube_writer, web_writer = await self._writer("0"), await self._writer("web")
        self.kube = KubeServer(config, keys, self.in_force, kube_writer, worker=0, loop=loop, clock=self._clock)
        self.web = WebServer(
            config,
            keys,
            self.in_force,
            writer=web_writer,
            store=store,
            connectors=connectors,
            kube_ca_pem=self.kube.serving.ca_pem,
            clock=self._clock,
        )
        await self._record(Changes(roles=True, clusters=True, clusters_error=first.clusters_error))
        operations = OperationsListener(self.checks, self.metrics)
        self._undo.append(operations.stop)
        await operations.start(_bound("operations", config.operations.address))
        self._undo.append(self.web.stop)
        await self.web.start(_bound("web", config.web.address))
        self._undo.append(self.kube.stop)
        self.kube.start(_bound("kube", config.kube.address))
        self._keeper = loop.create_task(self._keep_current())

    async def _writer(self, part: str) -> LogWriter:
        writer = LogWriter(
            self._config,
            f"{self.node}-{part}",
            loop=asyncio.get_running_loop(),
            clock=self._clock,
            mono=self._mono,
        )
        await writer.open()
        self._undo.append(writer.close)
        return writer

    async def stop(self) -> None:
        """The reverse of `start`, as far as that came; the log is closed after all that writes to it.

        Raises LogUnavailableError when the log's end is not durable; all else is closed even then.
        """
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        failed: Exception | None = None
        while self._undo:
            try:
                result = self._undo.pop()()
                if asyncio.iscoroutine(result):
                    await result
            except LogUnavailableError as error:
                failed = error
        if failed is not None:
            raise failed

    async def failed(self) -> BaseException:
        """Returns when a part that must run for ever has ended: then the server must end, too."""
        assert self._keeper is not None
        assert self.web.reading is not None
        done, _ = await asyncio.wait((self._keeper, self.web.reading), return_when=asyncio.FIRST_COMPLETED)
        return next(iter(done)).exception() or RuntimeError("a loop ended that never ends")

    # -- what runs

    async def _keep_current(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            await self._record(await self.in_force.refresh(self._clock()))
            self.kube.sweep()
            self.web.sweep()

    async def _record(self, changes: Changes) -> None:
        """Changes of what decides are in force before they can be recorded; one that cannot be is said here."""
        for record_type, body in _bodies(changes, self.in_force):
            self._say(_line(record_type, body))
            outcome = Outcome.REFUSED if "error" in body else Outcome.DONE
            try:
                await self.web.writer.record(record_type, {"outcome": outcome, "body": body})
            except LogUnavailableError as error:
                self._say(f"not recorded: {error}")

    def checks(self) -> list[Check]:
        """The lines of /readyz."""
        logs = (self.kube.writer.log, self.web.writer.log)
        causes = "; ".join(sorted({log.cause for log in logs if not log.available}))
        state = Check("state", self.in_force.too_old(self._clock()))
        noted = [Check(what, why, fatal=False) for what, why in self.in_force.problems()]
        return [Check("log", causes), state, *noted]

    def metrics(self) -> str:
        """The page of /metrics."""
        return self.kube.metrics.render(log_available=self.kube.writer.log.available)


def _bodies(changes: Changes, in_force: InForce) -> list[tuple[RecordType, dict[str, object]]]:
    found: list[tuple[RecordType, dict[str, object]]] = []
    if changes.roles:
        found.append((RecordType.ROLE_CHANGE, {"roles": list(in_force.roles.names)}))
    if changes.roles_error:
        found.append((RecordType.ROLE_CHANGE, {"error": changes.roles_error}))
    if changes.clusters:
        found.append((RecordType.CONFIG_CHANGE, {"what": f"clusters: {', '.join(in_force.served()) or 'none'}"}))
    if changes.clusters_error:
        found.append((RecordType.CONFIG_CHANGE, {"what": "clusters", "error": changes.clusters_error}))
    return found


def _line(record_type: RecordType, body: Mapping[str, object]) -> str:
    if "error" in body:
        what = "roles" if record_type is RecordType.ROLE_CHANGE else "clusters"
        return f"{what}: the last good ones stay:\n{body['error']}"
    if record_type is RecordType.ROLE_CHANGE:
        names = body["roles"]
        assert isinstance(names, list)
        return f"roles: {', '.join(names) or 'none, so every request is refused'}"
    return str(body["what"])


def _bound(section: str, address: Address) -> socket.socket:
    try:
        return listen(address.host, address.port)
    except OSError as error:
        raise StartError(f"{section}.address {address}: {error.strerror}; free it, or choose another") from error


def node_name(host: str) -> str:
    """A host's name as a directory's: letters, digits, dots, dashes; never empty, never `.` or `..`."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "-.") else "-" for c in host.lower())
    return kept.strip(".-")[:63] or "node"


# -- the process


def serve(config: Config) -> int:
    """Run a server until SIGTERM or SIGINT; a second one ends it at once. The process's exit code."""
    if sys.platform == "win32":
        runner = asyncio.Runner()
    else:
        import uvloop

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    with runner:
        return runner.run(_serve(config))


async def _serve(config: Config) -> int:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    app = App(config, environ=os.environ, say=say)  # noqa: TID251 - the composition root
    await app.start()
    for line in standing(config):
        say(line)
    main = asyncio.current_task()
    assert main is not None

    def stop() -> None:
        if stopping.is_set():
            main.cancel()
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    gc.collect()
    gc.freeze()  # what was made until now lives as long as the process: no collection needs to look at it again
    failed = loop.create_task(app.failed())
    waiting = loop.create_task(stopping.wait())
    await asyncio.wait((failed, waiting), return_when=asyncio.FIRST_COMPLETED)
    code = 0
    if failed.done():
        say(f"ended because of a fault of its own: {failed.result()!r}; please report it")
        code = 1
    else:
        say(f"stopping: requests under way may take {config.kube.limits.drain_timeout} s more; again to end at once")
    for task in (failed, waiting):
        task.cancel()
    try:
        await app.stop()
    except LogUnavailableError as error:
        say(f"the log's end could not be written: {error}")
        return 1
    except asyncio.CancelledError:
        say("ended at once")
        return 1
    say("stopped")
    return code


def standing(config: Config) -> list[str]:
    """What is up, for the person who started it."""
    return [
        f"kubewitness {version()}, installation {config.installation}",
        f"kubectl   {config.kube.url}  (listens on {config.kube.address})",
        f"sign-in   {config.web.url}  (listens on {config.web.address})",
        f"operators http://{config.operations.address}/readyz  /metrics",
    ]


def say(line: str) -> None:
    """To standard error, whole lines."""
    sys.stderr.write(f"kwit: {line}\n")
    sys.stderr.flush()
