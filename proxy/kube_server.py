"""One worker's data plane, put together: log writer, filters, upstream pool, listener."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace

from proxy.audit_id import RandomBlock
from proxy.audit_policy_file import load_policy
from proxy.config import Config, Durability
from proxy.context import RequestContext
from proxy.filters.audit import AuditFilter
from proxy.filters.authentication import AuthenticationFilter
from proxy.filters.origin import OriginFilter
from proxy.filters.remembered import RoleSteps
from proxy.filters.request_info import request_info
from proxy.in_force import InForce
from proxy.journey import Journey
from proxy.keys import Keys
from proxy.listeners import KubeListener, kube_ssl_context
from proxy.log_writer import LogWriter
from proxy.metrics import Metrics
from proxy.serving import ServingCertificate, hosts_of, names_of
from proxy.status import Refusal
from proxy.streams.pod_facts import PodReader
from proxy.streams.streaming import Streaming
from proxy.upstream import UpstreamPool
from recordings.audit.record import Outcome, RecordType
from recordings.recorder.interrupted import seal_interrupted
from recordings.recorder.seal_record import seal_body
from recordings.recorder.store import RecordingStore


class KubeServer:
    """Serves the kube listener from `start` to `stop`; `sweep` is to be called every second."""

    def __init__(
        self,
        config: Config,
        keys: Keys,
        in_force: InForce,
        writer: LogWriter,
        *,
        worker: int,
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], float],
    ) -> None:
        """Makes the serving certificate. Raises OSError, ssl.SSLError for files that cannot be used."""
        self.metrics = Metrics()
        self.writer = writer
        self._config, self._loop, self._clock = config, loop, clock
        kube = config.kube
        self.serving = ServingCertificate(
            kube.tls,
            config.ca_directory / "serving",
            f"kube-{worker}",
            keys.servers,
            names_of(kube.url, kube.address),
            now=clock(),
        )
        self._store = RecordingStore(
            config.recordings_directory,
            loop=loop,
            mono=loop.time,
            max_bytes=config.recordings.max_bytes,
            writer=writer.name,
        )
        self._pool = UpstreamPool(loop, connect_seconds=kube.limits.connect_timeout)
        self._context: ssl.SSLContext = kube_ssl_context(
            str(self.serving.chain), str(self.serving.key), keys.people.pem
        )
        self._journey = self._build_journey(keys, in_force)
        self._listener = KubeListener(
            self._context,
            self._journey,
            loop=loop,
            installation=config.installation,
            limits=kube.limits,
            refused=writer.refused,
            metrics=self.metrics,
            clock=clock,
            random=RandomBlock(os.urandom),
        )

    def _build_journey(self, keys: Keys, in_force: InForce) -> Journey:
        config = self._config
        authentication = AuthenticationFilter(
            in_force.live,
            in_force.clusters.by_name,
            state_max_age_seconds=config.state.max_age,
            groups_max_age_seconds=config.login.groups_max_age,
        )
        roles = RoleSteps(lambda: in_force.roles.policy, in_force.labels, in_force.allowed_system_names)
        audit = AuditFilter(
            self.writer.log,
            self._clock,
            strict=config.audit.durability is Durability.STRICT,
            redaction_key=keys.redaction,
            policy=load_policy(config.audit.policy_file or config.audit.policy_profile),
        )

        def still(context: RequestContext) -> Refusal | None:
            again = replace(context)
            return authentication.still(again, self._clock()) or roles(again)

        self.streaming = Streaming(
            self._store,
            self._pool,
            audit,
            loop=self._loop,
            random=RandomBlock(os.urandom),
            metrics=self.metrics,
            still=still,
            pods=PodReader(
                (authentication, request_info, roles),
                self._pool,
                audit,
                loop=self._loop,
                clock=self._clock,
                random=RandomBlock(os.urandom),
            ),
        )
        origin = OriginFilter(
            hosts_of(config.kube.url, config.kube.address),
            frozenset(url.encode() for url in (config.kube.url, *config.kube.allowed_origins)),
        )
        return Journey(
            (origin, authentication, request_info, roles),
            audit,
            self._pool,
            loop=self._loop,
            clock=self._clock,
            random=RandomBlock(os.urandom),
            metrics=self.metrics,
            streaming=self.streaming,
            still=still,
        )

    def start(self, listening: socket.socket) -> None:
        """Serve a bound socket, once recordings that a crash left are in order. Raises OSError, LogUnavailableError."""
        self._seal_interrupted()
        self._listener.start(listening)

    def _seal_interrupted(self) -> None:
        """Before anything is recorded anew."""
        for head, recording in seal_interrupted(self._config.recordings_directory, self.writer.name):
            self.writer.log.append(
                RecordType.RECORDING_SEAL,
                Outcome.DONE,
                cluster=head.cluster,
                login=head.login,
                source=head.source,
                body=seal_body(recording, head.audit_id),
            )

    async def stop(self) -> None:
        """Let what runs end within `kube.limits.drain_timeout`, then cut it."""
        await self._listener.stop()
        await self._store.close()
        self._pool.close()

    def cut(self) -> None:
        """End the drain at once."""
        self._listener.cut()

    def sweep(self) -> None:
        """Live streams and watches, idle upstream connections, counted refusals, a new serving certificate."""
        self._pool.sweep(self._loop.time())
        self.streaming.live.sweep()
        self._journey.sweep()
        self.writer.sweep()
        self.serving.renew(self._context, self._clock())
