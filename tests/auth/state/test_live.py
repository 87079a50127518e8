from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from auth.errors import Reason
from auth.identity import Login
from auth.state.live import LiveState, why_not
from auth.state.sqlite import SqliteStore
from auth.state.store import Lock, StoreError, lock_targets
from tests.conformance.store import lock, login


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "state.db")
    await store.open()
    yield store
    await store.close()


async def test_before_it_was_read_it_is_infinitely_old_and_empty() -> None:
    live = LiveState()
    assert live.age(1e12) == float("inf")
    assert live.login(login().id) is None


async def test_it_follows_the_store(store: SqliteStore) -> None:
    live = LiveState()
    assert await live.refresh(store, 1000.0) is True
    assert await live.refresh(store, 1001.0) is False
    await store.add_login(login())
    assert await live.refresh(store, 1002.0) is True
    assert live.login(login().id) == login()
    await store.end_login(login().id, 1003.0, "logout")
    await live.refresh(store, 1003.0)
    assert live.login(login().id) is None


async def test_its_age_counts_from_the_last_look_even_if_nothing_changed(store: SqliteStore) -> None:
    live = LiveState()
    await live.refresh(store, 1000.0)
    await live.refresh(store, 1010.0)
    assert live.age(1013.0) == 3.0


async def test_when_the_store_is_gone_it_grows_older_and_keeps_what_it_had(store: SqliteStore) -> None:
    live = LiveState()
    await store.add_login(login())
    await live.refresh(store, 1000.0)
    await store.close()
    with pytest.raises(StoreError):
        await live.refresh(store, 1030.0)
    assert (live.age(1030.0), live.login(login().id)) == (30.0, login())


@pytest.mark.parametrize("which", [0, 1])
async def test_a_lock_names_a_login_or_its_person(store: SqliteStore, which: int) -> None:
    live = LiveState()
    held = lock("l1", lock_targets(login())[which])
    await store.add_lock(held)
    await live.refresh(store, 1000.0)
    assert live.lock_for(login()) == held
    assert live.lock_for(login("b")) is None


async def test_a_lock_that_is_over_lets_go_although_nobody_changed_anything(store: SqliteStore) -> None:
    live = LiveState()
    await store.add_lock(lock("l1", lock_targets(login())[0], 1600.0))
    await live.refresh(store, 1599.0)
    assert live.lock_for(login()) is not None
    await live.refresh(store, 1600.0)
    assert live.lock_for(login()) is None


@pytest.mark.parametrize(
    ("given", "held", "now", "reason"),
    [
        (login(), None, 1500.0, None),
        (None, None, 1500.0, Reason.LOGIN_UNKNOWN),
        (login(), lock("l1", "x"), 1500.0, Reason.LOCKED),
        (login(ended_at=1.0), None, 1500.0, Reason.LOGIN_ENDED),
        (login(), None, 2000.5, Reason.LOGIN_EXPIRED),
        (login(), None, 2000.4, None),
        (replace(login(), groups_checked_at=0.0), None, 1500.0, Reason.GROUPS_STALE),
    ],
)
def test_why_a_login_admits_nothing(given: Login | None, held: Lock | None, now: float, reason: Reason | None) -> None:
    assert why_not(given, held, now, 1200.0) is reason
