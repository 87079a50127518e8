from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auth.errors import Reason
from auth.identity import Login
from auth.locks import Lock
from auth.state.live import LiveState, why_not
from auth.state.sqlite import SqliteStore
from auth.state.store import StoreError
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


async def test_who_did_not_change_stays_the_very_same(store: SqliteStore) -> None:
    live = LiveState()
    for name in "ab":
        await store.add_login(login(name))
    await live.refresh(store, 1000.0)
    before = live.login(login("a").id)
    await store.update_identity(login("b").id, login("b").identity, 1300.0, None)
    await store.add_login(login("c"))
    await live.refresh(store, 1001.0)
    assert live.login(login("a").id) is before
    assert live.login(login("b").id) == login("b", groups_checked_at=1300.0)
    assert live.login(login("c").id) == login("c")


async def test_who_is_over_is_dropped_with_the_next_change(store: SqliteStore) -> None:
    live = LiveState()
    await store.add_login(login("a", expires_at=2000.0))
    await live.refresh(store, 1000.0)
    await store.add_login(login("b", expires_at=1500.0))
    await live.refresh(store, 2000.0)
    assert (live.login(login("a").id), live.login(login("b").id)) == (None, None)


async def test_a_state_put_back_from_a_backup_is_read_whole(store: SqliteStore, tmp_path: Path) -> None:
    """Its generation went back, so nothing that is known here says anything about it."""
    live, old = LiveState(), SqliteStore(tmp_path / "old.db")
    await old.open()
    for name in "ab":
        await store.add_login(login(name))
    await old.add_login(login("c"))
    await live.refresh(store, 1000.0)
    await live.refresh(old, 1001.0)
    await old.close()
    assert [live.login(login(name).id) for name in "abc"] == [None, None, login("c")]


STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "update", "end", "lock", "look", "pass"]), st.sampled_from("abc")), max_size=20
)


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_whatever_happened_between_two_looks_it_is_what_a_first_look_sees(steps: list[tuple[str, str]]) -> None:
    async def follow(folder: Path) -> None:
        store, live, now = SqliteStore(folder / "state.db"), LiveState(), 1000.0
        await store.open()
        added: set[str] = set()
        for number, (what, name) in enumerate([*steps, ("look", "a")]):
            if what == "add" and name not in added:
                added.add(name)
                await store.add_login(login(name, expires_at=1000.0 + 5 * number + 10))
            elif what == "update":
                await store.update_identity(login(name).id, login(name).identity, 1000.0 + number, None)
            elif what == "end":
                await store.end_login(login(name).id, now, "logout")
            elif what == "lock":
                await store.add_lock(lock(f"l{number}", f"login:{login(name).id}"))
            elif what == "pass":
                now += 7.0
            elif what == "look":
                first = LiveState()
                await live.refresh(store, now)
                await first.refresh(store, now)
                for one in "abc":
                    known, seen = live.login(login(one).id), first.login(login(one).id)
                    assert known == seen or (seen is None and known is not None and known.expires_at <= now)
                    assert live.lock_for(login(one), "c") == first.lock_for(login(one), "c")
        await store.close()

    with TemporaryDirectory() as folder:
        asyncio.run(follow(Path(folder)))


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


async def test_a_lock_that_was_stored_stops_whom_it_names(store: SqliteStore) -> None:
    live = LiveState()
    held = lock("l1", f"login:{login().id}")
    await store.add_lock(held)
    await live.refresh(store, 1000.0)
    assert live.lock_for(login(), "c") == held
    assert live.lock_for(login("b"), "c") is None
    await store.withdraw_lock("l1", 1001.0, "root")
    await live.refresh(store, 1001.0)
    assert live.lock_for(login(), "c") is None


async def test_locks_that_did_not_change_stay_the_very_same(store: SqliteStore) -> None:
    live = LiveState()
    await store.add_lock(lock("l1", "user:x"))
    await live.refresh(store, 1000.0)
    before = live.locks
    await store.add_login(login())
    await live.refresh(store, 1001.0)
    assert live.locks is before
    await store.add_lock(lock("l2", "user:x"))
    await live.refresh(store, 1002.0)
    assert [held.id for held in live.locks] == ["l1", "l2"]


async def test_a_lock_that_this_version_cannot_read_lets_the_copy_grow_old(store: SqliteStore) -> None:
    live = LiveState()
    await live.refresh(store, 1000.0)
    await store.add_lock(lock("l1", "user:a"))
    await store._change("UPDATE locks SET target = ?", ("device:1",))
    with pytest.raises(StoreError, match="a lock that this version cannot read: l1"):
        await live.refresh(store, 1001.0)
    assert live.age(1001.0) == 1.0


async def test_a_lock_that_is_over_lets_go_although_nobody_changed_anything(store: SqliteStore) -> None:
    live = LiveState()
    await store.add_lock(lock("l1", f"login:{login().id}", 1600.0))
    await live.refresh(store, 1599.0)
    assert live.lock_for(login(), "c") is not None
    await live.refresh(store, 1600.0)
    assert live.lock_for(login(), "c") is None


@pytest.mark.parametrize(
    ("given", "held", "now", "reason"),
    [
        (login(), None, 1500.0, None),
        (None, None, 1500.0, Reason.LOGIN_UNKNOWN),
        (login(), lock("l1", "user:x"), 1500.0, Reason.LOCKED),
        (login(ended_at=1.0), None, 1500.0, Reason.LOGIN_ENDED),
        (login(), None, 2000.5, Reason.LOGIN_EXPIRED),
        (login(), None, 2000.4, None),
        (replace(login(), groups_checked_at=0.0), None, 1500.0, Reason.GROUPS_STALE),
    ],
)
def test_why_a_login_admits_nothing(given: Login | None, held: Lock | None, now: float, reason: Reason | None) -> None:
    assert why_not(given, held, now, 1200.0) is reason
