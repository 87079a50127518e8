"""Promise 6, Invisible: what the API server says is what kubectl gets. With real kubectl: tests/e2e/test_kubectl.py."""

from __future__ import annotations

import gzip
import json

import aiohttp
import pytest
from aiohttp import web

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
