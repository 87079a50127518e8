"""Watches and logs over a WebSocket, as dashboards and fabric8 ask for them: through kwit as without it."""

from __future__ import annotations

import base64
import json
import ssl
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from aiohttp import ClientSession, ClientWebSocketResponse, WSServerHandshakeError

from tests.e2e.installation import Installation
from tests.e2e.story import Person

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
TIMEOUT_SECONDS = 20.0
BASE64 = "base64.binary.k8s.io"


@pytest.fixture
def ways(people: dict[str, Person], installation: Installation, tmp_path: Path) -> list[Person]:
    """Without kwit, and through it, both with certificate and key in the kubeconfig."""
    embedded = replace(people["kwit"], kubeconfig=installation.embed(people["kwit"], tmp_path / "embedded"))
    return [people["direct"], embedded]


@asynccontextmanager
async def opened(
    person: Person, path: str, folder: Path, *protocols: str, with_origin: bool = True
) -> AsyncIterator[ClientWebSocketResponse]:
    config = yaml.safe_load(person.kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]

    def file(entry: dict[str, str], name: str) -> str:
        if name in entry:
            return entry[name]
        kept = folder / name
        kept.write_bytes(base64.b64decode(entry[f"{name}-data"]))
        return str(kept)

    context = ssl.create_default_context(cafile=file(cluster, "certificate-authority"))
    context.load_cert_chain(file(user, "client-certificate"), file(user, "client-key"))
    server = urlsplit(cluster["server"])
    origin = f"https://{server.netloc}" if with_origin else None
    async with (
        ClientSession() as client,
        client.ws_connect(cluster["server"] + path, ssl=context, origin=origin, protocols=protocols) as socket,
    ):
        yield socket


async def test_a_watch_tells_of_what_comes_and_goes(
    ways: list[Person], installation: Installation, admin: Callable[..., str], tmp_path: Path
) -> None:
    name = f"watched-{uuid.uuid4().hex[:8]}"
    for person in ways:
        path = f"/api/v1/namespaces/{person.namespace}/configmaps?watch=true&fieldSelector=metadata.name%3D{name}"
        async with opened(person, path, tmp_path) as watch:
            admin("create", "configmap", name, f"--namespace={person.namespace}")
            admin("delete", "configmap", name, f"--namespace={person.namespace}")
            events = [json.loads(await watch.receive_str(timeout=TIMEOUT_SECONDS)) for _ in range(2)]
        assert [(one["type"], one["object"]["metadata"]["name"]) for one in events] == [
            ("ADDED", name),
            ("DELETED", name),
        ]

    def told() -> list[tuple[str, str, int | None]]:
        found = [one for one in installation.records("--type", "kube.request") if one["event"]["verb"] == "watch"]
        return [
            (one["outcome"], one["event"]["user"]["username"], one["event"].get("responseStatus", {}).get("code"))
            for one in found
            if one["event"]["objectRef"].get("name") == name
        ]

    expected = [("intent", "streamer", None), ("started", "streamer", 101), ("done", "streamer", 101)]
    installation.wait_until(lambda: told() == expected, "the watch has no such records")


@pytest.mark.parametrize("protocol", ["", BASE64])
async def test_a_log_is_told_from_its_beginning(ways: list[Person], protocol: str, tmp_path: Path) -> None:
    seen = []
    for person in ways:
        path = f"/api/v1/namespaces/{person.namespace}/pods/p/log?container=main&follow=true"
        async with opened(person, path, tmp_path, *filter(None, [protocol])) as log:
            messages = [await log.receive(timeout=TIMEOUT_SECONDS) for _ in range(2)]
        seen.append((log.protocol, [(one.type, one.data) for one in messages]))
    assert seen[0] == seen[1]
    _, (_, (_, said)) = seen[1]
    assert b"ready" in (base64.b64decode(said) if protocol else said)


async def test_a_watch_without_an_origin_is_refused_as_the_api_server_refuses_it(
    ways: list[Person], tmp_path: Path
) -> None:
    codes = []
    for person in ways:
        path = f"/api/v1/namespaces/{person.namespace}/configmaps?watch=true"
        with pytest.raises(WSServerHandshakeError) as caught:
            async with opened(person, path, tmp_path, with_origin=False):
                pass
        codes.append(caught.value.status)
    assert codes == [403, 403]
