"""The provider's HTTP side: discovery, keys, authorization, token and userinfo endpoints.

OpenID Connect Core 1.0 (code flow), RFC 6749, RFC 7636 (S256, required), RFC 9207 (`iss` in the answer). One client,
known beforehand. What was granted: `deploy.sandbox.idp.grants`. The signing key is made anew and kept in memory.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import unquote_plus, urlencode

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec

from auth.jose import encode_base64url
from auth.secret import Secret
from deploy.sandbox.idp import pages
from deploy.sandbox.idp.grants import ACCESS_SECONDS, Asked, GrantError, Grants, Issued
from deploy.sandbox.idp.people import PEOPLE, Person
from deploy.sandbox.idp.signing import jwk

MAX_BODY_BYTES = 16 * 1024
"""A token request has a code, a verifier and a client's secret: one KiB."""
ID_TOKEN_SECONDS = 300
SCOPES = ("openid", "profile", "email", "groups")
SHUTDOWN_SECONDS = 1.0

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_PRIVATE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


@dataclass(frozen=True, slots=True)
class Client:
    """The one application that is registered here; its redirect URIs are compared character by character."""

    client_id: str
    secret: Secret = field(repr=False)
    redirect_uris: tuple[str, ...]


class _RefusedError(Exception):
    """An answer of the kind `{"error": ..., "error_description": ...}`."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error, self.status = error, status


class SandboxIdentityProvider:
    """`await start()`, then `issuer`; `await stop()`. `clock`: seconds since the epoch; `random`: see `Grants`."""

    def __init__(
        self,
        client: Client,
        *,
        clock: Callable[[], float],
        people: Sequence[Person] = PEOPLE,
        random: Callable[[], str] = lambda: secrets.token_urlsafe(24),
    ) -> None:
        self.issuer = ""
        self._client, self._clock = client, clock
        self._people = {person.username: person for person in people}
        self._grants = Grants(random)
        self._key, self._kid = ec.generate_private_key(ec.SECP256R1()), random()
        self._runner: web.AppRunner | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0, context: ssl.SSLContext | None = None) -> None:
        """Listen; port 0 asks the kernel for a free one. Raises OSError where the port is taken."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_get("/.well-known/openid-configuration", self._discovery)
        app.router.add_get("/jwks", self._jwks)
        app.router.add_get("/authorize", self._authorize)
        app.router.add_post("/authorize", self._chosen)
        app.router.add_post("/token", self._token)
        app.router.add_get("/userinfo", self._userinfo)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port, ssl_context=context).start()
        except OSError:
            await self.stop()
            raise
        self.issuer = f"{'http' if context is None else 'https'}://{host}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Connections that are open end with it. Nothing happens if it never started."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    # -- what it says of itself

    async def _discovery(self, request: web.Request) -> web.Response:
        del request
        endpoints = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/jwks"}
        endpoints["userinfo_endpoint"] = "/userinfo"
        return web.json_response(
            {name: self.issuer + path for name, path in endpoints.items()}
            | {
                "issuer": self.issuer,
                "scopes_supported": SCOPES,
                "response_types_supported": ["code"],
                "response_modes_supported": ["query"],
                "grant_types_supported": ["authorization_code", "refresh_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
                "code_challenge_methods_supported": ["S256"],
                "authorization_response_iss_parameter_supported": True,
            }
        )

    async def _jwks(self, request: web.Request) -> web.Response:
        del request
        return web.json_response({"keys": [jwk(self._key, self._kid, alg="ES256")]})

    # -- the browser

    async def _authorize(self, request: web.Request) -> web.Response:
        return self._answered(request, None)

    async def _chosen(self, request: web.Request) -> web.Response:
        return self._answered(request, str((await request.post()).get("person", "")))

    def _answered(self, request: web.Request, chosen: str | None) -> web.Response:
        """1. Whom it may be sent to: until that is known, a page; 2. the rest: a redirect; 3. the person: a page."""
        pairs = list(request.query.items())
        query = dict(pairs)
        redirect_uri = query.get("redirect_uri", "")
        if query.get("client_id") != self._client.client_id:
            return _page(pages.problem("No such client is registered here."), 400)
        if redirect_uri not in self._client.redirect_uris or len(query) != len(pairs):
            return _page(pages.problem("It leads back to an address that is not registered for its client."), 400)
        try:
            asked = _asked(query)
        except _RefusedError as error:
            return self._back(query, {"error": error.error, "error_description": str(error)})
        if chosen is None:
            return _page(pages.choose(tuple(self._people.values()), self._client.client_id))
        person = self._people.get(chosen)
        if person is None:
            return _page(pages.problem("There is no such person here; go back and pick one."), 400)
        return self._back(query, {"code": self._grants.authorize(asked, person, self._clock())})

    def _back(self, query: Mapping[str, str], answer: Mapping[str, str]) -> web.Response:
        state = {"state": query["state"]} if "state" in query else {}
        uri = query["redirect_uri"]
        separator = "&" if "?" in uri else "?"
        location = uri + separator + urlencode({**answer, **state, "iss": self.issuer})
        # 303: a browser that posted must not post the person on to the client (RFC 9700, section 4.12)
        return web.Response(status=303, headers={"Location": location, **pages.HEADERS})

    # -- the client

    async def _token(self, request: web.Request) -> web.Response:
        try:
            return web.json_response(self._tokens(await self._form(request)), headers=_PRIVATE)
        except _RefusedError as error:
            body = {"error": error.error, "error_description": str(error)}
            challenge = {"WWW-Authenticate": 'Basic realm="sandbox"'} if error.status == 401 else {}
            return web.json_response(body, status=error.status, headers={**_PRIVATE, **challenge})

    async def _form(self, request: web.Request) -> dict[str, str]:
        """Each parameter once, from the client that proved itself. Raises _RefusedError."""
        if request.content_type != "application/x-www-form-urlencoded":
            raise _RefusedError("invalid_request", "the body is no form")
        pairs = [(name, str(value)) for name, value in (await request.post()).items()]
        form = dict(pairs)
        if len(form) != len(pairs):
            raise _RefusedError("invalid_request", "a parameter stands twice")
        who = _client_in(request.headers.get("Authorization"), form)
        expected = (self._client.client_id, self._client.secret.reveal().decode())
        if not all(hmac.compare_digest(a.encode(), b.encode()) for a, b in zip(who, expected, strict=True)):
            raise _RefusedError("invalid_client", "client and secret do not fit", 401)
        return form

    def _tokens(self, form: Mapping[str, str]) -> dict[str, object]:
        now, grant_type = self._clock(), form.get("grant_type")
        try:
            if grant_type == "refresh_token":
                issued = self._grants.refresh(form.get("refresh_token", ""), now)
            elif grant_type == "authorization_code":
                issued = self._grants.redeem(
                    form.get("code", ""),
                    redirect_uri=form.get("redirect_uri", ""),
                    verifier=_verifier_in(form),
                    now=now,
                )
            else:
                raise _RefusedError("unsupported_grant_type", "only authorization_code and refresh_token")
        except GrantError as error:
            raise _RefusedError("invalid_grant", str(error)) from error
        return {
            "access_token": issued.access_token,
            "token_type": "Bearer",
            "expires_in": int(ACCESS_SECONDS),
            "refresh_token": issued.refresh_token,
            "scope": " ".join(issued.scopes),
            "id_token": self._id_token(issued, int(now)),
        }

    def _id_token(self, issued: Issued, now: int) -> str:
        # section 3.1.3.6: the left half of the hash that the algorithm uses
        at_hash = encode_base64url(sha256(issued.access_token.encode()).digest()[:16])
        claims = issued.person.claims(issued.scopes) | {
            "iss": self.issuer,
            "aud": self._client.client_id,
            "iat": now,
            "exp": now + ID_TOKEN_SECONDS,
            "auth_time": int(issued.authenticated_at),
            "at_hash": at_hash,
        }
        if issued.nonce is not None:
            claims["nonce"] = issued.nonce
        return jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": self._kid})

    async def _userinfo(self, request: web.Request) -> web.Response:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        issued = self._grants.whose(token, self._clock()) if kind.lower() == "bearer" else None
        if issued is None:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
        return web.json_response(issued.person.claims(issued.scopes), headers=_PRIVATE)


def _page(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="text/html", headers=pages.HEADERS)


def _asked(query: Mapping[str, str]) -> Asked:
    """Raises _RefusedError with the code that RFC 6749, section 4.1.2.1, and Core 1.0, section 3.1.2.6, have for it."""
    if query.get("response_type") != "code":
        raise _RefusedError("unsupported_response_type", "only code")
    for unsupported in ("request", "request_uri", "registration"):
        if unsupported in query:
            raise _RefusedError(f"{unsupported}_not_supported", f"{unsupported} is not supported")
    if query.get("response_mode", "query") != "query":
        raise _RefusedError("invalid_request", "only response_mode query")
    if query.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(query.get("code_challenge", "")):
        raise _RefusedError("invalid_request", "an S256 code challenge is required")
    scopes = tuple(query.get("scope", "").split())
    if "openid" not in scopes:
        raise _RefusedError("invalid_scope", "openid must be in the scope")
    if query.get("prompt") == "none":
        raise _RefusedError("interaction_required", "a person has to be picked")
    # section 3.1.2.1: scopes that are not understood SHOULD be ignored
    understood = tuple(scope for scope in SCOPES if scope in scopes)
    return Asked(query["redirect_uri"], understood, query.get("nonce"), query["code_challenge"])


def _verifier_in(form: Mapping[str, str]) -> str:
    verifier = form.get("code_verifier", "")
    if not _VERIFIER.fullmatch(verifier):
        raise _RefusedError("invalid_request", "a code_verifier of 43 to 128 characters is required")
    return verifier


def _client_in(authorization: str | None, form: Mapping[str, str]) -> tuple[str, str]:
    """Id and secret, from the header or the form, never both (RFC 6749, section 2.3). Raises _RefusedError."""
    if authorization is None:
        return form.get("client_id", ""), form.get("client_secret", "")
    if "client_secret" in form:
        raise _RefusedError("invalid_request", "the client proves itself in two ways at once")
    kind, _, value = authorization.partition(" ")
    try:
        decoded = base64.b64decode(value, validate=True).decode() if kind.lower() == "basic" else ""
    except ValueError:
        decoded = ""
    # section 2.3.1: both are form-encoded before they are put together
    client_id, _, secret = decoded.partition(":")
    return unquote_plus(client_id), unquote_plus(secret)
