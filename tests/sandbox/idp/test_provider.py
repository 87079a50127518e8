"""The sandbox's provider as our own connector meets it, and as a careless or hostile client does."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
import pytest
import trustme

from auth.connectors import RoundTrip, SignedIn
from auth.connectors.oidc import OidcConnector, OidcSettings
from auth.errors import AuthError, Reason
from auth.identity import Identity
from auth.jose import encode_base64url
from auth.login import InvalidGrantError
from auth.mapping import compile_mapping
from auth.secret import Secret
from deploy.sandbox.idp import Client, SandboxIdentityProvider

NOW = 1_800_000_000.0
BACK = "http://127.0.0.1:1/callback/corp"
SECRET = "s3cret/with+signs"
TRIP = RoundTrip("st", "no", Secret(b"v" * 43), BACK)
CHALLENGE = encode_base64url(sha256(b"v" * 43).digest())


@dataclass
class World:
    provider: SandboxIdentityProvider
    connector: OidcConnector
    browser: aiohttp.ClientSession
    query: dict[str, str] = field(
        default_factory=lambda: {
            "response_type": "code",
            "client_id": "kwit",
            "redirect_uri": BACK,
            "scope": "openid profile email groups",
            "state": "st",
            "nonce": "no",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
    )

    async def pick(self, address: str, person: str = "alice") -> dict[str, str]:
        """The person's browser: the page, then the button; what comes back at the redirect URI."""
        async with self.browser.get(address) as page:
            assert (page.status, page.content_type) == (200, "text/html")
        async with self.browser.post(address, data={"person": person}, allow_redirects=False) as answer:
            assert answer.status == 303, await answer.text()
            location = urlsplit(answer.headers["Location"])
        assert f"{location.scheme}://{location.netloc}{location.path}" == BACK
        return dict(parse_qsl(location.query))

    async def sign_in(self, person: str = "alice", trip: RoundTrip = TRIP) -> SignedIn:
        params = await self.pick(await self.connector.begin(TRIP, NOW), person)
        return await self.connector.complete(params, trip, NOW)

    async def authorize(self, **changes: str | None) -> tuple[int, dict[str, str]]:
        """Status and, where it redirects, what the client is told."""
        query = {name: value for name, value in (self.query | changes).items() if value is not None}
        address = f"{self.provider.issuer}/authorize?{urlencode(query)}"
        async with self.browser.get(address, allow_redirects=False) as answer:
            return answer.status, dict(parse_qsl(urlsplit(answer.headers.get("Location", "")).query))

    async def code(self) -> str:
        return (await self.pick(f"{self.provider.issuer}/authorize?{urlencode(self.query)}"))["code"]

    async def token(self, form: dict[str, str], *, basic: tuple[str, str] | None = None) -> tuple[int, Any]:
        headers = {"Authorization": aiohttp.encode_basic_auth(*basic)} if basic else {}
        async with self.browser.post(f"{self.provider.issuer}/token", data=form, headers=headers) as answer:
            assert answer.headers["Cache-Control"] == "no-store"
            return answer.status, await answer.json()

    async def post(self) -> dict[str, str]:
        """A token request that is right in everything."""
        form = {"grant_type": "authorization_code", "code": await self.code(), "redirect_uri": BACK}
        return form | {"code_verifier": "v" * 43, "client_id": "kwit", "client_secret": SECRET}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    provider = SandboxIdentityProvider(Client("kwit", Secret(SECRET.encode()), (BACK,)), clock=lambda: NOW)
    await provider.start()
    connector = OidcConnector(
        OidcSettings(
            name="corp",
            display_name="Sandbox",
            issuer=provider.issuer,
            client_id="kwit",
            client_secret=Secret(SECRET.encode()),
            scopes=("openid", "profile", "email", "groups"),
            algorithms=("ES256",),
            mapping=compile_mapping("claims.preferred_username", "claims.groups", "claims.email"),
        )
    )
    async with aiohttp.ClientSession() as browser:
        yield World(provider, connector, browser)
    await connector.close()
    await provider.stop()


async def no_save(token: Secret) -> None:
    del token


# -- our connector


