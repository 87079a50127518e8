"""The server itself, over TLS: credentials, what is remembered, streams that end, limits."""

from __future__ import annotations

import asyncio
import io
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deploy.sandbox.apiserver import SandboxAPIServer, SeenRequest
from deploy.sandbox.apiserver import server as module
from deploy.sandbox.apiserver.caller import MASTERS

PODS = "/api/v1/namespaces/shop-dev/pods"
MAPS = "/api/v1/namespaces/shop-dev/configmaps"
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[SandboxAPIServer]:
    sandbox = SandboxAPIServer(tmp_path / "sandbox", clock=time.time, log_line_seconds=0.02)
    await sandbox.start()
    sandbox.seed()
    yield sandbox
    await sandbox.stop()


@pytest.fixture
async def client(sandbox: SandboxAPIServer) -> AsyncIterator[aiohttp.ClientSession]:
    """Alice, by way of the token."""
    context = ssl.create_default_context(cadata=sandbox.ca_pem)
    headers = {"Authorization": f"Bearer {sandbox.token}", "Impersonate-User": "alice"}
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(sandbox.url, headers=headers, connector=connector) as client:
        yield client


async def ask(client: aiohttp.ClientSession, method: str, path: str, **more: Any) -> tuple[int, Any]:
    async with client.request(method, path, **more) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_what_arrived_is_remembered_with_whom_it_was_for(
    sandbox: SandboxAPIServer, client: aiohttp.ClientSession
) -> None:
    headers = {
        "Impersonate-Group": "eng",
        "Impersonate-Uid": "7",
        "Impersonate-Extra-Kubewitness.dev%2flogin": "l",
        "Audit-ID": "an-audit-id",
    }
    async with client.get(f"{PODS}?limit=1", headers=headers) as answer:
        assert (answer.status, answer.headers["Audit-Id"]) == (200, "an-audit-id")
    (seen,) = sandbox.seen
    assert seen == SeenRequest(
        "GET",
        f"{PODS}?limit=1",
        seen.headers,
        "alice",
        ("eng", "system:authenticated"),
        "7",
        (("kubewitness.dev/login", "l"),),
        "an-audit-id",
    )
    assert ("Impersonate-User", "alice") in seen.headers


async def test_the_proxys_own_account_is_refused_and_is_nobody_in_what_is_seen(
    sandbox: SandboxAPIServer, client: aiohttp.ClientSession
) -> None:
    del client.headers["Impersonate-User"]  # type: ignore[attr-defined]
    assert (await ask(client, "GET", PODS))[0] == 403
    assert (await ask(client, "GET", "/version"))[0] == 200
    attributes = {"verb": "impersonate", "resource": "users"}
    review = {"spec": {"resourceAttributes": attributes}}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    status, answer = await ask(client, "POST", path, json=review)
    assert (status, answer["status"]) == (201, {"allowed": True})
    assert {one.user for one in sandbox.seen} == {""}


async def test_who_has_no_credential_is_refused_and_not_remembered(sandbox: SandboxAPIServer) -> None:
    context = ssl.create_default_context(cadata=sandbox.ca_pem)
    async with aiohttp.ClientSession(sandbox.url, connector=aiohttp.TCPConnector(ssl=context)) as nobody:
        for headers in ({}, {"Authorization": "Bearer wrong", "Impersonate-User": "alice"}):
            status, answer = await ask(nobody, "GET", "/version", headers=headers)
            assert (status, answer["reason"]) == (401, "Unauthorized")
    assert list(sandbox.seen) == []


async def test_a_certificate_names_its_owner_who_may_pose_only_as_a_master(
    sandbox: SandboxAPIServer, tmp_path: Path
) -> None:
    for user, groups, posing in (("carol", ("eng",), 403), ("root", (MASTERS,), 200)):
        for name, text in zip(("crt", "key"), sandbox.client_certificate(user, groups), strict=True):
            (tmp_path / f"{user}.{name}").write_text(text)
        context = ssl.create_default_context(cadata=sandbox.ca_pem)
        context.load_cert_chain(tmp_path / f"{user}.crt", tmp_path / f"{user}.key")
        async with aiohttp.ClientSession(sandbox.url, connector=aiohttp.TCPConnector(ssl=context)) as client:
            assert (await ask(client, "GET", PODS))[0] == 200
            assert (sandbox.seen[-1].user, sandbox.seen[-1].groups) == (user, (*groups, "system:authenticated"))
            assert (await ask(client, "GET", PODS, headers={"Impersonate-User": "bob"}))[0] == posing


async def test_tables_lists_and_objects_have_their_forms(client: aiohttp.ClientSession) -> None:
    _, table = await ask(client, "GET", MAPS, headers=TABLE)
    assert (table["kind"], [one["cells"][0] for one in table["rows"]]) == ("Table", ["settings"])
    _, listed = await ask(client, "GET", MAPS)
    assert (listed["kind"], [sorted(o) for o in listed["items"]]) == ("ConfigMapList", [["data", "metadata"]])
    _, one = await ask(client, "GET", f"{MAPS}/settings")
    assert (one["kind"], one["apiVersion"]) == ("ConfigMap", "v1")
    status, missing = await ask(client, "GET", f"{MAPS}/none", headers=TABLE)
    assert (status, missing["kind"]) == (404, "Status")


