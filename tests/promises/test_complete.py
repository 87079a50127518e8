"""Promise 2, Complete: each request has exactly one outcome, whatever happens to client, API server or us."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from proxy.config import Config
from recordings.audit.query import oldest_first
from recordings.audit.question import Question
from tests.promises.conftest import Answer, Upstream, settled
from tests.proxy.running import At, Deps, Engineer, Running

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"


def outcomes(records: list[dict]) -> dict[str, list[str]]:
    """By audit id, in the log's order, without the mark of a long answer's beginning."""
    found: dict[str, list[str]] = {}
    for record in records:
        if record["outcome"] != "started":
            found.setdefault(record["event"]["auditID"], []).append(record["outcome"])
    return found


def watch(event: bytes, upstream: Upstream) -> Answer:
    """An answer that begins with this and then lasts as long as the test."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(event)
        with suppress(OSError, asyncio.CancelledError):
            await upstream.over.wait()
        return response

    return answer


async def test_a_read_that_is_done_leaves_one_outcome_and_a_write_an_intent_and_one(running: Running, ask) -> None:
    await ask("GET", PODS)
    await ask("POST", CONFIGMAPS, json={})
    await ask("GET", "/api/v1/namespaces/default/secrets/token")
    await ask("GET", "/api/v1/nodes/x/proxy/")
    records = await settled(running, 4)
    assert list(outcomes(records).values()) == [["done"], ["intent", "done"], ["intent", "done"], ["refused"]]


async def test_the_api_servers_own_error_is_done_with_its_code(running: Running, upstream: Upstream, ask) -> None:
    async def conflict(_request: web.Request) -> web.Response:
        return web.json_response({"kind": "Status", "code": 409}, status=409)

    upstream.answer = conflict
    assert (await ask("POST", CONFIGMAPS, json={})).status == 409
    *_, last = await settled(running, 1)
    assert (last["outcome"], last["event"]["responseStatus"]["code"]) == ("done", 409)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_client_that_leaves_before_the_answer_is_aborted(
    method: str, running: Running, upstream: Upstream, ada: ssl.SSLContext
) -> None:
    arrived = asyncio.Event()

    async def never(_request: web.Request) -> web.Response:
        arrived.set()
        await upstream.over.wait()
        return web.Response()

    upstream.answer = never
    async with aiohttp.ClientSession() as client:
        asking = asyncio.create_task(client.request(method, running.config.kube.url + CONFIGMAPS, ssl=ada))
        await arrived.wait()
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking
    records = await settled(running, 1)
    assert list(outcomes(records).values()) == [["aborted"] if method == "GET" else ["intent", "aborted"]]


async def test_a_client_that_leaves_while_its_intent_is_written_is_aborted_and_nothing_happens(
    running: Running, upstream: Upstream, ada: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert running.app.kube is not None
    disk, syncing, may_go_on = running.app.kube.writer.log._disk, threading.Event(), threading.Event()
    sync = disk.sync

    def slow(fd: int) -> None:
        syncing.set()
        may_go_on.wait(10)
        sync(fd)

    monkeypatch.setattr(disk, "sync", slow)
    async with aiohttp.ClientSession() as client:
        asking = asyncio.create_task(client.post(running.config.kube.url + CONFIGMAPS, ssl=ada))
        await asyncio.to_thread(syncing.wait, 10)
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking
    async with asyncio.timeout(10):
        while running.app.kube.metrics.connections:  # the server has seen that it left
            await asyncio.sleep(0.02)
    may_go_on.set()
    records = await settled(running, 1)
    assert (list(outcomes(records).values()), upstream.seen) == ([["intent", "aborted"]], [])


async def test_a_watch_that_the_client_ends_is_aborted_with_its_bytes(
    running: Running, upstream: Upstream, ada: ssl.SSLContext
) -> None:
    upstream.answer = watch(b'{"type":"ADDED"}\n', upstream)
    url = running.config.kube.url + PODS + "?watch=1"
    async with aiohttp.ClientSession() as client, client.get(url, ssl=ada) as answer:
        assert await answer.content.readline() == b'{"type":"ADDED"}\n'
    *_, last = await settled(running, 1)
    assert (last["outcome"], last["event"]["verb"]) == ("aborted", "watch")
    assert int(last["event"]["annotations"]["kubewitness.dev/bytes-out"]) >= len(b'{"type":"ADDED"}\n')
    assert last["event"]["responseStatus"]["code"] == 200


async def test_nothing_is_recorded_of_a_request_after_its_outcome(
    running: Running, upstream: Upstream, ada: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.journey.STARTED_SECONDS", 0.05)

    upstream.answer = watch(b"{}", upstream)
    url = running.config.kube.url + PODS + "?watch=1"
    async with aiohttp.ClientSession() as client, client.get(url, ssl=ada) as answer:
        await answer.content.readexactly(2)
    await settled(running, 1)
    await asyncio.sleep(0.2)  # four times as long as a timer that was left behind would take
    assert [record["outcome"] for record in running.records("kube.request")] == ["aborted"]


async def test_an_api_server_that_breaks_off_is_failed_and_looks_torn(
    running: Running, upstream: Upstream, ada: ssl.SSLContext
) -> None:
    async def torn(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.abort()
        return response

    upstream.answer = torn
    async with aiohttp.ClientSession() as client:
        with pytest.raises(aiohttp.ClientError):
            async with client.get(running.config.kube.url + PODS, ssl=ada) as answer:
                await answer.read()
    records = await settled(running, 1)
    assert list(outcomes(records).values()) == [["failed"]]


async def test_what_was_under_way_at_a_crash_is_unknown_after_it(
    kwit_yaml: Path, upstream: Upstream, provider: object
) -> None:
    del provider
    config = Config.load(kwit_yaml)
    held = asyncio.Event()

    async def never(_request: web.Request) -> web.Response:
        held.set()
        await upstream.over.wait()
        return web.Response()

    upstream.answer = never
    engineer, process = await _serve_and_sign_in(config, kwit_yaml)
    async with aiohttp.ClientSession() as client:
        asking = asyncio.create_task(client.post(config.kube.url + CONFIGMAPS, ssl=engineer))
        await held.wait()
        process.send_signal(signal.SIGKILL)
        await process.wait()
        with suppress(aiohttp.ClientError):
            await asking
    again = await _started(kwit_yaml)
    again.send_signal(signal.SIGTERM)
    await again.wait()
    records = [dict(r) for r in oldest_first(config.audit_directory, Question()) if r["type"] == "kube.request"]
    assert list(outcomes(records).values()) == [["intent", "unknown-after-crash"]]


async def _started(path: Path) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "proxy.cli", "serve", "-c", str(path), stderr=asyncio.subprocess.PIPE, env=_environment()
    )
    assert process.stderr is not None
    said = b""
    while b"operators" not in said:
        line = await process.stderr.readline()
        assert line, said
        said += line
    return process


async def _serve_and_sign_in(config: Config, path: Path) -> tuple[ssl.SSLContext, asyncio.subprocess.Process]:
    process = await _started(path)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        at = At(Deps(config.web.url), browser, time.time())
        running = Running(None, config, path.parent, [], Engineer(at))  # type: ignore[arg-type]
        return await running.certificate(), process


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
