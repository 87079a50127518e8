"""The control plane, put together: sign-in, certificates, the JSON API, the reading of groups. There is one."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress

from auth.connectors import Connector
from auth.state.seal import Seal
from auth.state.store import Store, StoreError
from proxy.config import Config
from proxy.in_force import InForce
from proxy.keys import Keys, issuer
from proxy.log_writer import LogWriter
from proxy.serving import ServingCertificate, names_of
from proxy.version import version
from proxy.web.app import WebDeps, WebListener, build_web_app, web_ssl_context
from proxy.web.groups import GroupsReader
from proxy.web.lock_records import record_locks
from recordings.errors import LogUnavailableError


class WebServer:
    """Serves the web listener from `start` to `stop`; `sweep` is to be called every second."""

    def __init__(
        self,
        config: Config,
        keys: Keys,
        in_force: InForce,
        *,
        writer: LogWriter,
        store: Store,
        connectors: Mapping[str, Connector],
        kube_ca_pem: str,
        clock: Callable[[], float],
    ) -> None:
        """`kube_ca_pem`: what kubeconfigs must trust for the kube listener; empty: what the machine trusts.

        Makes the serving certificate. Raises OSError, ssl.SSLError for files that cannot be used.
        """
        self.writer = writer
        self._clock, self._connectors, self._store = clock, connectors, store
        web = config.web
        self.serving: ServingCertificate | None = None
        self._context = None
        if not web.insecure_http:
            names = names_of(web.url, web.address)
            self.serving = ServingCertificate(
                web.tls, config.ca_directory / "serving", "web", keys.servers, names, now=clock()
            )
            self._context = web_ssl_context(str(self.serving.chain), str(self.serving.key))
        seal = Seal(keys.state)
        self._listener = WebListener(
            build_web_app(
                WebDeps(
                    installation=config.installation,
                    version=version(),
                    url=web.url.rstrip("/"),
                    kube_url=config.kube.url.rstrip("/"),
                    kube_ca_pem=kube_ca_pem,
                    kube_tls_server_name=None,
                    login_ttl=float(config.login.login_ttl),
                    certificate_ttl=float(config.login.certificate_ttl),
                    groups_max_age=float(config.login.groups_max_age),
                    store=store,
                    connectors=connectors,
                    seal=seal,
                    issue=issuer(keys.people, config.installation),
                    policy=lambda: in_force.roles.policy,
                    clusters=in_force.served,
                    system_names=in_force.allowed_system_names,
                    audit=writer.record,
                    refused=writer.refused,
                    changed=lambda: in_force.refresh_state(clock()),
                    clock=clock,
                    random=os.urandom,
                    recordings=config.recordings_directory,
                    audit_log=config.audit_directory,
                )
            )
        )
        self._groups = GroupsReader(
            store,
            connectors,
            seal,
            writer.record,
            refresh_seconds=float(config.login.groups_refresh),
            clock=clock,
            random=os.urandom,
        )
        self.reading: asyncio.Task[None] | None = None

    async def start(self, listening: socket.socket) -> None:
        """Serve a bound socket, and begin to read groups."""
        await self._listener.start(listening, self._context)
        self.reading = asyncio.get_running_loop().create_task(self._groups.run())

    async def stop(self) -> None:
        """Let what runs end; ask no provider any more."""
        await self._listener.stop()
        if self.reading is not None:
            self.reading.cancel()
            await asyncio.gather(self.reading, return_exceptions=True)
        for connector in self._connectors.values():
            await connector.close()

    async def record_locks(self) -> None:
        """Locks that ran out, or were changed on the host; what cannot be recorded now is a second later."""
        with suppress(StoreError, LogUnavailableError):  # each is told where it concerns people: /readyz
            await record_locks(self._store, self.writer.record, self._clock())

    def sweep(self) -> None:
        """Counted refusals, a new serving certificate."""
        self.writer.sweep()
        if self.serving is not None and self._context is not None:
            self.serving.renew(self._context, self._clock())