async def test_warnings_are_in_the_header(client: aiohttp.ClientSession) -> None:
    body = {"metadata": {"name": "w"}, "odd": 1}
    async with client.post(f"{MAPS}?fieldValidation=Warn", json=body) as answer:
        assert answer.headers["Warning"] == '299 - "unknown field \\"odd\\""'


async def test_a_watch_tells_of_changes_and_ends_with_the_server(
    sandbox: SandboxAPIServer, client: aiohttp.ClientSession
) -> None:
    async with client.get(f"{MAPS}?watch=1", headers=TABLE) as watch:
        first = await watch.content.readline()
        await ask(client, "POST", MAPS, json={"metadata": {"name": "fresh"}})
        second = await watch.content.readline()
        await sandbox.stop()
        assert await watch.content.read() == b""
    assert [b'"columnDefinitions": null' in line for line in (first, second)] == [False, True]
    assert b'"fresh"' in second


async def test_who_leaves_a_watch_frees_its_place(
    client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_STREAMS", 1)
    async with client.get(f"{MAPS}?watch=1") as watch:
        await watch.content.readline()
        status, refused = await ask(client, "GET", f"{MAPS}?watch=1")
        assert (status, refused["reason"]) == (429, "TooManyRequests")
        watch.close()
    async with asyncio.timeout(20):
        while (await ask(client, "GET", f"{MAPS}?watch=1&resourceVersion=1&timeoutSeconds=1"))[0] == 429:
            await asyncio.sleep(0)


async def ask_text(client: aiohttp.ClientSession, path: str) -> tuple[int, str]:
    async with client.get(path) as answer:
        return answer.status, await answer.text()


async def test_a_log_is_followed_until_its_pod_is_deleted(client: aiohttp.ClientSession) -> None:
    async with client.get(f"{PODS}/nightly-report/log?follow=true&tailLines=1") as log:
        lines = [await log.content.readline() for _ in range(3)]
        assert (await ask(client, "DELETE", f"{PODS}/nightly-report"))[0] == 200
        await log.content.read()
    assert all(line.startswith(b"main: ") for line in lines)


async def test_other_requests_get_other_answers(client: aiohttp.ClientSession) -> None:
    assert await ask_text(client, "/healthz") == (200, "ok")
    assert await ask_text(client, "/nothing") == (404, "404 page not found\n")
    assert await ask_text(client, "/apis/nope/v1/x") == (404, "404 page not found\n")
    assert (await ask(client, "GET", "/api/v1/unicorns"))[0] == 404
    assert (await ask(client, "POST", "/version"))[0] == 405
    assert (await ask(client, "GET", f"{PODS}/nightly-report/log?container=x"))[0] == 400
    assert (await ask(client, "GET", "/apis/authentication.k8s.io/v1/selfsubjectreviews"))[0] == 405
    upgrade = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}
    assert (await ask(client, "POST", f"{PODS}/nightly-report/exec?stdout=1&command=ls", headers=upgrade))[0] == 400
    big = io.BytesIO(b'{"x": "' + b"1" * module.MAX_BODY + b'"}')
    assert (await ask(client, "POST", MAPS, data=big, headers={"Content-Type": "application/json"}))[0] == 413
    assert (await ask(client, "GET", "/openapi/v2"))[1]["swagger"] == "2.0"
    async with client.get("/openapi/v2", headers={"Accept": "application/x.v2@v1.0+protobuf"}) as answer:
        assert (await answer.read()).startswith(b"\n\x032.0")


async def test_without_controllers_nothing_runs(tmp_path: Path) -> None:
    sandbox = SandboxAPIServer(tmp_path, clock=time.time, controllers=False)
    sandbox.seed()
    await sandbox.start()
    context = ssl.create_default_context(cadata=sandbox.ca_pem)
    headers = {"Authorization": f"Bearer {sandbox.token}", "Impersonate-User": "alice"}
    async with aiohttp.ClientSession(
        sandbox.url, headers=headers, connector=aiohttp.TCPConnector(ssl=context)
    ) as client:
        _, pods = await ask(client, "GET", PODS)
        assert [(pod["metadata"]["name"], pod["status"]["phase"]) for pod in pods["items"]] == [
            ("nightly-report", "Pending")
        ]
        assert (await ask(client, "GET", "/api/v1/nodes"))[1]["items"] == []
    await sandbox.stop()


async def test_its_authority_is_the_same_after_a_restart(tmp_path: Path) -> None:
    authorities = []
    for _ in range(2):
        sandbox = SandboxAPIServer(tmp_path, clock=time.time)
        await sandbox.start()
        authorities.append(sandbox.ca_pem)
        await sandbox.stop()
    assert authorities[0] == authorities[1]
