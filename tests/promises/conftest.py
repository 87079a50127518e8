"""A server in front of an API server that is a recorder: what reached it, and what our log said at that moment."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from yarl import URL

from auth.keystore import serving_certificate
from tests.auth.connectors.provider import Provider
from tests.proxy.running import ROLES, UPSTREAM_CA, Running, configuration, run

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

DEVELOPER = (
    ROLES.replace(
        'allow: [{apiGroups: [""], resources: [pods], verbs: [get, list]}]',
        """allow:
    - {apiGroups: [""], resources: [pods, configmaps, secrets], verbs: ["*"], namespaces: [default]}
    - {nonResourceURLs: [/healthz], verbs: [get]}
  deny: [{apiGroups: [""], resources: [secrets], verbs: ["*"], names: [root]}]""",
    )
    + """---
apiVersion: kubewitness.dev/v1
kind: Role
metadata: {name: reader}
spec:
  as: {groups: ["kwit:readers"]}
  allow: [{apiGroups: [""], resources: [nodes], verbs: [get, list]}]
---
apiVersion: kubewitness.dev/v1
kind: RoleBinding
metadata: {name: readers}
spec: {role: reader, subjects: [{kind: Group, connector: corp, name: sre}]}
"""
)


@dataclass
class Seen:
    """A request as the API server had it, with the records that were in our log's files when it arrived."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    records: list[dict[str, Any]]

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]


@dataclass
class Upstream:
    """Answers every request with `answer`, by default an empty object."""

    port: int
    seen: list[Seen] = field(default_factory=list)
    answer: Answer | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the test is over: what an answer that never comes waits for."""
    look: Callable[[], list[dict[str, Any]]] = list

    async def handle(self, request: web.Request) -> web.StreamResponse:
        records = self.look()
        body = await request.read()
        headers = [(name.decode(), value.decode()) for name, value in request.raw_headers]
        self.seen.append(Seen(request.method, request.raw_path, headers, body, records))
        if self.answer is not None:
            return await self.answer(request)
        return web.json_response({"kind": "Answer"})


@pytest.fixture
async def upstream(tmp_path: Path) -> AsyncIterator[Upstream]:
    chain, key = serving_certificate(tmp_path / "upstream", "api", UPSTREAM_CA, ["127.0.0.1"], now=1_790_000_000.0)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    listening = socket.create_server(("127.0.0.1", 0))
    upstream = Upstream(listening.getsockname()[1])
    runner = web.ServerRunner(web.Server(upstream.handle), shutdown_timeout=0)
    await runner.setup()
    await web.SockSite(runner, listening, ssl_context=context).start()
    yield upstream
    upstream.over.set()
    await runner.cleanup()


@pytest.fixture
def kwit_yaml(provider: Provider, upstream: Upstream, tmp_path: Path) -> Path:
    (tmp_path / "kwit").mkdir()
    path = configuration(tmp_path / "kwit", provider.issuer, upstream.port)
    (path.parent / "roles" / "roles.yaml").write_text(DEVELOPER)
    return path


@dataclass
class Turned:
    """A clock that can be turned."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def clock() -> Turned:
    return Turned()


@pytest.fixture
async def running(kwit_yaml: Path, upstream: Upstream, clock: Turned) -> AsyncIterator[Running]:
    async with run(kwit_yaml, clock=clock) as running:
        upstream.look = lambda: running.records("kube.request")
        yield running


@pytest.fixture
async def ada(running: Running) -> ssl.SSLContext:
    """Somebody who signed in, with a certificate for `staging`."""
    return await running.certificate()


@dataclass
class Asked:
    """What came back."""

    status: int
    text: str
    headers: Any

    @property
    def message(self) -> str:
        return str(json.loads(self.text)["message"])


@pytest.fixture
def ask(running: Running, ada: ssl.SSLContext) -> Callable[..., Awaitable[Asked]]:
    """Send one request as Ada would."""

    async def ask(method: str, path: str, **more: Any) -> Asked:
        url, browser = URL(running.config.kube.url + path, encoded=True), running.engineer.at.browser
        async with browser.request(method, url, ssl=ada, **more) as answer:
            return Asked(answer.status, await answer.text(), answer.headers)

    return ask


async def settled(running: Running, count: int) -> list[dict[str, Any]]:
    """The records of requests, once there are so many ends: an aborted one is recorded after the client has gone."""
    ends = ("done", "refused", "aborted", "failed", "unknown-after-crash")
    async with asyncio.timeout(10):
        while True:
            records = running.records("kube.request")
            if sum(record["outcome"] in ends for record in records) >= count:
                return records
            await asyncio.sleep(0.02)


def everything_written(folder: Path) -> bytes:
    """All bytes of all files below `folder`."""
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
