"""The web listener on a real loopback socket, with a provider, a store and a recorded audit."""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from auth.ca import issue, key_hash, new_ca
from auth.connectors.oidc import OidcConnector, OidcSettings
from auth.jose import encode_base64url
from auth.mapping import compile_mapping
from auth.rbac import Policy, Role, RoleBinding, Rule, Subject, compile_policy
from auth.secret import Secret
from auth.state.seal import Seal
from auth.state.sqlite import SqliteStore
from proxy.web.app import WebListener, build_web_app
from proxy.web.deps import WebDeps
from recordings.audit.record import RecordType
from recordings.errors import LogUnavailableError
from tests.auth.connectors.provider import CLIENT_ID, CLIENT_SECRET, Provider


def developer(name: str = "developer", **fields: Any) -> Role:
    allow = (Rule(("get",), ("",), ("pods",)),)
    return Role(name, cluster_names=("staging-*",), **{"allow": allow, "as_groups": ("dev",), **fields})


def bound(*roles: Role, system_names: Sequence[str] = ()) -> Policy:
    """Every one of `roles`, given to the engineers."""
    engineers = (Subject("Group", "eng", "corp"),)
    bindings = [RoleBinding(f"b-{r.name}", r.name, engineers) for r in roles]
    return compile_policy(roles, bindings, ["corp", "other"], allowed_system_names=system_names)


@dataclass
class Installation:
    """What a test looks at and changes."""

    deps: WebDeps
    store: SqliteStore
    provider: Provider
    browser: aiohttp.ClientSession
    records: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    refusals: list[tuple[str, str, str]] = field(default_factory=list)
    now: float = field(default_factory=time.time)
    log_down: bool = False
    policy: Policy = field(default_factory=lambda: bound(developer()))
    system_names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Of a cluster; no other accepts them."""

    def kinds(self) -> list[str]:
        return [str(kind) for kind, _ in self.records]

    async def get(self, url: str, **more: Any) -> aiohttp.ClientResponse:
        return await self.browser.get(url, allow_redirects=False, **more)


@dataclass
class Engineer:
    """The command line's side of a sign-in."""

    at: Installation
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    login_id: str = ""

    def link(self, *, redirect: str | None = "http://127.0.0.1:40000/callback", **more: str) -> str:
        query = {
            "state": "s" * 32,
            "code_challenge": encode_base64url(sha256(self.verifier.encode()).digest()),
            "code_challenge_method": "S256",
            "key": key_hash(self.key.public_key()),
        } | more
        if redirect is not None:
            query["redirect_uri"] = redirect
        return f"{self.at.deps.url}/login?{urlencode(query)}"

    async def to_callback(self, **more: Any) -> str:
        """The provider's answer, as an address of ours."""
        first = await self.at.get(self.link(**more))
        assert first.status == 302, await first.text()
        second = await self.at.get(first.headers["Location"])
        return second.headers["Location"]

    async def code(self) -> str:
        back = await self.at.get(await self.to_callback())
        assert back.status == 302, await back.text()
        return parse_qs(urlsplit(back.headers["Location"]).query)["code"][0]

    async def redeem(self, code: str, **changes: str) -> aiohttp.ClientResponse:
        pem = self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        body = {"code": code, "code_verifier": self.verifier, "public_key": pem.decode()} | changes
        return await self.at.browser.post(f"{self.at.deps.url}/api/v1/logins", json=body)

    async def sign_in(self) -> dict[str, Any]:
        response = await self.redeem(await self.code())
        answer = await response.json()
        assert response.status == 201, answer
        self.login_id = answer["login"]["id"]
        return dict(answer)

    def proof(self, method: str, path: str, **changes: Any) -> str:
        numbers = self.key.public_key().public_numbers()
        jwk = {"kty": "EC", "crv": "P-256"} | {
            n: encode_base64url(getattr(numbers, n).to_bytes(32)) for n in ("x", "y")
        }
        claims = {
            "htm": method,
            "htu": self.at.deps.url + path,
            "iat": int(self.at.now),
            "jti": secrets.token_urlsafe(16),
            "login": self.login_id,
        } | changes
        return jwt.encode(claims, self.key, algorithm="ES256", headers={"typ": "dpop+jwt", "jwk": jwk})

    async def call(self, method: str, path: str, body: object = None, **changes: Any) -> aiohttp.ClientResponse:
        headers = {"DPoP": self.proof(method, path, **changes)}
        more = {} if body is None else {"data": json.dumps(body)}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return await self.at.browser.request(method, self.at.deps.url + path, headers=headers, **more)

    def csr(self, key: ec.EllipticCurvePrivateKey | None = None) -> str:
        request = (
            x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key or self.key, hashes.SHA256())
        )
        return request.public_bytes(serialization.Encoding.PEM).decode()


def connector(provider: Provider, name: str = "corp") -> OidcConnector:
    return OidcConnector(
        OidcSettings(
            name=name,
            display_name=f"The {name} directory",
            issuer=provider.issuer,
            client_id=CLIENT_ID,
            client_secret=Secret(CLIENT_SECRET.encode()),
            scopes=("openid", "email", "groups"),
            algorithms=("RS256",),
            mapping=compile_mapping("claims.email", "claims.groups"),
        )
    )


@pytest.fixture
def connector_names() -> tuple[str, ...]:
    return ("corp",)


@pytest.fixture
async def at(provider: Provider, connector_names: tuple[str, ...], tmp_path: Path) -> AsyncIterator[Installation]:
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    store = SqliteStore(tmp_path / "state.db")
    await store.open()
    ca = new_ca("test", time.time())
    held: list[Installation] = []

    async def audit(kind: RecordType, record: Mapping[str, Any]) -> None:
        if held[0].log_down:
            raise LogUnavailableError("the disk is full")
        held[0].records.append((str(kind), record))

    async def changed() -> None:
        return None

    deps = WebDeps(
        installation="example",
        version="0.1.0",
        url=url,
        kube_url="https://kube.example.com:8443",
        kube_ca_pem="CA",
        kube_tls_server_name=None,
        login_ttl=36_000.0,
        certificate_ttl=3_600.0,
        groups_max_age=3_600.0,
        store=store,
        connectors={name: connector(provider, name) for name in connector_names},
        seal=Seal(Secret(bytes(32))),
        issue=lambda key, cluster, login, now, lifetime: issue(
            ca,
            key,
            installation="example",
            cluster=cluster,
            login_id=login,
            now=now,
            lifetime_seconds=lifetime,
            serial_number=0x1234,
        ),
        policy=lambda: held[0].policy,
        clusters=lambda: {"staging-eu": {"env": "staging"}, "prod": {}},
        system_names=lambda cluster: held[0].system_names.get(cluster, ()),
        audit=audit,
        refused=lambda reason, source, detail: held[0].refusals.append((reason, source, detail)),
        changed=changed,
        clock=lambda: held[0].now,
        random=os.urandom,
        recordings=tmp_path / "recordings",
        audit_log=tmp_path / "audit",
    )
    listener = WebListener(build_web_app(deps))
    await listener.start(listening, None)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        installation = Installation(deps, store, provider, browser)
        held.append(installation)
        provider.clock = lambda: installation.now
        yield installation
    await listener.stop()
    for one in deps.connectors.values():
        await one.close()
    await store.close()


@pytest.fixture
def ada(at: Installation) -> Engineer:
    return Engineer(at)
