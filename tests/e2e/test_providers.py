"""Our connector against identity providers that others wrote: sign-in, refresh, the clear no, silence, new keys."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from urllib.parse import parse_qsl, urlsplit

import pytest

from auth.connectors import RoundTrip, SignedIn
from auth.connectors.oidc import OidcConnector, OidcSettings
from auth.errors import AuthError, Reason
from auth.identity import Identity
from auth.login import InvalidGrantError
from auth.mapping import compile_mapping
from auth.secret import Secret
from tests.e2e.browser import Browser
from tests.e2e.providers.dex import DexWithGroups
from tests.e2e.providers.oidc_provider import OidcProvider
from tests.e2e.providers.running import (
    ALICE,
    CLIENT_ID,
    CLIENT_SECRET,
    MALLORY,
    PASSWORD,
    RunningProvider,
    Someone,
    Unavailable,
)

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]  # the first run builds Dex: 3 minutes on two busy cores
REDIRECT = "https://127.0.0.1:1/callback/corp"  # nobody is there: the browser stops before
TRIP = RoundTrip("st" * 16, "no" * 16, Secret(b"v" * 43), REDIRECT)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcProvider]:
    try:
        with OidcProvider(tmp_path_factory.mktemp("provider"), REDIRECT) as provider:
            yield provider
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture
def provider(started: OidcProvider) -> OidcProvider:
    """With everybody in it, and running."""
    started.set_people(ALICE, MALLORY)
    if not started.running:
        started.start()
    return started


def connector_to(provider: RunningProvider, secret: str = CLIENT_SECRET) -> OidcConnector:
    return OidcConnector(
        OidcSettings(
            "corp",
            "Corp",
            provider.issuer,
            CLIENT_ID,
            Secret(secret.encode()),
            ("openid", "profile", "email", "groups", "offline_access"),
            ("RS256",),
            compile_mapping("claims.email", "claims.groups"),
            provider.ca,
        )
    )


@pytest.fixture
async def connector(provider: OidcProvider) -> AsyncIterator[OidcConnector]:
    connector = connector_to(provider)
    yield connector
    await connector.close()


async def answer(connector: OidcConnector, provider: RunningProvider, someone: Someone = ALICE) -> dict[str, str]:
    """What the browser brings back after the person filled the provider's forms."""
    address = await connector.begin(TRIP, time.time())
    browser = Browser((provider.ca,), {"login": someone.login, "password": PASSWORD})
    page = await asyncio.to_thread(browser.visit, address, REDIRECT)
    assert page.url.startswith(REDIRECT), (page.status, page.text)
    return dict(parse_qsl(urlsplit(page.url).query))


async def sign_in(connector: OidcConnector, provider: RunningProvider, someone: Someone = ALICE) -> SignedIn:
    return await connector.complete(await answer(connector, provider, someone), TRIP, time.time())


def person(provider: OidcProvider, someone: Someone) -> Identity:
    return Identity("corp", provider.issuer, someone.login, someone.email, someone.groups, someone.email)


class Kept:
    """The refresh token as the server keeps it."""

    def __init__(self, signed_in: SignedIn) -> None:
        assert signed_in.refresh_token is not None
        self.identity, self.token = signed_in.identity, signed_in.refresh_token
        self.old: list[Secret] = []

    async def save(self, token: Secret) -> None:
        self.old.append(self.token)
        self.token = token

    async def refresh(self, connector: OidcConnector, token: Secret | None = None) -> Identity:
        return await connector.refresh(self.identity, token or self.token, self.save, time.time())


@pytest.mark.parametrize("someone", [ALICE, MALLORY], ids=lambda one: one.login)
async def test_a_sign_in_gives_the_person_with_their_groups(
    provider: OidcProvider, connector: OidcConnector, someone: Someone
) -> None:
    signed_in = await sign_in(connector, provider, someone)
    assert signed_in.identity == person(provider, someone)
    assert signed_in.refresh_token is not None


async def test_two_refreshes_in_a_row_confirm_the_person_by_rotated_tokens(
    provider: OidcProvider, connector: OidcConnector
) -> None:
    kept = Kept(await sign_in(connector, provider))
    assert [await kept.refresh(connector) for _ in range(2)] == [person(provider, ALICE)] * 2
    assert len({token.reveal() for token in (*kept.old, kept.token)}) == 3


async def test_a_group_taken_away_is_gone_at_the_next_refresh(provider: OidcProvider, connector: OidcConnector) -> None:
    kept = Kept(await sign_in(connector, provider))
    less = Someone("alice", ("sre",))
    provider.set_people(less)
    assert await kept.refresh(connector) == person(provider, less)


