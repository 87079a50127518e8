"""Promise 7, Secret-safe: values of Secrets, tokens and keys are in no record, metric, error or file of ours."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

from aiohttp import web
from cryptography.hazmat.primitives import serialization

from tests.auth.connectors.provider import CLIENT_SECRET
from tests.promises.conftest import Upstream, everything_written, settled
from tests.proxy.running import Running

SECRETS = "/api/v1/namespaces/default/secrets"
VALUE = "correct-horse-battery-staple"


def forms(secret: str) -> set[bytes]:
    """As it is, and as it is written into headers, bodies and addresses."""
    raw = secret.encode()
    encoded = {base64.b64encode(raw), base64.urlsafe_b64encode(raw), raw.hex().encode()}
    return {raw, quote(secret, safe="").encode(), *encoded}


async def test_nothing_that_passed_is_written_anywhere(running: Running, upstream: Upstream, ask) -> None:
    async def secret(_request: web.Request) -> web.Response:
        data = {"password": base64.b64encode(VALUE.encode()).decode()}
        return web.json_response({"kind": "Secret", "data": data}, headers={"Set-Cookie": f"session={VALUE}-7"})

    upstream.answer = secret
    bearer = {"Authorization": f"Bearer {VALUE}-1", "Cookie": f"a={VALUE}-2", "X-Api-Key": f"{VALUE}-3"}
    body = json.dumps({"kind": "Secret", "stringData": {"password": VALUE + "-4"}})
    await ask("POST", SECRETS, data=body, headers={"Content-Type": "application/json"})
    await ask("GET", f"{SECRETS}/token", headers=bearer)
    await ask("GET", f"{SECRETS}/root?token={VALUE}-5")
    await ask("GET", f"/api/v1/namespaces/default/pods?access_token={VALUE}-6&id_token={VALUE}-8")
    await settled(running, 4)
    written = everything_written(running.config.data_dir) + (await running.operations("/metrics"))[1].encode()
    written += "\n".join(running.said).encode()
    assert [form for form in forms(VALUE) if form in written] == []


async def test_what_signs_in_is_written_nowhere_either(running: Running, provider, ask) -> None:
    await ask("GET", "/api/v1/nodes")
    key = running.engineer.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    tokens = [*provider.refresh_tokens, *provider.used_refresh_tokens, "at-1", CLIENT_SECRET, running.engineer.verifier]
    upstream_token = (running.folder / "token").read_text()
    written = everything_written(running.config.data_dir)
    assert provider.refresh_tokens
    for secret in (*tokens, upstream_token, key.decode()):
        assert [form for form in forms(secret) if form in written] == [], secret[:8]


async def test_equal_values_in_addresses_are_told_to_be_equal(running: Running, ask) -> None:
    for value in ("one", "two", "one"):
        await ask("GET", f"/api/v1/namespaces/default/pods?token={value}")
    uris = [record["event"]["requestURI"] for record in await settled(running, 3)]
    assert uris[0] == uris[2] != uris[1]
    assert all(uri.startswith("/api/v1/namespaces/default/pods?token=") for uri in uris)
