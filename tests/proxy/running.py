"""A whole server in this process, made from a configuration file as an operator writes it, and a person who uses it."""

from __future__ import annotations

import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from cryptography.hazmat.primitives import serialization

from auth.ca import new_ca
from proxy.app import App
from proxy.config import Config
from recordings.audit.query import oldest_first
from recordings.audit.question import Question
from tests.auth.connectors.provider import CLIENT_ID, CLIENT_SECRET
from tests.e2e.cluster import free_ports
from tests.proxy.web.conftest import Engineer

UPSTREAM_CA = new_ca("upstream", 1_700_000_000.0)
ROLES = """\
apiVersion: kubewitness.dev/v1
kind: Role
metadata: {name: developer}
spec:
  as: {groups: ["kwit:developers"]}
  allow: [{apiGroups: [""], resources: [pods], verbs: [get, list]}]
---
apiVersion: kubewitness.dev/v1
kind: RoleBinding
metadata: {name: developers}
spec: {role: developer, subjects: [{kind: Group, connector: corp, name: eng}]}
"""


def configuration(folder: Path, issuer: str, upstream: int, **changes: Any) -> Path:
    """Write everything that `kwit serve` reads; returns the path of kwit.yaml."""
    kube, web, operations = free_ports(3)
    (folder / "roles").mkdir()
    (folder / "roles" / "roles.yaml").write_text(ROLES)
    (folder / "clusters").mkdir()
    (folder / "secret").write_text(CLIENT_SECRET)
    (folder / "token").write_text("a-token")
    (folder / "data").mkdir(mode=0o700)
    document = {
        "installation": "example",
        "data_dir": "data",
        "kube": {"address": f"127.0.0.1:{kube}", "url": f"https://localhost:{kube}", "limits": {"drain_timeout": "1s"}},
        "web": {
            "address": f"127.0.0.1:{web}",
            "url": f"http://127.0.0.1:{web}",
            "insecure_http": True,
        },
        "operations": {"address": f"127.0.0.1:{operations}"},
        "audit": {"segment_bytes": "1MiB"},
        "connectors": [
            {
                "type": "oidc",
                "name": "corp",
                "issuer": issuer,
                "client_id": CLIENT_ID,
                "client_secret_file": "secret",
                "scopes": ["openid", "email", "groups"],
                "algorithms": ["RS256"],
            }
        ],
    } | changes
    path = folder / "kwit.yaml"
    path.write_text(yaml.safe_dump(document))
    cluster(folder, "staging", upstream)
    return path


def cluster(folder: Path, name: str, port: int) -> None:
    document = {
        "name": name,
        "server": f"https://127.0.0.1:{port}",
        "ca_data": UPSTREAM_CA.pem,
        "credentials": {"kind": "token_file", "path": str(folder / "token")},
    }
    (folder / "clusters" / f"{name}.yaml").write_text(yaml.safe_dump(document))


@dataclass
class Deps:
    url: str


@dataclass
class At:
    """As much of an installation as the engineer of the web tests needs."""

    deps: Deps
    browser: aiohttp.ClientSession
    now: float

    async def get(self, url: str, **more: Any) -> aiohttp.ClientResponse:
        return await self.browser.get(url, allow_redirects=False, **more)


@dataclass
class Running:
    app: App
    config: Config
    folder: Path
    said: list[str]
    engineer: Engineer

    def records(self, *types: str) -> list[dict[str, Any]]:
        found = [dict(record) for record in oldest_first(self.config.audit_directory, Question())]
        return [record for record in found if not types or record["type"] in types]

    async def operations(self, path: str) -> tuple[int, str]:
        async with self.engineer.at.browser.get(f"http://{self.config.operations.address}{path}") as answer:
            return answer.status, await answer.text()

    async def certificate(self) -> ssl.SSLContext:
        """Signed in, with a certificate for `staging` in a client's context."""
        answer = await self.engineer.sign_in()
        issued = await self.engineer.call(
            "POST", "/api/v1/certificates", {"cluster": "staging", "csr": self.engineer.csr()}
        )
        assert issued.status == 201, await issued.text()
        key = self.engineer.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        context = ssl.create_default_context(cadata=answer["kube"]["ca"])
        with tempfile.NamedTemporaryFile(dir=self.folder) as pair:
            pair.write((await issued.json())["certificate"].encode() + key)
            pair.flush()
            context.load_cert_chain(pair.name)
        return context

    async def kube(self, context: ssl.SSLContext, path: str) -> tuple[int, Any]:
        async with self.engineer.at.browser.get(self.config.kube.url + path, ssl=context) as answer:
            return answer.status, await answer.json(content_type=None)


@asynccontextmanager
async def run(
    path: Path, *, clock: Callable[[], float] = time.time, node: str = "Host.example"
) -> AsyncIterator[Running]:
    """`kwit serve` with the configuration at `path`, and a browser."""
    config, said = Config.load(path), list[str]()
    app = App(config, environ={}, say=said.append, node=node, clock=clock)
    await app.start()
    try:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
            at = At(Deps(config.web.url), browser, clock())
            yield Running(app, config, path.parent, said, Engineer(at))  # type: ignore[arg-type]
    finally:
        await app.stop()
