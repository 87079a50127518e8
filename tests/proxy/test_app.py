"""A whole server on loopback, made from a configuration file as an operator writes it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from cryptography.hazmat.primitives import serialization

from proxy.app import App, StartError, node_name
from proxy.config import Config
from recordings.audit.query import oldest_first
from recordings.audit.question import Question
from tests.auth.connectors.provider import CLIENT_ID, CLIENT_SECRET, Provider
from tests.proxy.web.conftest import Engineer

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


def free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


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
    from auth.ca import new_ca

    document = {
        "name": name,
        "server": f"https://127.0.0.1:{port}",
        "ca_data": new_ca("upstream", 1_700_000_000.0).pem,
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


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    provider = await Provider().start()
    yield provider
    await provider.stop()


@pytest.fixture
async def running(provider: Provider, tmp_path: Path) -> AsyncIterator[Running]:
    (closed,) = free_ports(1)
    config = Config.load(configuration(tmp_path, provider.issuer, closed))
    said: list[str] = []
    app = App(config, environ={}, say=said.append, node="Host.example")
    await app.start()
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        at = At(Deps(config.web.url), browser, time.time())
        yield Running(app, config, tmp_path, said, Engineer(at))  # type: ignore[arg-type]
    await app.stop()


async def test_a_person_signs_in_and_each_step_has_its_record(running: Running) -> None:
    context = await running.certificate()
    status, answer = await running.kube(context, "/api/v1/namespaces/default/pods")
    assert (status, answer["reason"]) == (502, "ServiceUnavailable")
    assert answer["message"].startswith("cluster 'staging' cannot be reached (")
    status, answer = await running.kube(context, "/api/v1/namespaces/default/secrets")
    assert (status, answer["reason"]) == (403, "Forbidden")
    records = running.records("user.login", "cert.issue", "kube.request")
    assert [(r["type"], r["outcome"]) for r in records] == [
        ("user.login", "done"),
        ("cert.issue", "done"),
        ("kube.request", "failed"),
        ("kube.request", "refused"),
    ]
    assert {r["actor"]["username"] for r in records} == {"ada@example.com"}
    assert {r["login"] for r in records} == {running.engineer.login_id}


async def test_the_cluster_is_asked_for_by_its_path_too(running: Running) -> None:
    context = await running.certificate()
    status, _ = await running.kube(context, "/clusters/staging/api/v1/namespaces/default/pods")
    assert status == 502
    status, answer = await running.kube(context, "/clusters/prod/api/v1/namespaces/default/pods")
    assert status == 403
    assert "staging" in answer["message"]


async def test_logout_acts_at_the_next_request(running: Running) -> None:
    context = await running.certificate()
    assert (await running.engineer.call("DELETE", "/api/v1/logins/current")).status == 204
    status, answer = await running.kube(context, "/api/v1/pods")
    assert status == 403
    assert answer["message"] == "this login is not known any more; run `kwit login` to sign in again"


async def test_what_runs_is_ready_and_counts(running: Running) -> None:
    assert await running.operations("/livez") == (200, "ok\n")
    assert await running.operations("/readyz") == (200, "[+]log ok\n[+]state ok\nreadyz check passed\n")
    status, text = await running.operations("/metrics")
    assert status == 200
    assert "kwit_log_available 1\n" in text
    assert (await running.operations("/secrets"))[0] == 404


async def test_the_start_is_recorded_by_each_writer(running: Running) -> None:
    records = running.records()
    assert [(r["type"], r["body"]) for r in records] == [
        ("log.start", {"writer": "host.example-web", "format": 1}),
        ("role.change", {"roles": ["developer"]}),
        ("config.change", {"what": "clusters: staging"}),
        ("log.start", {"writer": "host.example-0", "format": 1}),
    ]
    assert running.said == ["roles: developer", "clusters: staging"]


async def until(running: Running, record_type: str, count: int) -> list[dict[str, Any]]:
    """The records of a type once there are so many: the server looks at its files each second."""
    async with asyncio.timeout(20):
        while len(found := running.records(record_type)) < count:
            await asyncio.sleep(0.05)
    return found


async def test_a_broken_role_keeps_the_last_good_ones_and_says_so(running: Running) -> None:
    (running.folder / "roles" / "more.yaml").write_text("kind: Role\nmetadat: {}\n")
    *_, broken = await until(running, "role.change", 2)
    assert broken["outcome"] == "refused"
    assert "more.yaml" in broken["body"]["error"]
    status, text = await running.operations("/readyz")
    assert status == 200
    assert "[!]roles more.yaml" in text
    (running.folder / "roles" / "more.yaml").write_text(ROLES.replace("developer", "other"))
    *_, mended = await until(running, "role.change", 3)
    assert mended["body"] == {"roles": ["developer", "other"]}
    assert (await running.operations("/readyz"))[1] == "[+]log ok\n[+]state ok\nreadyz check passed\n"


async def test_a_cluster_that_is_added_is_served_at_once(running: Running) -> None:
    cluster(running.folder, "second", 1)
    *_, added = await until(running, "config.change", 2)
    assert added["body"] == {"what": "clusters: second, staging"}
    answer = await running.engineer.sign_in()
    assert [one["name"] for one in answer["clusters"]] == ["second", "staging"]


async def test_a_second_server_on_the_same_state_is_refused_and_leaves_the_first_alone(running: Running) -> None:
    again = App(running.config, environ={}, say=lambda _: None, node="Host.example")
    with pytest.raises(StartError, match="another process writes the audit log"):
        await again.start()
    assert (await running.operations("/readyz"))[0] == 200


@pytest.mark.parametrize("section", ["kube", "web", "operations"])
async def test_an_address_that_is_taken_is_named(section: str, provider: Provider, tmp_path: Path) -> None:
    path = configuration(tmp_path, provider.issuer, 1)
    address = getattr(Config.load(path), section).address
    with socket.create_server((address.host, address.port)):
        app = App(Config.load(path), environ={}, say=lambda _: None)
        with pytest.raises(
            StartError, match=f"^{section}.address {address}: Address already in use; free it, or choose another$"
        ):
            await app.start()


async def test_roles_that_cannot_be_read_start_nothing(provider: Provider, tmp_path: Path) -> None:
    path = configuration(tmp_path, provider.issuer, 1)
    (tmp_path / "roles" / "roles.yaml").write_text("kind: [\n")
    with pytest.raises(StartError, match=r"the roles in .* cannot be used:\nroles.yaml"):
        await App(Config.load(path), environ={}, say=lambda _: None).start()


async def test_a_secret_that_is_missing_starts_nothing(provider: Provider, tmp_path: Path) -> None:
    path = configuration(tmp_path, provider.issuer, 1)
    (tmp_path / "secret").unlink()
    with pytest.raises(StartError, match="connector corp"):
        await App(Config.load(path), environ={}, say=lambda _: None).start()


@pytest.mark.parametrize(
    ("host", "name"), [("Host.example", "host.example"), ("..", "node"), ("a/b", "a-b"), ("", "node"), ("é1", "1")]
)
def test_a_host_becomes_a_directory(host: str, name: str) -> None:
    assert node_name(host) == name
