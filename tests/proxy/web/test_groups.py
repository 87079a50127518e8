from __future__ import annotations

from dataclasses import replace

import pytest

from auth.identity import Login, LoginID
from auth.secret import Secret
from auth.state.seal import Seal
from proxy.web.groups import GroupsReader
from tests.proxy.web.conftest import Engineer, Installation


@pytest.fixture
def reader(at: Installation) -> GroupsReader:
    deps = at.deps
    return GroupsReader(
        deps.store,
        deps.connectors,
        deps.seal,
        deps.audit,
        refresh_seconds=300.0,
        clock=lambda: at.now,
        random=deps.random,
    )


async def the_login(at: Installation, ada: Engineer) -> Login:
    login = await at.store.get_login(LoginID(ada.login_id))
    assert login is not None
    return login


async def test_groups_are_read_again_when_due_and_not_before(
    at: Installation, ada: Engineer, reader: GroupsReader
) -> None:
    await ada.sign_in()
    at.provider.claims["groups"] = ["sre"]
    at.now += 299
    await reader.sweep()
    assert (await the_login(at, ada)).identity.groups == ("eng", "sre")
    at.now += 2
    await reader.sweep()
    login = await the_login(at, ada)
    assert (login.identity.groups, login.groups_checked_at) == (("sre",), at.now)


@pytest.mark.parametrize("groups", [["eng", "sre", "admins"], ["admins"]])
async def test_they_only_ever_narrow(at: Installation, ada: Engineer, reader: GroupsReader, groups: list[str]) -> None:
    await ada.sign_in()
    at.provider.claims["groups"] = groups
    at.now += 301
    await reader.sweep()
    assert set((await the_login(at, ada)).identity.groups) == {"eng", "sre"} & set(groups)


async def test_groups_that_vanish_from_the_answer_are_gone(
    at: Installation, ada: Engineer, reader: GroupsReader
) -> None:
    await ada.sign_in()
    del at.provider.claims["groups"]
    at.now += 301
    await reader.sweep()
    assert (await the_login(at, ada)).identity.groups == ()


async def test_a_claim_that_changed_is_gone(at: Installation, ada: Engineer, reader: GroupsReader) -> None:
    await ada.sign_in()
    at.provider.claims["team"] = "payments"
    at.now += 301
    await reader.sweep()
    assert "team" not in (await the_login(at, ada)).identity.claims


async def test_a_rotated_token_is_used_the_next_time(at: Installation, ada: Engineer, reader: GroupsReader) -> None:
    await ada.sign_in()
    for _ in range(3):
        at.now += 301
        await reader.sweep()
    assert len(set(at.provider.used_refresh_tokens)) == 3
    assert (await the_login(at, ada)).ended_at is None


async def test_a_rotated_token_is_kept_even_if_its_answer_is_refused(
    at: Installation, ada: Engineer, reader: GroupsReader
) -> None:
    await ada.sign_in()
    at.provider.claims["aud"] = "somebody-else"
    at.now += 301
    await reader.sweep()
    del at.provider.claims["aud"]
    at.now += 301
    await reader.sweep()
    login = await the_login(at, ada)
    assert (login.ended_at, login.groups_checked_at) == (None, at.now)


async def test_the_providers_clear_no_ends_the_login(at: Installation, ada: Engineer, reader: GroupsReader) -> None:
    await ada.sign_in()
    at.provider.refresh_tokens.clear()
    at.now += 301
    await reader.sweep()
    login = await the_login(at, ada)
    assert (login.ended_at, login.refresh_token) == (at.now, None)
    assert at.kinds() == ["user.login", "login.ended"]


@pytest.mark.parametrize(
    "trouble",
    [
        (500, {"error": "server_error"}),
        (400, {"error": "invalid_request"}),
        (401, {"error": "invalid_client"}),
        (200, {}),
        (429, {"error": "slow_down"}),
    ],
)
async def test_its_silence_lets_the_last_groups_stand(
    at: Installation, ada: Engineer, reader: GroupsReader, trouble: tuple[int, dict[str, str]]
) -> None:
    await ada.sign_in()
    before = await the_login(at, ada)
    at.provider.token_error = trouble
    at.now += 301
    await reader.sweep()
    assert await the_login(at, ada) == before


async def test_after_silence_it_is_asked_once_a_minute(at: Installation, ada: Engineer, reader: GroupsReader) -> None:
    await ada.sign_in()
    at.provider.token_error = (500, {})
    at.now += 301
    asked = len([path for path in at.provider.requests if path == "/token"])
    for _ in range(12):
        await reader.sweep()
        at.now += 5
    assert len([path for path in at.provider.requests if path == "/token"]) == asked + 1


@pytest.mark.parametrize("change", [{"sub": "u-2"}, {"email": "eve@example.com"}])
async def test_another_person_in_the_answer_ends_the_login(
    at: Installation, ada: Engineer, reader: GroupsReader, change: dict[str, str]
) -> None:
    await ada.sign_in()
    at.provider.claims |= change
    at.now += 301
    await reader.sweep()
    assert (await the_login(at, ada)).ended_at == at.now


async def test_a_name_that_is_refused_now_ends_the_login(at: Installation, ada: Engineer, reader: GroupsReader) -> None:
    await ada.sign_in()
    at.provider.claims["email_verified"] = False
    at.now += 301
    await reader.sweep()
    assert (await the_login(at, ada)).ended_at == at.now


async def test_without_an_id_token_userinfo_is_asked(at: Installation, ada: Engineer, reader: GroupsReader) -> None:
    await ada.sign_in()
    at.provider.id_token_on_refresh = False
    at.provider.claims["groups"] = ["eng"]
    at.now += 301
    await reader.sweep()
    assert (await the_login(at, ada)).identity.groups == ("eng",)


async def test_a_lost_state_key_ends_nobody(at: Installation, ada: Engineer, reader: GroupsReader) -> None:
    await ada.sign_in()
    before = await the_login(at, ada)
    reader._seal = Seal(Secret(b"\1" * 32))
    at.now += 301
    await reader.sweep()
    assert await the_login(at, ada) == before


async def test_a_connector_that_is_gone_ends_its_logins(at: Installation, ada: Engineer, reader: GroupsReader) -> None:
    await ada.sign_in()
    reader._connectors = {}
    at.now += 301
    await reader.sweep()
    assert (await the_login(at, ada)).ended_at == at.now


async def test_a_login_that_ended_meanwhile_stays_ended(at: Installation, ada: Engineer, reader: GroupsReader) -> None:
    await ada.sign_in()
    stale = await the_login(at, ada)
    await at.store.end_login(stale.id, at.now, "logged out")
    await reader._one(replace(stale))
    login = await the_login(at, ada)
    assert (login.ended_reason, login.refresh_token) == ("logged out", None)
