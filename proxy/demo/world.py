"""What runs on loopback: the sandbox's API (or a cluster of the person's own), the identity provider, and kwit.

All in one process, so that the demo can look into the sandbox. Everything listens on 127.0.0.1 and nowhere else.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

from auth.keystore import KeystoreError
from auth.secret import Secret
from deploy.sandbox.apiserver import SandboxAPIServer
from deploy.sandbox.idp import Client, SandboxIdentityProvider
from proxy.app import App, StartError
from proxy.cli.client.problem import Problem
from proxy.cluster_probe import probe
from proxy.clusters import load_cluster
from proxy.config import Config, ConfigError
from proxy.demo import folder as files
from proxy.demo.folder import SANDBOX, Folder, Ports
from proxy.demo.furniture import furnish
from proxy.demo.own_cluster import Own
from proxy.finding import Level
from recordings.errors import LogUnavailableError

HOST = "127.0.0.1"


class World:
    """`prepare`, `await start()`, then `config`, `sandbox` and `issuer`; `await stop()` ends as much as was started."""

    def __init__(
        self, folder: Folder, own: Own | None, *, clock: Callable[[], float], environ: Mapping[str, str]
    ) -> None:
        self.folder, self._own = folder, own
        self._clock, self._environ = clock, environ
        self.config: Config
        self.sandbox: SandboxAPIServer | None = None
        self.said: list[str] = []
        self._provider: SandboxIdentityProvider | None = None
        self._app: App | None = None

    def prepare(self) -> bool:
        """Write the files; whether a demo was here before. Raises Problem."""
        try:
            if files.check(self.folder):
                return True
            ports = free_ports()
            text = self._own_cluster() if self._own else self._sandbox_cluster(ports)
            files.write(self.folder, ports, secret=secrets.token_urlsafe(24), cluster_text=text)
        except OSError as error:
            raise Problem(
                f"{error.filename or self.folder.path} cannot be written ({error.strerror}); "
                "choose another directory with --data"
            ) from error
        return False

    def _sandbox_cluster(self, ports: Ports) -> str:
        return files.sandbox_cluster(self.folder, ports, token=secrets.token_urlsafe(24))

    def _own_cluster(self) -> str:
        assert self._own is not None
        document = {
            "name": self.folder.cluster,
            "credentials": {
                "kind": "kubeconfig",
                "path": str(self._own.kubeconfig),
                "context": self._own.context,
            },
        }
        text: str = yaml.safe_dump(document, sort_keys=False)
        return f"# The cluster of context {self._own.context!r}; kwit proves itself there as that context does.\n{text}"

    async def start(self) -> None:
        """Raises Problem; then nothing runs."""
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        self.config = self.folder.load()
        if self.folder.cluster == SANDBOX:
            await self._start_sandbox()
        else:
            await self._try_own_cluster()
        client = Client(
            files.CLIENT_ID,
            Secret(self.folder.provider_secret.encode()),
            (f"{self.config.web.url}/callback/{files.CONNECTOR}",),
        )
        self._provider = SandboxIdentityProvider(client, clock=self._clock)
        port = self.folder.provider_port()
        try:
            await self._provider.start(HOST, port)
        except OSError as error:
            raise self._taken(port, self.folder.config) from error
        self._app = App(self.config, environ=self._environ, say=self.said.append, clock=self._clock)
        try:
            await self._app.start()
        except StartError as error:
            self._app = None
            raise Problem(f"kwit did not start: {error}") from error

    async def _start_sandbox(self) -> None:
        port, directory = self.folder.cluster_port(), self.folder.cluster_directory
        self.sandbox = SandboxAPIServer(directory, clock=self._clock, token=self.folder.cluster_token)
        try:
            await self.sandbox.start(HOST, port)
        except KeystoreError as error:
            raise Problem(str(error)) from error
        except OSError as error:
            raise self._taken(port, self.folder.cluster_file) from error
        (directory / "ca.crt").write_text(self.sandbox.ca_pem, encoding="ascii")
        await furnish(self.sandbox.url, self.sandbox.ca_pem, self.sandbox.token)
        self.sandbox.seen.clear()  # what follows is the story

    def _taken(self, port: int, where: Path) -> Problem:
        return Problem(
            f"{HOST}:{port}, where {where} says that a part of the demo listens, is taken; "
            f"end what uses it (another demo in {self.folder.path}?), or choose another directory with --data"
        )

    async def _try_own_cluster(self) -> None:
        """A cluster that cannot be reached, or where the account may not impersonate, has no story to tell."""
        try:
            cluster = load_cluster(self.folder.cluster_file)
        except ConfigError as error:
            raise Problem(f"this cluster cannot be used:\n{error}") from error
        failed = [finding for finding in await probe(cluster, self._clock()) if finding.level is Level.FAIL]
        if failed:
            lines = "\n".join(f"  {finding.message}; {finding.fix}" for finding in failed)
            raise Problem(f"kwit cannot stand in front of {cluster.name} with the account of that context:\n{lines}")

    async def failed(self) -> BaseException:
        """Returns when a part of kwit that must run for ever has ended."""
        assert self._app is not None
        return await self._app.failed()

    async def stop(self) -> None:
        """The reverse of `start`. Raises Problem when the log's end could not be written."""
        problem = ""
        if self._app is not None:
            try:
                await self._app.stop()
            except LogUnavailableError as error:
                problem = str(error)
        if self._provider is not None:
            await self._provider.stop()
        if self.sandbox is not None:
            await self.sandbox.stop()
        if problem:
            raise Problem(f"the log's end could not be written: {problem}")


def free_ports() -> Ports:
    """Five that were free a moment ago; all are held at once, so that none comes twice."""
    held = [socket.create_server((HOST, 0)) for _ in range(5)]
    try:
        return Ports(*(one.getsockname()[1] for one in held))
    finally:
        for one in held:
            one.close()
