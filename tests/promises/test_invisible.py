"""Promise 6, Invisible: what the API server says is what kubectl gets. With real kubectl: tests/e2e/test_kubectl.py."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from tests.promises.conftest import Upstream

PODS = "/api/v1/namespaces/default/pods"


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (200, {"Content-Type": "application/json"}, b'{"kind":"PodList"}'),
        (201, {"Content-Type": "application/vnd.kubernetes.protobuf"}, b"k8s\0\n\x0c" + bytes(range(256))),
        (200, {"Content-Type": "application/json", "Content-Encoding": "gzip"}, gzip.compress(b"{}" * 4096, mtime=0)),
        (304, {"ETag": '"x"'}, b""),
        (404, {"Content-Type": "application/json"}, json.dumps({"kind": "Status", "code": 404}).encode()),
        (429, {"Retry-After": "1", "Content-Type": "text/plain"}, b"Too many requests"),
        (500, {"Content-Type": "text/plain; charset=utf-8"}, "é\n".encode()),
        (200, {"Warning": '299 - "deprecated"', "Content-Type": "application/json"}, b"{}"),
        (200, {"X-Kubernetes-Pf-Flowschema-Uid": "u", "X-Kubernetes-Pf-Prioritylevel-Uid": "p"}, b"{}"),
    ],
)
async def test_status_body_and_the_headers_that_clients_read_are_the_api_servers(
    status: int, headers: dict[str, str], body: bytes, upstream: Upstream, ask, running, ada
) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, headers=headers, body=body)

    upstream.answer = answer
    url = running.config.kube.url + PODS
    async with aiohttp.ClientSession(auto_decompress=False) as client, client.get(url, ssl=ada) as got:
        assert (got.status, await got.read()) == (status, body)
        assert {name: got.headers.get(name) for name in headers} == headers


async def test_the_request_is_the_clients_but_for_who_it_is(upstream: Upstream, ask) -> None:
    body, kind = b'\x00k8s\r\n{"a":1}', "application/apply-patch+yaml"
    path = f"{PODS}/ab?fieldManager=k%20b&force=true&x=%C3%A9"
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    headers = {"Content-Type": kind, "Accept": accept, "User-Agent": "kubectl/x"}
    await ask("PATCH", path, data=body, headers=headers)
    (seen,) = upstream.seen
    assert (seen.method, seen.target, seen.body) == ("PATCH", path, body)
    assert {name: seen.header(name) for name in headers} == {name: [value] for name, value in headers.items()}


@pytest.mark.parametrize("prefix", ["", "/clusters/staging"])
async def test_the_clusters_own_path_is_all_that_is_taken_off(prefix: str, upstream: Upstream, ask) -> None:
    await ask("GET", f"{prefix}{PODS}?labelSelector=app%3Dshop&limit=500")
    (seen,) = upstream.seen
    assert seen.target == f"{PODS}?labelSelector=app%3Dshop&limit=500"


async def test_an_answer_that_ends_with_its_connection_ends_the_clients_too(running, ada, kwit_yaml, tmp_path) -> None:
    """Without length or chunks (RFC 9112, section 6.3, rule 8): the client must not wait for more."""
    del kwit_yaml
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nlog line"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "upstream" / "api.crt", tmp_path / "upstream" / "api.key")
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    running.app.in_force.clusters.get("staging").port = server.sockets[0].getsockname()[1]
    url = URL(running.config.kube.url)
    reader, writer = await asyncio.open_connection(url.host, url.port, ssl=ada)
    writer.write(f"GET {PODS} HTTP/1.1\r\nHost: {url.authority}\r\n\r\n".encode())
    async with asyncio.timeout(10):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    server.close()
    assert (b"connection: close" in head.lower(), body) == (True, b"log line")
