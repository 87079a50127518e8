"""What every `auth.state.store.Store` promises. A backend's test module subclasses this and gives the fixture `store`.

`again` opens the same state a second time, as another process would.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from auth.ca import IssuedCertificate
from auth.identity import Identity, KeyHash, Login, LoginID
from auth.locks import Lock, LockTarget
from auth.state.store import LockEvent, Store, UnrecordedLock

Again = Callable[[], Awaitable[Store]]


def login(name: str = "a", **changes: object) -> Login:
    made = Login(
        LoginID(name * 26),
        Identity(
            "corp",
            "https://idp.example.com",
            f"sub-{name}",
            "ada@example.com",
            ("eng", "sre,ops", "Ingénieurs"),
            "ada@example.com",
            {"team": "core", "level": 3, "tags": ["x"], "deep": {"a": None}},
        ),
        KeyHash("k" * 43),
        created_at=1000.25,
        expires_at=2000.5,
        groups_checked_at=1000.25,
        source="10.0.0.1",
        user_agent="kwit",
        refresh_token=b"\x00sealed\xff",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def lock(name: str, target: str, expires_at: float | None = None) -> Lock:
    return Lock(name, LockTarget.parse(target), "stolen laptop", 1500.0, "bob", expires_at)


class StoreConformance:
    async def test_a_login_comes_back_whole(self, store: Store) -> None:
        await store.add_login(login())
        found = await store.get_login(login().id)
        assert found == login()
        assert found is not None
        assert dict(found.identity.claims) == dict(login().identity.claims)

    async def test_an_unknown_login_is_none(self, store: Store) -> None:
        assert await store.get_login(login().id) is None

    async def test_live_are_those_that_have_not_ended_and_are_not_over(self, store: Store) -> None:
        for name, expires in (("a", 2000.0), ("b", 3000.0), ("c", 3000.0)):
            await store.add_login(login(name, expires_at=expires))
        await store.end_login(login("c").id, 1100.0, "logout")
        assert {one.id for one in await store.live_logins(1999.0)} == {login("a").id, login("b").id}
        assert {one.id for one in await store.live_logins(2000.0)} == {login("b").id}

    async def test_a_login_ends_once_and_forgets_its_token(self, store: Store) -> None:
        await store.add_login(login())
        assert await store.end_login(login().id, 1100.0, "logout") is True
        assert await store.end_login(login().id, 1200.0, "locked") is False
        assert await store.end_login(login("z").id, 1200.0, "locked") is False
        assert await store.get_login(login().id) == login(ended_at=1100.0, ended_reason="logout", refresh_token=None)

    async def test_of_many_who_end_it_one_did(self, store: Store) -> None:
        await store.add_login(login())
        ended = await asyncio.gather(*(store.end_login(login().id, 1100.0 + i, "x") for i in range(8)))
        assert sorted(ended) == [False] * 7 + [True]

    async def test_an_identity_is_replaced_and_the_token_kept_unless_there_is_a_new_one(self, store: Store) -> None:
        await store.add_login(login())
        narrower = replace(login().identity, groups=("eng",))
        await store.update_identity(login().id, narrower, 1300.0, None)
        assert await store.get_login(login().id) == login(identity=narrower, groups_checked_at=1300.0)
        await store.update_identity(login().id, narrower, 1300.0, b"new")
        found = await store.get_login(login().id)
        assert found is not None
        assert found.refresh_token == b"new"

    async def test_a_login_that_ended_is_left_alone(self, store: Store) -> None:
        await store.add_login(login())
        await store.end_login(login().id, 1100.0, "logout")
        before = await store.get_login(login().id)
        await store.update_identity(login().id, login("b").identity, 1300.0, b"new")
        assert await store.get_login(login().id) == before

    async def test_locks_hold_until_they_are_over_or_removed(self, store: Store) -> None:
        one, person = lock("l1", f"login:{login().id}"), lock("l2", "user:ada@example.com", 1600.0)
        await store.add_lock(one)
        await store.add_lock(person)
        assert await store.locks(1599.0) == (one, person)
        assert await store.locks(1600.0) == (one,)
        assert [await store.remove_lock("l1"), await store.remove_lock("l1")] == [True, False]
        assert await store.locks(1600.0) == ()

    async def test_a_lock_comes_back_whole(self, store: Store, again: Again) -> None:
        made = Lock(
            "l1",
            LockTarget.parse("group:org/team: Ingénieurs"),
            "stolen “laptop”",
            1500.25,
            "bob",
            1600.5,
            shows_reason=True,
            persons=(("https://idp.example.com", "sub:1 2"), ("https://other", '"')),
        )
        await store.add_lock(made)
        other = await again()
        try:
            assert await other.locks(1600.0) == (made,)
        finally:
            await other.close()

    async def test_whoever_signed_in_by_a_name_is_known_by_it(self, store: Store) -> None:
        other = replace(login("b").identity, issuer="https://other", subject="x")
        renamed = replace(login("c").identity, username="ada")
        for one in (login(), login("d", identity=login().identity), login("b", identity=other)):
            await store.add_login(one)
        await store.add_login(login("c", identity=renamed))
        await store.end_login(login().id, 1100.0, "logout")
        assert await store.persons_named("ada@example.com") == (
            ("https://idp.example.com", "sub-a"),
            ("https://other", "x"),
        )
        assert await store.persons_named("Ada@example.com") == ()

    async def test_what_became_of_a_lock_is_told_until_it_is_recorded(self, store: Store) -> None:
        plain, ends, made = lock("l1", "user:a"), lock("l2", "user:b", 1600.0), lock("l3", "user:c")
        await store.add_lock(plain)
        await store.add_lock(ends)
        await store.add_lock(made, recorded=False)
        created = UnrecordedLock(LockEvent.CREATED, made, "bob")
        expired = UnrecordedLock(LockEvent.EXPIRED, ends)
        assert await store.unrecorded_locks(1599.0) == (created,)
        assert await store.unrecorded_locks(1600.0) == (expired, created)
        await store.lock_recorded(expired)
        assert await store.unrecorded_locks(1600.0) == (created,)
        assert await store.withdraw_lock("l3", 1600.0, "root") is True
        removed = UnrecordedLock(LockEvent.REMOVED, made, "root")
        assert await store.unrecorded_locks(1600.0) == (created, removed)
        await store.lock_recorded(created)
        assert await store.unrecorded_locks(1600.0) == (removed,)
        await store.lock_recorded(removed)
        assert (await store.unrecorded_locks(1600.0), await store.locks(1600.0)) == ((), (plain,))

    async def test_a_withdrawn_lock_holds_no_more_and_is_withdrawn_once(self, store: Store) -> None:
        await store.add_lock(lock("l1", "user:a"))
        await store.add_lock(lock("l2", "user:b", 1600.0))
        before = await store.generation()
        assert [await store.withdraw_lock("l1", 1550.0, by) for by in ("root", "eve")] == [True, False]
        assert await store.generation() > before
        assert await store.locks(1550.0) == (lock("l2", "user:b", 1600.0),)
        assert await store.remove_lock("l1") is False
        assert await store.withdraw_lock("l2", 1600.0, "root") is False
        assert await store.withdraw_lock("none", 1600.0, "root") is False

    async def test_the_generation_moves_with_every_change_that_workers_must_see(self, store: Store) -> None:
        seen = [await store.generation()]

        async def moved() -> bool:
            seen.append(await store.generation())
            return seen[-1] > seen[-2]

        await store.add_login(login())
        assert await moved()
        await store.update_identity(login().id, login().identity, 1300.0, None)
        assert await moved()
        await store.add_lock(lock("l1", "login:x"))
        assert await moved()
        await store.remove_lock("l1")
        assert await moved()
        await store.end_login(login().id, 1400.0, "logout")
        assert await moved()

    async def test_what_changed_after_a_generation_is_told_as_it_is_now(self, store: Store) -> None:
        for name in "abcd":
            await store.add_login(login(name))
        before = await store.generation()
        assert await store.changed_logins(before) == ()
        narrower = replace(login("a").identity, groups=())
        await store.update_identity(login("a").id, narrower, 1300.0, None)
        await store.end_login(login("b").id, 1400.0, "logout")
        await store.end_login(login("z").id, 1400.0, "logout")
        await store.add_lock(lock("l1", "login:x"))
        await store.add_login(login("e"))
        assert {one.id: one for one in await store.changed_logins(before)} == {
            login("a").id: login("a", identity=narrower, groups_checked_at=1300.0),
            login("b").id: login("b", ended_at=1400.0, ended_reason="logout", refresh_token=None),
            login("e").id: login("e"),
        }
        assert {one.id for one in await store.changed_logins(0)} == {login(name).id for name in "abcde"}
        assert await store.changed_logins(await store.generation()) == ()

    async def test_it_stands_still_when_nothing_changed(self, store: Store) -> None:
        await store.add_login(login())
        before = await store.generation()
        await store.end_login(login("z").id, 1.0, "x")
        await store.remove_lock("nothing")
        await store.withdraw_lock("nothing", 1.0, "x")
        await store.get_login(login().id)
        await store.add_certificate(IssuedCertificate("pem", "ab12", 1.0, 2.0, login().id, "staging"))
        assert await store.generation() == before

    async def test_another_process_sees_the_same(self, store: Store, again: Again) -> None:
        await store.add_login(login())
        other = await again()
        try:
            assert await other.get_login(login().id) == login()
            generation = await store.generation()
            await other.end_login(login().id, 1100.0, "logout")
            assert await store.generation() > generation
            assert await store.live_logins(1200.0) == ()
        finally:
            await other.close()
