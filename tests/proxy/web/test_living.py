"""Claims about who is still admitted to the web listener, asked of the store."""

from __future__ import annotations

from dataclasses import replace

import pytest

from auth.errors import AuthError
from auth.identity import Login, LoginID
from auth.locks import Lock, LockTarget
from proxy.web.living import must_live
from tests.proxy.web.conftest import Engineer, Installation


@pytest.fixture
async def login(at: Installation, ada: Engineer) -> Login:
    await ada.sign_in()
    found = await at.store.get_login(LoginID(ada.login_id))
    assert found is not None
    return found


async def why(at: Installation, login: Login | None, cluster: str = "") -> str:
    try:
        await must_live(at.deps, login, at.now, cluster)
    except AuthError as error:
        return f"{error.reason}: {error.message}"
    return ""


async def test_a_login_lives_until_one_of_five_things_ends_it(at: Installation, login: Login) -> None:
    assert await why(at, login) == ""
    assert await why(at, None) == "login_unknown: this login is not known here"
    assert await why(at, replace(login, ended_at=1.0)) == "login_ended: this login has ended"
    assert await why(at, replace(login, expires_at=at.now)) == "login_expired: this login is over"
    stale = replace(login, groups_checked_at=at.now - 3601)
    assert await why(at, stale) == "groups_stale: the identity provider has not confirmed your groups for too long"


async def test_a_lock_is_told_before_all_else_and_lets_go_at_its_end(at: Installation, login: Login) -> None:
    lock = Lock("l1", LockTarget.parse("group:eng"), "break-in", at.now, "bob", at.now + 60, shows_reason=True)
    await at.store.add_lock(lock)
    assert (await why(at, replace(login, ended_at=1.0))).startswith("locked: you are locked out by lock l1 until ")
    at.now += 60
    assert await why(at, login) == ""


async def test_a_locked_cluster_stops_what_is_about_it(at: Installation, login: Login) -> None:
    await at.store.add_lock(Lock("l1", LockTarget.parse("cluster:eu"), "", at.now, "bob"))
    assert await why(at, login, "eu") == "locked: cluster 'eu' is locked by lock l1"
    assert [await why(at, login, one) for one in ("", "us")] == ["", ""]
