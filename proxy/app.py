"""The composition root: every object of a process is made here, from a Config, and handed to those who need it.

One process can have both listeners, or there is one with the web listener and several with a kube listener each
(`proxy.server`). Clock, randomness and environment come in here and nowhere else.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Self

from cryptography.hazmat.primitives.hashes import SHA256

from auth.connectors import Connector
from auth.keystore import KeystoreError
from auth.rbac import PolicyError
from auth.state.live import REFRESH_SECONDS, LiveState
from auth.state.sqlite import SqliteStore
from auth.state.store import StoreError
from proxy.clusters import ClusterRegistry
from proxy.config import Config, ConfigError
from proxy.config_types import Address
from proxy.export_watch import ExportWatch
from proxy.identity_providers import connectors_of
from proxy.in_force import Changes, InForce
from proxy.keys import ROOT_PUBLIC_KEY, Keys, load_keys
from proxy.kube_server import KubeServer
from proxy.listeners import listen
from proxy.log_anchors import LogAnchors
from proxy.log_keeper import LogKeeper
from proxy.log_writer import LogWriter
from proxy.metrics import Metrics, locks_page, total
from proxy.operations import Check, OperationsListener
from proxy.recording_keeper import RecordingKeeper
from proxy.role_changes import digest
from proxy.role_directory import RoleDirectory
from proxy.version import version
from proxy.web_server import WebServer
from recordings.audit.record import Outcome, RecordType
from recordings.audit.retention import Limits
from recordings.errors import LogUnavailableError

Say = Callable[[str], None]
"""One line for whoever runs the server."""


class StartError(Exception):
    """Nothing was started; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Report:
    """How a process does: `problem` is empty unless it refuses everything, `log` unless its log cannot be written."""

    metrics: Metrics
    problem: str = ""
    log: str = ""

    @classmethod
    def down(cls, metrics: Metrics, why: str) -> Self:
        """Of a process that is not there, or says nothing: it serves nobody, and nothing is known to write its log."""
        return cls(metrics, why, why)


def nobody() -> list[Report]:
    """There are no other processes."""
    return []


