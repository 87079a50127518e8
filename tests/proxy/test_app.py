"""A whole server on loopback, made from a configuration file as an operator writes it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from proxy.app import App, Report, StartError, node_name
from proxy.config import Config
from proxy.metrics import Metrics
from proxy.operations import readiness
from tests.auth.connectors.provider import Provider
from tests.e2e.cluster import free_ports
from tests.proxy.running import ROLES, Running, cluster, configuration, run


@pytest.fixture
async def running(provider: Provider, tmp_path: Path) -> AsyncIterator[Running]:
    (closed,) = free_ports(1)
    async with run(configuration(tmp_path, provider.issuer, closed)) as running:
        yield running


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
    began, roles = (next(r["body"] for r in records if r["type"] == kind) for kind in ("server.start", "role.change"))
    root = (running.folder / "data" / "audit" / "root.pub").read_text().strip()
    assert (sorted(began), began["audit_root"]) == (
        ["audit_root", "config", "people_ca", "servers_ca", "version"],
        root,
    )
    assert (roles["roles"], roles["changes"], len(roles["sha256"])) == (["developer"], [], 64)
    assert [(r["type"], r["body"]) for r in records] == [
        ("log.start", {"writer": "host.example-web", "format": 1}),
        ("server.start", began),
        ("role.change", roles),
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
    assert mended["body"]["roles"] == ["developer", "other"]
    assert [(one["kind"], one["name"], one["change"]) for one in mended["body"]["changes"]] == [
        ("Role", "other", "added"),
        ("RoleBinding", "others", "added"),
    ]
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


async def test_while_the_kube_listener_starts_its_log_is_not_available(provider: Provider, tmp_path: Path) -> None:
    class Looking(App):
        async def _start_kube(self, *started_with: Any) -> None:
            self.before = (self.metrics(), readiness(self.checks())[0])
            await super()._start_kube(*started_with)

    app = Looking(Config.load(configuration(tmp_path, provider.issuer, 1)), environ={}, say=lambda _: None)
    await app.start()
    after = (app.metrics(), readiness(app.checks())[0])
    await app.stop()
    assert [("kwit_log_available 1\n" in page, ready) for page, ready in (app.before, after)] == [
        (False, False),
        (True, True),
    ]


async def test_a_worker_whose_log_cannot_be_written_shows_in_readiness_and_metrics(running: Running) -> None:
    app = running.app
    app._others = lambda: [Report(Metrics(malformed=2)), Report(Metrics(malformed=3), "disk full", "disk full")]
    ready, text = readiness(app.checks())
    assert (ready, "[-]log worker-1: disk full" in text) == (False, True)
    page = app.metrics()
    assert "kwit_log_available 0\n" in page
    assert "kwit_malformed_total 5\n" in page
