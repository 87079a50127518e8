"""An OpenID provider in memory for the tests: strict where real ones are (redirect URI, secret, PKCE, one-time codes).

Everything that a test wants different is an attribute. It checks the code verifier, since a provider that does not
would prove nothing about PKCE.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import jwt
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import rsa

from auth.jose import encode_base64url
from deploy.sandbox.idp.signing import jwk

CLIENT_ID, CLIENT_SECRET = "kwit", "s3cret/with+signs"


def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


_KEY = rsa_key()
"""Made once: a new one costs 50 ms."""


@dataclass
class Provider:
    """One issuer with one person who always says yes."""

    server: TestServer = field(init=False)
    key: rsa.RSAPrivateKey = field(default_factory=lambda: _KEY)
    kid: str = "k1"
    claims: dict[str, Any] = field(
        default_factory=lambda: {
            "sub": "u-1",
            "email": "Ada@Example.com",
            "email_verified": True,
            "groups": ["eng", "sre"],
            "team": "core",
        }
    )
    metadata: dict[str, Any] = field(default_factory=dict)
    token_error: tuple[int, dict[str, Any]] | None = None
    id_token_on_refresh: bool = True
    extra_answer: dict[str, str] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    refresh_tokens: set[str] = field(default_factory=set)
    used_refresh_tokens: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    down: bool = False
    without: set[str] = field(default_factory=set)
    clock: Callable[[], float] = time.time

    async def start(self) -> Provider:
        app = web.Application(middlewares=[self._note])
        app.router.add_get("/.well-known/openid-configuration", self._discovery)
        app.router.add_get("/jwks", self._jwks)
        app.router.add_get("/authorize", self._authorize)
        app.router.add_post("/token", self._token)
        app.router.add_get("/userinfo", self._userinfo)
        self.server = TestServer(app)
        await self.server.start_server()
        return self

    async def stop(self) -> None:
        await self.server.close()

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    @web.middleware
    async def _note(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests.append(request.path)
        if self.down or request.path in self.without:
            return web.Response(status=503)
        return await handler(request)

    async def _discovery(self, _: web.Request) -> web.Response:
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint")
        paths = ("/authorize", "/token", "/jwks", "/userinfo")
        document = {"issuer": self.issuer} | {n: self.issuer + p for n, p in zip(names, paths, strict=True)}
        return web.json_response({k: v for k, v in (document | self.metadata).items() if v is not None})

    async def _jwks(self, _: web.Request) -> web.Response:
        return web.json_response({"keys": [jwk(self.key, self.kid, alg="RS256")]})

    async def _authorize(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT_ID
        assert query["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        answer = {"code": code, "state": query["state"], **self.extra_answer}
        location = query["redirect_uri"] + "?" + "&".join(f"{k}={v}" for k, v in answer.items())
        return web.Response(status=302, headers={"Location": location})

    async def _token(self, request: web.Request) -> web.Response:
        form = dict(await request.post())
        if self.token_error is not None:
            return web.json_response(self.token_error[1], status=self.token_error[0])
        expected = base64.b64encode(f"{CLIENT_ID}:{'s3cret%2Fwith%2Bsigns'}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {expected}":
            return web.json_response({"error": "invalid_client"}, status=401)
        if form["grant_type"] == "refresh_token":
            return self._refresh(str(form["refresh_token"]))
        asked = self.codes.pop(str(form["code"]), None)
        challenge = encode_base64url(sha256(str(form["code_verifier"]).encode()).digest())
        if asked is None or asked["redirect_uri"] != form["redirect_uri"] or asked["code_challenge"] != challenge:
            return web.json_response({"error": "invalid_grant"}, status=400)
        return web.json_response(self._tokens(asked["nonce"]))

    def _refresh(self, token: str) -> web.Response:
        if token not in self.refresh_tokens:
            return web.json_response({"error": "invalid_grant"}, status=400)
        self.refresh_tokens.discard(token)
        self.used_refresh_tokens.append(token)
        tokens = self._tokens(None)
        if not self.id_token_on_refresh:
            del tokens["id_token"]
        return web.json_response(tokens)

    def _tokens(self, nonce: str | None) -> dict[str, Any]:
        refresh = secrets.token_urlsafe(16)
        self.refresh_tokens.add(refresh)
        return {
            "access_token": "at-1",
            "token_type": "Bearer",
            "refresh_token": refresh,
            "id_token": self.id_token(nonce),
        }

    def id_token(self, nonce: str | None) -> str:
        now = int(self.clock())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, **self.claims}
        if nonce is not None:
            claims["nonce"] = nonce
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": self.kid})

    async def _userinfo(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "Bearer at-1":
            return web.Response(status=401)
        return web.Response(text=json.dumps(self.claims), content_type="application/json")
