from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import pytest

from auth.connectors import RoundTrip, SignedIn, narrowed
from auth.connectors.jwks import KEYS_MAX_AGE_SECONDS, RETRY_SECONDS
from auth.connectors.oidc import OidcConnector, OidcSettings
from auth.errors import AuthError, Reason
from auth.identity import Identity
from auth.mapping import compile_mapping
from auth.secret import Secret
from tests.auth.connectors.provider import CLIENT_ID, CLIENT_SECRET, Provider, rsa_key

NOW = 1_800_000_000.0
TRIP = RoundTrip("st", "no", Secret(b"v" * 43), "https://kwit/callback/corp")


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    provider = await Provider(clock=lambda: NOW).start()
    yield provider
    await provider.stop()


@pytest.fixture
async def connector(provider: Provider) -> AsyncIterator[OidcConnector]:
    connector = OidcConnector(
        OidcSettings(
            "corp",
            "Corp",
            provider.issuer,
            CLIENT_ID,
            Secret(CLIENT_SECRET.encode()),
            ("openid",),
            ("RS256",),
            compile_mapping("claims.email", "claims.groups"),
        )
    )
    yield connector
    await connector.close()


async def sign_in(connector: OidcConnector, now: float = NOW, trip: RoundTrip = TRIP) -> SignedIn:
    address = await connector.begin(TRIP, now)
    async with aiohttp.ClientSession() as browser, browser.get(address, allow_redirects=False) as response:
        params = dict(parse_qsl(urlsplit(response.headers["Location"]).query))
    return await connector.complete(params, trip, now)


async def test_a_round_trip_gives_a_person(provider: Provider, connector: OidcConnector) -> None:
    identity = (await sign_in(connector)).identity
    assert identity == Identity("corp", provider.issuer, "u-1", "ada@example.com", ("eng", "sre"), "ada@example.com")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"verifier": Secret(b"x" * 43)}, Reason.CODE_INVALID),
        ({"redirect_uri": "https://kwit/callback/other"}, Reason.CODE_INVALID),
        ({"nonce": "other"}, Reason.TOKEN_INVALID),
    ],
)
async def test_another_way_there_than_back_is_refused(
    connector: OidcConnector, change: dict[str, object], reason: Reason
) -> None:
    with pytest.raises(AuthError) as caught:
        await sign_in(connector, trip=replace(TRIP, **change))  # type: ignore[arg-type]
    assert caught.value.reason is reason


async def test_a_new_key_is_fetched_when_it_is_met(provider: Provider, connector: OidcConnector) -> None:
    await sign_in(connector)
    provider.key, provider.kid = rsa_key(), "k2"
    provider.clock = lambda: NOW + RETRY_SECONDS
    assert (await sign_in(connector, NOW + RETRY_SECONDS)).identity.subject == "u-1"
    assert provider.requests.count("/jwks") == 2


async def test_another_key_under_the_same_name_is_not_believed(provider: Provider, connector: OidcConnector) -> None:
    await sign_in(connector)
    provider.key = rsa_key()
    with pytest.raises(AuthError) as caught:
        await sign_in(connector)
    assert caught.value.reason is Reason.TOKEN_INVALID


async def test_keys_that_are_too_old_admit_nobody(provider: Provider, connector: OidcConnector) -> None:
    await sign_in(connector)
    provider.without.add("/jwks")
    for seconds, admitted in ((KEYS_MAX_AGE_SECONDS, True), (KEYS_MAX_AGE_SECONDS + 1, False)):
        later = NOW + seconds
        provider.clock = lambda at=later: at
        if admitted:
            await sign_in(connector, later)
            continue
        with pytest.raises(AuthError) as caught:
            await sign_in(connector, later)
        assert caught.value.reason is Reason.CONNECTOR_UNAVAILABLE


async def test_a_discovery_document_of_another_issuer_is_refused(provider: Provider, connector: OidcConnector) -> None:
    provider.metadata = {"issuer": provider.issuer + "/"}
    with pytest.raises(AuthError) as caught:
        await connector.begin(TRIP, NOW)
    assert "another issuer" in caught.value.message


async def test_groups_that_the_token_lacks_come_from_userinfo(provider: Provider, connector: OidcConnector) -> None:
    groups = provider.claims.pop("groups")

    def token(nonce: str | None) -> str:
        made = Provider.id_token(provider, nonce)
        provider.claims["groups"] = groups
        return made

    provider.id_token = token  # type: ignore[method-assign]
    assert (await sign_in(connector)).identity.groups == ("eng", "sre")


async def test_userinfo_of_somebody_else_is_refused(provider: Provider, connector: OidcConnector) -> None:
    del provider.claims["groups"]

    def token(nonce: str | None) -> str:
        made = Provider.id_token(provider, nonce)
        provider.claims |= {"sub": "u-2", "groups": ["admins"]}
        return made

    provider.id_token = token  # type: ignore[method-assign]
    with pytest.raises(AuthError) as caught:
        await sign_in(connector)
    assert caught.value.reason is Reason.TOKEN_INVALID


OLD = Identity("corp", "i", "s", "ada", ("a", "b"), "a@b", {"team": "x", "tags": ["p", "q"], "n": 1})


@pytest.mark.parametrize(
    ("today", "expected"),
    [
        (OLD, OLD),
        (replace(OLD, groups=("b", "c")), replace(OLD, groups=("b",))),
        (replace(OLD, groups=()), replace(OLD, groups=())),
        (replace(OLD, email="c@d"), replace(OLD, email=None)),
        (replace(OLD, username="eve"), None),
        (replace(OLD, subject="t"), None),
        (replace(OLD, issuer="j"), None),
        (replace(OLD, connector="other"), None),
    ],
)
def test_reading_again_only_narrows(today: Identity, expected: Identity | None) -> None:
    assert narrowed(OLD, today) == expected


def test_claims_narrow_too() -> None:
    today = replace(OLD, claims={"team": "y", "tags": ["q", "r"], "n": 1, "new": True})
    identity = narrowed(OLD, today)
    assert identity is not None
    assert identity.claims == {"tags": ["q"], "n": 1}