class App:
    """One process of a kwit server. `start`, then `failed` can be awaited, then `stop`."""

    def __init__(
        self,
        config: Config,
        *,
        environ: Mapping[str, str],
        say: Say,
        clock: Callable[[], float] = time.time,  # noqa: TID251 - the composition root
        mono: Callable[[], float] = time.monotonic,
        node: str | None = None,
        worker: int | None = 0,
        web: bool = True,
        others: Callable[[], list[Report]] = nobody,
    ) -> None:
        """`worker`: the number of its kube listener, None for none; `web`: with web and operations listeners.

        `node` names this machine in the log's directories; left out, its host name. `others`: what the other processes
        of this server report, for the operations listener.
        """
        self._config, self._environ, self._say = config, environ, say
        self._clock, self._mono = clock, mono
        self.node = node_name(socket.gethostname() if node is None else node)
        self._undo: list[Callable[[], object]] = []
        self._keeper: asyncio.Task[None] | None = None
        self._worker, self._with_web, self._others = worker, web, others
        self.in_force: InForce
        self.kube: KubeServer | None = None
        self.web: WebServer | None = None
        self.anchors: LogAnchors | None = None
        self.exports: ExportWatch | None = None

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
        config, now = self._config, self._clock()
        connectors = connectors_of(config, self._environ) if self._with_web else {}
        keys = load_keys(config, now)
        store = SqliteStore(config.state_path)
        self._undo.append(store.close)
        await store.open()
        clusters = ClusterRegistry.load(config.clusters_dir)
        roles = RoleDirectory(config, clusters)
        self.in_force = InForce(store, LiveState(), roles, clusters, max_age_seconds=float(config.state.max_age))
        first = await self.in_force.refresh(now)
        if self._with_web:
            await self._start_web(keys, store, connectors)
            await self._record_start(keys)
            await self._record(replace(first, roles=True, clusters=True))
        if self._worker is not None:
            await self._start_kube(keys, self._worker)
        self._keeper = asyncio.get_running_loop().create_task(self._keep_current())

    async def _start_web(self, keys: Keys, store: SqliteStore, connectors: Mapping[str, Connector]) -> None:
        config = self._config
        self.anchors = LogAnchors(config, clock=self._clock, mono=self._mono, say=self._say)
        self._undo.append(self.anchors.stop)  # after the log's end
        self.web = WebServer(
            config,
            keys,
            self.in_force,
            writer=await self._writer("web"),
            store=store,
            connectors=connectors,
            kube_ca_pem=keys.servers.pem if config.kube.tls is None else "",
            clock=self._clock,
        )
        self.anchors.start()
        operations = OperationsListener(self.checks, self.metrics)
        self._undo.append(operations.stop)
        await operations.start(_bound("operations", config.operations.address))
        self._undo.append(self.web.stop)
        await self.web.start(_bound("web", config.web.address))
        limits = Limits(config.audit.retention_age, config.audit.retention_size)
        keeper = LogKeeper(config.audit_directory, limits, self.web.writer.record, clock=self._clock, say=self._say)
        self._undo.append(keeper.stop)
        keeper.start()
        self.exports = ExportWatch(
            config.audit_directory,
            config.audit.exports,
            self.web.writer.record,
            retention_age=config.audit.retention_age,
            clock=self._clock,
            say=self._say,
        )
        if config.audit.exports:
            self._undo.append(self.exports.stop)
            self.exports.start()
        recordings = RecordingKeeper(config.recordings_directory, say=self._say)
        self._undo.append(recordings.stop)
        recordings.start()

    async def _start_kube(self, keys: Keys, worker: int) -> None:
        writer, loop = await self._writer(str(worker)), asyncio.get_running_loop()
        self.kube = KubeServer(self._config, keys, self.in_force, writer, worker=worker, loop=loop, clock=self._clock)
        self._undo.append(self.kube.stop)
        self.kube.start(_bound("kube", self._config.kube.address))

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

    def cut(self) -> None:
        """While `stop` waits for what runs: wait no longer. The log is still ended in order."""
        if self.kube is not None:
            self.kube.cut()

    async def failed(self) -> BaseException:
        """Returns when a part that must run for ever has ended: then the server must end, too."""
        reading = self.web.reading if self.web is not None else None
        done, _ = await asyncio.wait(
            [task for task in (self._keeper, reading) if task is not None], return_when=asyncio.FIRST_COMPLETED
        )
        return next(iter(done)).exception() or RuntimeError("a loop ended that never ends")

    # -- what runs

    async def _keep_current(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            changes = await self.in_force.refresh(self._clock())
            if self.web is not None:
                await self._record(changes)
                await self.web.record_locks()
            for server in self._servers():
                server.sweep()

    async def _record_start(self, keys: Keys) -> None:
        """Raises LogUnavailableError, OSError: nobody is served by a server that began unrecorded."""
        assert self.web is not None
        body = {
            "version": version(),
            "config": sha256(self._config.model_dump_json().encode()).hexdigest(),
            "people_ca": keys.people.certificate.fingerprint(SHA256()).hex(),
            "servers_ca": keys.servers.certificate.fingerprint(SHA256()).hex(),
            "audit_root": (self._config.audit_directory / ROOT_PUBLIC_KEY).read_text(encoding="ascii").strip(),
        }
        await self.web.writer.record(RecordType.SERVER_START, {"outcome": Outcome.DONE, "body": body})

    async def _record(self, changes: Changes) -> None:
        """Changes of what decides are in force before they can be recorded; one that cannot be is said here."""
        assert self.web is not None
        for record_type, body, line in _notices(changes, self.in_force):
            self._say(line)
            outcome = Outcome.REFUSED if "error" in body else Outcome.DONE
            try:
                await self.web.writer.record(record_type, {"outcome": outcome, "body": body})
            except LogUnavailableError as error:
                self._say(f"not recorded: {error}")

    def report(self) -> Report:
        """How this process does."""
        problem = "; ".join(sorted({*self._log_causes(), self.in_force.too_old(self._clock())} - {""}))
        log = "; ".join(self._log_causes())
        return Report(self.kube.metrics if self.kube is not None else Metrics(), problem, log)

    def checks(self) -> list[Check]:
        """The lines of /readyz."""
        workers = [Check(f"worker-{n}", report.problem) for n, report in enumerate(self._others())]
        noted = [Check(what, why, fatal=False) for what, why in self.in_force.problems()]
        state = Check("state", self.in_force.too_old(self._clock()))
        anchors = self.anchors.checks() if self.anchors is not None else []
        return [Check("log", "; ".join(self._every_log_cause())), state, *workers, *noted, *anchors]

    def metrics(self) -> str:
        """The page of /metrics, over all processes."""
        reports = [self.report(), *self._others()]
        page = total(report.metrics for report in reports).render(log_available=not self._every_log_cause())
        page += locks_page(self.in_force.live.locks)
        if self.exports is not None:
            page += self.exports.page()
        return page + (self.anchors.page() if self.anchors is not None else "")

    def _servers(self) -> list[KubeServer | WebServer]:
        return [server for server in (self.kube, self.web) if server is not None]

    def _every_log_cause(self) -> list[str]:
        """Over all processes; a worker's with its number."""
        theirs = [f"worker-{number}: {report.log}" for number, report in enumerate(self._others()) if report.log]
        return [*self._log_causes(), *theirs]

    def _log_causes(self) -> list[str]:
        """Why logs of this process cannot be written; empty while all can. One that is not open yet cannot."""
        not_started = "not started" if self._worker is not None and self.kube is None else ""
        return sorted({not_started, *(server.writer.log.cause for server in self._servers())} - {""})


def _notices(changes: Changes, in_force: InForce) -> list[tuple[RecordType, dict[str, object], str]]:
    """What is to be recorded of changes, and the line that says the same to whoever runs the server."""
    found: list[tuple[RecordType, dict[str, object], str]] = []
    if changes.roles:
        names = in_force.roles.names
        line = f"roles: {', '.join(names) or 'none, so every request is refused'}"
        body: dict[str, object] = {
            "roles": list(names),
            "sha256": digest(in_force.roles.documents),
            "changes": in_force.roles.differences,
        }
        found.append((RecordType.ROLE_CHANGE, body, line))
    if changes.roles_error:
        line = f"roles: the last good ones stay:\n{changes.roles_error}"
        found.append((RecordType.ROLE_CHANGE, {"error": changes.roles_error}, line))
    if changes.clusters:
        line = f"clusters: {', '.join(in_force.served()) or 'none'}"
        found.append((RecordType.CONFIG_CHANGE, {"what": line}, line))
    if changes.clusters_error:
        line = f"clusters: the last good ones stay:\n{changes.clusters_error}"
        found.append((RecordType.CONFIG_CHANGE, {"what": "clusters", "error": changes.clusters_error}, line))
    return found


def _bound(section: str, address: Address) -> socket.socket:
    try:
        return listen(address.host, address.port)
    except OSError as error:
        raise StartError(f"{section}.address {address}: {error.strerror}; free it, or choose another") from error


def node_name(host: str) -> str:
    """A host's name as a directory's: letters, digits, dots, dashes; never empty, never `.` or `..`."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "-.") else "-" for c in host.lower())
    return kept.strip(".-")[:63] or "node"