@pytest.mark.parametrize(("person", "groups"), [("alice", ("eng",)), ("bob", ("support",)), ("mallory", ())])
async def test_a_whole_login_names_the_person(world: World, person: str, groups: tuple[str, ...]) -> None:
    signed_in = await world.sign_in(person)
    expected = Identity("corp", world.provider.issuer, f"sandbox-{person}", person, groups, f"{person}@example.com")
    assert replace(signed_in.identity, claims=expected.claims) == expected


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"verifier": Secret(b"x" * 43)}, Reason.CODE_INVALID),
        ({"redirect_uri": BACK + "/other"}, Reason.CODE_INVALID),
        ({"nonce": "other"}, Reason.TOKEN_INVALID),
    ],
)
async def test_another_way_there_than_back_is_refused(world: World, change: dict[str, Any], reason: Reason) -> None:
    with pytest.raises(AuthError) as caught:
        await world.sign_in(trip=replace(TRIP, **change))
    assert caught.value.reason is reason


async def test_a_code_used_twice_ends_the_login_it_made(world: World) -> None:
    params = await world.pick(await world.connector.begin(TRIP, NOW))
    signed_in = await world.connector.complete(params, TRIP, NOW)
    with pytest.raises(AuthError) as caught:
        await world.connector.complete(params, TRIP, NOW)
    assert caught.value.reason is Reason.CODE_INVALID
    assert signed_in.refresh_token is not None
    with pytest.raises(InvalidGrantError):
        await world.connector.refresh(signed_in.identity, signed_in.refresh_token, no_save, NOW)


async def test_refresh_tokens_rotate_and_an_old_one_ends_the_login(world: World) -> None:
    signed_in = await world.sign_in()
    kept: list[Secret] = []

    async def save(token: Secret) -> None:
        kept.append(token)

    assert signed_in.refresh_token is not None
    assert await world.connector.refresh(signed_in.identity, signed_in.refresh_token, save, NOW) == signed_in.identity
    assert await world.connector.refresh(signed_in.identity, kept[0], save, NOW) == signed_in.identity
    with pytest.raises(InvalidGrantError):
        await world.connector.refresh(signed_in.identity, kept[0], save, NOW)
    with pytest.raises(InvalidGrantError):
        await world.connector.refresh(signed_in.identity, kept[1], save, NOW)


async def test_an_answer_without_its_issuer_is_not_taken(world: World) -> None:
    params = await world.pick(await world.connector.begin(TRIP, NOW))
    assert params["iss"] == world.provider.issuer
    del params["iss"]
    with pytest.raises(AuthError):
        await world.connector.complete(params, TRIP, NOW)


async def test_it_serves_tls_with_a_given_certificate(tmp_path: Path) -> None:
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    provider = SandboxIdentityProvider(Client("kwit", Secret(b"s"), (BACK,)), clock=lambda: NOW)
    await provider.start(context=context)
    client = ssl.create_default_context(cadata=ca.cert_pem.bytes().decode())
    address = f"{provider.issuer}/.well-known/openid-configuration"
    async with aiohttp.ClientSession() as browser, browser.get(address, ssl=client) as answer:
        document = await answer.json()
    await provider.stop()
    assert provider.issuer.startswith("https://127.0.0.1:")
    assert document["token_endpoint"] == f"{provider.issuer}/token"


async def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_behind(world: World) -> None:
    again = SandboxIdentityProvider(Client("kwit", Secret(b"s"), (BACK,)), clock=lambda: NOW)
    with pytest.raises(OSError, match="in use"):
        await again.start(port=urlsplit(world.provider.issuer).port or 0)
    await again.stop()


# -- the browser


async def test_the_page_may_not_be_framed_or_kept(world: World) -> None:
    async with world.browser.get(f"{world.provider.issuer}/authorize?{urlencode(world.query)}") as page:
        assert page.headers["Cache-Control"] == "no-store"
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
        assert "Alice Adler" in await page.text()


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": "other"},
        {"client_id": None},
        {"redirect_uri": BACK + "/"},
        {"redirect_uri": "http://evil.example/"},
        {"redirect_uri": None},
    ],
)
async def test_nobody_is_sent_to_an_address_that_is_not_registered(world: World, change: dict[str, str | None]) -> None:
    assert await world.authorize(**change) == (400, {})


