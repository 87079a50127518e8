"""The pages of a sign-in: to the provider, back from it, to the command line.

`GET /login` (asked by the command line's link) → the provider → `GET /callback/<connector>` → the command line's
loopback address with a one-time code; without one, a page to confirm and `POST /confirm`, which shows the code.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, urlencode

from aiohttp import web

from auth.connectors import Connector, RoundTrip, SignedIn
from auth.errors import AuthError, Reason
from auth.jose import encode_base64url
from auth.login import (
    CODE_SECONDS,
    TRANSACTION_SECONDS,
    Asked,
    Grant,
    Grants,
    Transaction,
    Transactions,
    callback_url,
    hashed,
    parse_asked,
    single,
)
from auth.secret import Secret
from proxy.base32_id import base32_id
from proxy.web.deps import WebDeps
from proxy.web.pages import page
from proxy.web.requests import bounded_agent, read_body, source_of
from recordings.audit.record import Outcome, RecordType

MAX_FORM_BYTES = 4096
PROVIDER_SECONDS = 30.0
"""For all that the provider is asked on one page: code, keys, userinfo."""

_COOKIE = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(slots=True)
class LoginPages:
    """`codes` is shared with the API, which redeems them."""

    deps: WebDeps
    codes: Grants
    transactions: Transactions = field(default_factory=Transactions)
    unconfirmed: Grants = field(default_factory=lambda: Grants(TRANSACTION_SECONDS))

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self.home, allow_head=False),
            web.get("/login", self.login, allow_head=False),
            web.get("/callback/{connector}", self.callback, allow_head=False),
            web.post("/confirm", self.confirm),
        ]

    async def home(self, _: web.Request) -> web.Response:
        return page("home.html", self.deps)

    async def login(self, request: web.Request) -> web.StreamResponse:
        """To the provider; where there are several and none is named, a page to choose."""
        query = list(request.query.items())
        asked, name = parse_asked(query)
        connectors = self.deps.connectors
        if name is None and len(connectors) == 1:
            name = next(iter(connectors))
        if name is None:
            choices = [
                (c.display_name, "/login?" + urlencode([*query, ("connector", n)])) for n, c in connectors.items()
            ]
            return page("choose.html", self.deps, choices=choices)
        connector = self._connector(name)
        cookie = request.cookies.get(self.deps.cookie, "")
        if not _COOKIE.fullmatch(cookie):
            cookie = self._token(32)
        address = await self._begin(request, connector, asked, cookie)
        response = web.Response(status=302, headers={"Location": address})
        response.set_cookie(
            self.deps.cookie,
            cookie,
            max_age=int(TRANSACTION_SECONDS),
            path="/",
            secure=self.deps.secure,
            httponly=True,
            samesite="Lax",
        )
        return response

    async def _begin(self, request: web.Request, connector: Connector, asked: Asked, cookie: str) -> str:
        now = self.deps.clock()
        trip = RoundTrip(self._token(32), self._token(32), Secret(self._token(48).encode()), self._redirect(connector))
        async with _patience():
            address = await connector.begin(trip, now)
        transaction = Transaction(
            asked, connector.name, trip.nonce, trip.verifier, hashed(cookie), source_of(request), now
        )
        self.transactions.begin(trip.state, transaction)
        return address

    async def callback(self, request: web.Request) -> web.StreamResponse:
        """Back from the provider. The transaction is used up, whatever comes of it."""
        now, cookie = self.deps.clock(), request.cookies.get(self.deps.cookie)
        try:
            connector = self._connector(request.match_info["connector"])
            params = single(list(request.query.items()))
            state = params.get("state", "")
            transaction = self.transactions.take(state, connector=connector.name, cookie=cookie, now=now)
        except AuthError as error:
            self.deps.refused(error.reason.value, source_of(request), "callback")
            raise
        trip = RoundTrip(state, transaction.nonce, transaction.verifier, self._redirect(connector))
        try:
            async with _patience():
                signed_in = await connector.complete(params, trip, now)
        except AuthError as error:
            await self._failed(request, transaction, error)
            return self._told(transaction.asked, error)
        return self._signed_in(request, transaction, signed_in)

    def _signed_in(self, request: web.Request, transaction: Transaction, signed_in: SignedIn) -> web.StreamResponse:
        asked = transaction.asked
        grant = Grant(
            asked,
            signed_in.identity,
            signed_in.refresh_token,
            transaction.browser,
            source_of(request),
            bounded_agent(request),
            self.deps.clock(),
        )
        if asked.redirect_uri is not None:
            code = base32_id(self.deps.random)
            self.codes.add(code, grant)
            return web.Response(status=302, headers={"Location": callback_url(asked, code)})
        token = self._token(32)
        self.unconfirmed.add(token, grant)
        identity = grant.identity
        connector = self.deps.connectors[identity.connector].display_name
        return page(
            "confirm.html", self.deps, identity=identity, connector=connector, fingerprint=asked.key_hash, token=token
        )

    async def confirm(self, request: web.Request) -> web.StreamResponse:
        """The person's yes to what the page showed; then the code to paste, once."""
        self._same_origin(request)
        form = single(await self._form(request))
        now, cookie = self.deps.clock(), request.cookies.get(self.deps.cookie)
        try:
            grant = self.unconfirmed.confirm(form.get("token", ""), cookie=cookie, now=now)
        except AuthError as error:
            self.deps.refused(error.reason.value, source_of(request), "confirm")
            raise
        code = base32_id(self.deps.random)
        self.codes.add(code, replace(grant, created_at=now))
        return page("code.html", self.deps, code=code, seconds=int(CODE_SECONDS), identity=grant.identity)

    async def _form(self, request: web.Request) -> list[tuple[str, str]]:
        if request.content_type != "application/x-www-form-urlencoded":
            raise AuthError(Reason.BAD_REQUEST, "this is not the form that was sent to you; begin again")
        data = await read_body(request, MAX_FORM_BYTES)
        try:
            return parse_qsl(data.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=8)
        except ValueError as error:
            raise AuthError(Reason.BAD_REQUEST, "this is not the form that was sent to you; begin again") from error

    def _same_origin(self, request: web.Request) -> None:
        """Fetch Metadata where the browser has it; else `Origin`. (Our own pages make `Origin: null`: no-referrer.)"""
        site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
        if (site == "same-origin") if site is not None else (origin == self.deps.url):
            return
        self.deps.refused(Reason.ORIGIN_REFUSED.value, source_of(request), "confirm")
        raise AuthError(Reason.ORIGIN_REFUSED, "this form came from another site; begin again with `kwit login`")

    async def _failed(self, request: web.Request, transaction: Transaction, error: AuthError) -> None:
        await self.deps.audit(
            RecordType.USER_LOGIN_FAILED,
            {
                "outcome": Outcome.REFUSED,
                "source": source_of(request),
                "body": {"connector": transaction.connector, "reason": error.reason.value, "message": error.message},
            },
        )

    def _told(self, asked: Asked, error: AuthError) -> web.StreamResponse:
        """The command line is told, so that it stops waiting; without one, the page says it."""
        if asked.redirect_uri is None:
            raise error
        told = {"error": error.reason.value, "error_description": error.message[:500], "state": asked.state or ""}
        return web.Response(status=302, headers={"Location": f"{asked.redirect_uri}?{urlencode(told)}"})

    def _connector(self, name: str) -> Connector:
        connector = self.deps.connectors.get(name)
        if connector is None:
            raise AuthError(
                Reason.BAD_REQUEST, "there is no such identity provider here; begin again with `kwit login`"
            )
        return connector

    def _redirect(self, connector: Connector) -> str:
        return f"{self.deps.url}/callback/{connector.name}"

    def _token(self, length: int) -> str:
        return encode_base64url(self.deps.random(length))


class _patience:  # noqa: N801 - used as a statement
    """A provider that is too slow is a provider that does not answer."""

    async def __aenter__(self) -> None:
        self._timeout = asyncio.timeout(PROVIDER_SECONDS)
        await self._timeout.__aenter__()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            await self._timeout.__aexit__(kind, error, trace)  # type: ignore[arg-type]
        except TimeoutError as late:
            raise AuthError(
                Reason.CONNECTOR_UNAVAILABLE, "the identity provider takes too long to answer; try again later"
            ) from late
