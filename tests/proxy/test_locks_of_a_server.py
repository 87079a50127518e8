"""Claims about locks in a whole server: what is stopped, cut, recorded, counted, and what a restart keeps."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from auth.keystore import serving_certificate
from auth.state.sqlite import SqliteStore
from tests.auth.connectors.provider import Provider
from tests.proxy.running import ROLES, UPSTREAM_CA, Running, configuration, run

PODS = "/api/v1/namespaces/default/pods"
LOCKS = "/api/v1/locks"
ALLOWED = """allow:
    - {apiGroups: [""], resources: [pods], verbs: [get, list, watch]}
    - {apiGroups: [kubewitness.dev], resources: [locks], verbs: [create, delete, get, list]}"""
PATIENCE_SECONDS = 10.0
"""A machine under load; the promise itself is five."""


class Clock:
    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
async def upstream(tmp_path: Path) -> AsyncIterator[int]:
    """The port of an API server whose watches last as long as the test."""
    over = asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            return web.json_response({"kind": "PodList"})
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"type":"ADDED"}\n')
        with suppress(OSError, asyncio.CancelledError):
            await over.wait()
        return response

    chain, key = serving_certificate(tmp_path / "upstream", "api", UPSTREAM_CA, ["127.0.0.1"], now=1_790_000_000.0)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    yield runner.addresses[0][1]
    over.set()
    await runner.cleanup()


@pytest.fixture
def kwit_yaml(provider: Provider, upstream: int, tmp_path: Path) -> Path:
    (tmp_path / "kwit").mkdir()
    path = configuration(tmp_path / "kwit", provider.issuer, upstream)
    allowed = 'allow: [{apiGroups: [""], resources: [pods], verbs: [get, list]}]'
    assert allowed in ROLES
    (path.parent / "roles" / "roles.yaml").write_text(ROLES.replace(allowed, ALLOWED))
    return path


async def create(running: Running, **wish: Any) -> str:
    answer = await running.engineer.call("POST", LOCKS, wish)
    assert answer.status == 201, await answer.text()
    return str((await answer.json())["lock"]["id"])


async def until(running: Running, kind: str) -> dict[str, Any]:
    """The newest record of a type, once there is one."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (found := running.records(kind)):
            await asyncio.sleep(0.02)
    return found[-1]


async def test_whoever_is_locked_is_refused_at_once_and_what_they_watch_is_torn(kwit_yaml: Path) -> None:
    async with run(kwit_yaml) as running:
        ada = await running.certificate()
        assert (await running.kube(ada, PODS))[0] == 200
        url = running.config.kube.url + PODS + "?watch=1"
        async with aiohttp.ClientSession() as client, client.get(url, ssl=ada) as watch:
            await watch.content.readline()
            await until_started(running)
            lock = await create(
                running, kind="group", name="eng", reason="stolen laptop", shows_reason=True, myself=True
            )
            status, told = await running.kube(ada, PODS)
            assert (status, told["reason"], told["message"]) == (
                403,
                "Forbidden",
                f"you are locked out by lock {lock}: stolen laptop; ask your security team to remove the lock",
            )
            with pytest.raises(aiohttp.ClientPayloadError):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await watch.content.read()
        refused, watched = running.records("kube.request")[-2:]
        assert (refused["outcome"], refused["actor"]["username"]) == ("refused", "ada@example.com")
        assert refused["event"]["annotations"]["kubewitness.dev/refused"] == "locked"
        assert (watched["outcome"], watched["event"]["verb"]) == ("aborted", "watch")
        assert lock in watched["event"]["responseStatus"]["message"]
        wanted = {"cluster": "staging", "csr": running.engineer.csr()}
        assert (await running.engineer.call("POST", "/api/v1/certificates", wanted)).status == 403
        assert (await running.engineer.redeem(await running.engineer.code())).status == 403
        assert [running.records(kind)[-1]["body"]["reason"] for kind in ("cert.refuse", "user.login.failed")] == [
            "locked"
        ] * 2
        (created,) = running.records("lock.create")
        assert (created["body"]["target"], created["body"]["stopped"]) == ("group:eng", 1)
        assert 'kwit_locks{kind="group"} 1\n' in (await running.operations("/metrics"))[1]


async def until_started(running: Running) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not any(one["outcome"] == "started" for one in running.records("kube.request")):
            await asyncio.sleep(0.02)


async def test_a_lock_outlives_the_server_and_the_host_lets_go(kwit_yaml: Path) -> None:
    async with run(kwit_yaml) as running:
        ada = await running.certificate()
        lock = await create(running, kind="user", name="ada@example.com", myself=True)
    async with run(kwit_yaml) as running:
        assert (await running.kube(ada, PODS))[0] == 403
        store = SqliteStore(running.config.state_path)
        await store.open()
        assert await store.withdraw_lock(lock, time.time(), "root on the host")
        await store.close()
        removed = await until(running, "lock.delete")
        assert (removed["body"]["lock"], removed["body"]["removed_by"]) == (lock, "root on the host")
        assert (await running.kube(ada, PODS))[0] == 200


async def test_a_lock_that_is_over_lets_go_with_a_record(kwit_yaml: Path) -> None:
    clock = Clock()
    async with run(kwit_yaml, clock=clock) as running:
        ada = await running.certificate()
        lock = await create(running, kind="cluster", name="staging", everyone=True, seconds=600)
        status, told = await running.kube(ada, PODS)
        assert (status, told["message"].startswith(f"cluster 'staging' is locked by lock {lock} until ")) == (403, True)
        clock.ahead = 601.0
        expired = await until(running, "lock.expire")
        assert (expired["body"]["lock"], expired["body"]["target"]) == (lock, "cluster:staging")
        assert (await running.kube(ada, PODS))[0] == 200
        assert len(running.records("lock.expire")) == 1
        assert 'kwit_locks{kind="cluster"} 0\n' in (await running.operations("/metrics"))[1]
