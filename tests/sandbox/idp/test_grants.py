"""Codes, refresh tokens and access tokens: each good once, and a second use ends them all."""

from __future__ import annotations

import itertools
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.jose import encode_base64url
from deploy.sandbox.idp.grants import (
    ACCESS_SECONDS,
    CODE_SECONDS,
    MAX_GRANTS,
    REFRESH_SECONDS,
    Asked,
    GrantError,
    Grants,
    Issued,
)
from deploy.sandbox.idp.people import PEOPLE

ALICE = PEOPLE[0]
VERIFIER = "v" * 43
BACK = "https://kwit/callback/corp"
ASKED = Asked(BACK, ("openid", "groups"), "nonce", encode_base64url(sha256(VERIFIER.encode()).digest()))
NOW = 1_800_000_000.0


def grants() -> Grants:
    numbers = itertools.count(1)
    return Grants(lambda: f"r{next(numbers)}")


def redeem(those: Grants, code: str, *, uri: str = BACK, verifier: str = VERIFIER, now: float = NOW) -> Issued:
    return those.redeem(code, redirect_uri=uri, verifier=verifier, now=now)


def test_a_code_becomes_tokens_and_each_refresh_new_ones() -> None:
    those = grants()
    code = those.authorize(ASKED, ALICE, NOW)
    first = redeem(those, code, now=NOW + 1)
    assert first == Issued(ALICE, ("openid", "groups"), "nonce", NOW, "access.r1.r4", "refresh.r1.r3")
    second = those.refresh(first.refresh_token, NOW + 2)
    assert second == Issued(ALICE, ("openid", "groups"), None, NOW, "access.r1.r6", "refresh.r1.r5")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"uri": BACK + "/"}, "redirect_uri is not the one that the code was sent to"),
        ({"verifier": "w" * 43}, "code_verifier does not fit the code challenge"),
        ({"now": NOW + CODE_SECONDS}, "the code has expired"),
    ],
)
def test_a_wrong_attempt_spends_the_code(change: dict[str, object], sentence: str) -> None:
    those = grants()
    code = those.authorize(ASKED, ALICE, NOW)
    with pytest.raises(GrantError, match=f"^{sentence}$"):
        redeem(those, code, **change)  # type: ignore[arg-type]
    with pytest.raises(GrantError, match=r"^the code is not known, or its grant has ended$"):
        redeem(those, code)
    assert len(those) == 0


def test_a_code_used_twice_ends_what_came_of_it() -> None:
    those = grants()
    code = those.authorize(ASKED, ALICE, NOW)
    issued = redeem(those, code)
    with pytest.raises(GrantError, match=r"^the code was used before; everything that came of it has ended$"):
        redeem(those, code)
    assert those.whose(issued.access_token, NOW) is None
    with pytest.raises(GrantError, match=r"^the refresh token is not known, or its grant has ended$"):
        those.refresh(issued.refresh_token, NOW)


def test_a_refresh_token_used_twice_ends_the_newer_ones() -> None:
    those = grants()
    first = redeem(those, those.authorize(ASKED, ALICE, NOW))
    second = those.refresh(first.refresh_token, NOW)
    with pytest.raises(GrantError, match=r"^the refresh token was used before; everything that came of it has ended$"):
        those.refresh(first.refresh_token, NOW)
    with pytest.raises(GrantError, match=r"^the refresh token is not known"):
        those.refresh(second.refresh_token, NOW)


def test_a_refresh_token_ends_with_its_time() -> None:
    those = grants()
    issued = redeem(those, those.authorize(ASKED, ALICE, NOW))
    with pytest.raises(GrantError, match=r"^the refresh token has expired$"):
        those.refresh(issued.refresh_token, NOW + REFRESH_SECONDS)


def test_an_access_token_says_whose_it_is_until_it_ends_or_is_replaced() -> None:
    those = grants()
    issued = redeem(those, those.authorize(ASKED, ALICE, NOW))
    found = those.whose(issued.access_token, NOW + ACCESS_SECONDS - 1)
    assert found == Issued(ALICE, ("openid", "groups"), None, NOW, issued.access_token, "")
    assert those.whose(issued.access_token, NOW + ACCESS_SECONDS) is None
    assert those.whose(issued.access_token + "x", NOW) is None
    those.refresh(issued.refresh_token, NOW)
    assert those.whose(issued.access_token, NOW) is None


def test_no_secret_serves_as_one_of_another_kind() -> None:
    those = grants()
    code = those.authorize(ASKED, ALICE, NOW)
    issued = redeem(those, code)
    for wrong in (issued.access_token, issued.refresh_token.replace("refresh", "code"), "refresh.r1", ""):
        with pytest.raises(GrantError):
            those.refresh(wrong, NOW)
    assert those.whose(issued.refresh_token, NOW) is None
    assert those.refresh(issued.refresh_token, NOW).person is ALICE


def test_the_oldest_grant_gives_way() -> None:
    those = grants()
    codes = [those.authorize(ASKED, ALICE, NOW) for _ in range(MAX_GRANTS + 1)]
    assert len(those) == MAX_GRANTS
    with pytest.raises(GrantError, match="not known"):
        redeem(those, codes[0])
    assert redeem(those, codes[1]).person is ALICE


@given(st.lists(st.integers(0, 6), max_size=8))
def test_only_the_newest_refresh_token_works_and_only_while_none_was_reused(picks: list[int]) -> None:
    """A model: the tokens in order of issue; any but the last ends the grant for good."""
    those = grants()
    tokens, alive = [redeem(those, those.authorize(ASKED, ALICE, NOW)).refresh_token], True
    for pick in picks:
        chosen = min(pick, len(tokens) - 1)
        alive = alive and chosen == len(tokens) - 1
        if alive:
            tokens.append(those.refresh(tokens[chosen], NOW).refresh_token)
        else:
            with pytest.raises(GrantError):
                those.refresh(tokens[chosen], NOW)