async def test_a_parameter_that_stands_twice_is_refused(world: World) -> None:
    address = f"{world.provider.issuer}/authorize?{urlencode(world.query)}&state=other"
    async with world.browser.get(address, allow_redirects=False) as answer:
        assert answer.status == 400


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "email"}, "invalid_scope"),
        ({"prompt": "none"}, "interaction_required"),
        ({"request": "e30."}, "request_not_supported"),
        ({"request_uri": "https://evil.example"}, "request_uri_not_supported"),
    ],
)
async def test_a_wrong_request_is_told_to_the_client_with_state_and_issuer(
    world: World, change: dict[str, str | None], error: str
) -> None:
    status, told = await world.authorize(**change)
    del told["error_description"]
    assert (status, told) == (303, {"error": error, "state": "st", "iss": world.provider.issuer})


async def test_a_person_who_is_not_there_is_not_made_up(world: World) -> None:
    address = f"{world.provider.issuer}/authorize?{urlencode(world.query)}"
    async with world.browser.post(address, data={"person": "root"}, allow_redirects=False) as answer:
        assert (answer.status, "no such person" in await answer.text()) == (400, True)


# -- the client


async def test_the_secret_may_stand_in_the_form_or_in_the_header(world: World) -> None:
    status, answer = await world.token(await world.post())
    assert (status, answer["token_type"], answer["expires_in"]) == (200, "Bearer", 300)
    assert answer["scope"] == "openid profile email groups"
    form = await world.post()
    del form["client_secret"]
    status, _ = await world.token(form, basic=("kwit", "s3cret%2Fwith%2Bsigns"))
    assert status == 200


@pytest.mark.parametrize(
    ("change", "basic", "expected"),
    [
        ({"client_secret": "wrong"}, None, (401, "invalid_client")),
        ({"client_id": "other"}, None, (401, "invalid_client")),
        ({}, ("kwit", SECRET), (400, "invalid_request")),
        ({"grant_type": "password"}, None, (400, "unsupported_grant_type")),
        ({"code_verifier": "v" * 42}, None, (400, "invalid_request")),
        ({"code_verifier": "w" * 43}, None, (400, "invalid_grant")),
        ({"redirect_uri": BACK + "/"}, None, (400, "invalid_grant")),
        ({"code": "code.x.y"}, None, (400, "invalid_grant")),
    ],
)
async def test_a_wrong_token_request_gets_its_error(
    world: World, change: dict[str, str], basic: tuple[str, str] | None, expected: tuple[int, str]
) -> None:
    status, answer = await world.token(await world.post() | change, basic=basic)
    assert (status, answer["error"]) == expected


@pytest.mark.parametrize("authorization", ["Basic !", "Basic /w==", "Bearer x", "Basic"])
async def test_a_header_that_cannot_be_read_proves_nothing(world: World, authorization: str) -> None:
    form = await world.post()
    del form["client_secret"]
    headers = {"Authorization": authorization}
    async with world.browser.post(f"{world.provider.issuer}/token", data=form, headers=headers) as answer:
        assert (answer.status, (await answer.json())["error"]) == (401, "invalid_client")


async def test_a_body_that_is_no_form_or_says_a_thing_twice_is_refused(world: World) -> None:
    address, form = f"{world.provider.issuer}/token", await world.post()
    async with world.browser.post(address, json=form) as answer:
        assert (answer.status, (await answer.json())["error"]) == (400, "invalid_request")
    async with world.browser.post(address, data=[*form.items(), ("code", "x")]) as answer:
        assert (answer.status, (await answer.json())["error"]) == (400, "invalid_request")


async def test_userinfo_speaks_to_who_holds_the_access_token(world: World) -> None:
    _, answer = await world.token(await world.post())
    address = f"{world.provider.issuer}/userinfo"
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    async with world.browser.get(address, headers=headers) as told:
        assert await told.json() == {
            "sub": "sandbox-alice",
            "name": "Alice Adler",
            "preferred_username": "alice",
            "email": "alice@example.com",
            "email_verified": True,
            "groups": ["eng"],
        }
    for wrong in (f"Bearer {answer['refresh_token']}", f"Basic {answer['access_token']}", ""):
        async with world.browser.get(address, headers={"Authorization": wrong}) as refused:
            assert refused.status == 401