async def test_a_used_refresh_token_is_refused_and_takes_the_grant_with_it(
    provider: OidcProvider, connector: OidcConnector
) -> None:
    kept = Kept(await sign_in(connector, provider))
    await kept.refresh(connector)
    for token in (kept.old[0], kept.token):
        with pytest.raises(InvalidGrantError):
            await kept.refresh(connector, token)


async def test_whoever_is_removed_at_the_provider_is_told_a_clear_no(
    provider: OidcProvider, connector: OidcConnector
) -> None:
    kept = Kept(await sign_in(connector, provider))
    provider.set_people(MALLORY)
    with pytest.raises(InvalidGrantError):
        await kept.refresh(connector)


async def test_a_code_is_good_once(provider: OidcProvider, connector: OidcConnector) -> None:
    params = await answer(connector, provider)
    await connector.complete(params, TRIP, time.time())
    with pytest.raises(AuthError) as refusal:
        await connector.complete(params, TRIP, time.time())
    assert refusal.value.reason is Reason.CODE_INVALID


async def test_a_code_is_good_with_its_verifier_only(provider: OidcProvider, connector: OidcConnector) -> None:
    params = await answer(connector, provider)
    other = RoundTrip(TRIP.state, TRIP.nonce, Secret(b"w" * 43), REDIRECT)
    with pytest.raises(AuthError) as refusal:
        await connector.complete(params, other, time.time())
    assert refusal.value.reason is Reason.CODE_INVALID


async def test_a_wrong_client_secret_is_our_fault_and_nobodys_no(provider: OidcProvider) -> None:
    connector = connector_to(provider, "another")
    try:
        with pytest.raises(AuthError) as refusal:
            await sign_in(connector, provider)
    finally:
        await connector.close()
    assert (type(refusal.value), refusal.value.reason) == (AuthError, Reason.CONNECTOR_UNAVAILABLE)


async def test_a_provider_that_is_down_is_silent_and_says_no_no(
    provider: OidcProvider, connector: OidcConnector
) -> None:
    kept = Kept(await sign_in(connector, provider))
    await asyncio.to_thread(provider.stop)
    with pytest.raises(AuthError) as refusal:
        await kept.refresh(connector)
    assert (type(refusal.value), refusal.value.reason) == (AuthError, Reason.CONNECTOR_UNAVAILABLE)


async def test_new_keys_are_fetched_when_a_token_names_one(provider: OidcProvider, connector: OidcConnector) -> None:
    await sign_in(connector, provider)
    await asyncio.to_thread(provider.stop)
    await asyncio.to_thread(provider.start)
    later = time.time() + 60  # the key set was just read; again at most every half minute
    signed_in = await connector.complete(await answer(connector, provider), TRIP, later)
    assert signed_in.identity == person(provider, ALICE)


@pytest.fixture(scope="module")
def dex(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DexWithGroups]:
    try:
        with DexWithGroups(tmp_path_factory.mktemp("dex"), REDIRECT) as dex:
            yield dex
    except Unavailable as reason:
        pytest.skip(str(reason))


KILGORE = "kilgore@kilgore.trout"
KILGORES_SUB = "Cg0wLTM4NS0yODA4OS0wEgRtb2Nr"  # Dex makes it of the user's id and the connector's


async def test_dex_confirms_a_person_and_refuses_a_used_token_without_ending_the_grant(dex: DexWithGroups) -> None:
    connector = connector_to(dex)
    kilgore = Identity("corp", dex.issuer, KILGORES_SUB, KILGORE, ("authors",), KILGORE)
    try:
        kept = Kept(await sign_in(connector, dex))
        assert [kept.identity, await kept.refresh(connector), await kept.refresh(connector)] == [kilgore] * 3
        with pytest.raises(AuthError) as refusal:
            await kept.refresh(connector, kept.old[0])
        assert await kept.refresh(connector) == kilgore
    finally:
        await connector.close()
    assert (type(refusal.value), refusal.value.reason) == (AuthError, Reason.CONNECTOR_UNAVAILABLE)


async def test_at_dex_a_second_sign_in_silences_the_first_and_ends_nothing(dex: DexWithGroups) -> None:
    connector = connector_to(dex)
    try:
        first, second = Kept(await sign_in(connector, dex)), Kept(await sign_in(connector, dex))
        with pytest.raises(AuthError) as refusal:
            await first.refresh(connector)
        assert await second.refresh(connector) == second.identity
    finally:
        await connector.close()
    assert (type(refusal.value), refusal.value.reason) == (AuthError, Reason.CONNECTOR_UNAVAILABLE)
