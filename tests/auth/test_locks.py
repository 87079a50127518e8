"""Claims about whom a lock stops."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.identity import Identity, Login, LoginID
from auth.locks import Lock, LockKind, Locks, LockTarget, told
from tests.conformance.store import login

NAMES = st.sampled_from(["a", "b", ""])
PERSONS = st.tuples(st.sampled_from(["idp1", "idp2"]), st.sampled_from(["1", "2"]))


@st.composite
def locks(draw: st.DrawFn) -> list[Lock]:
    made = st.builds(
        Lock,
        st.just(""),
        st.builds(LockTarget, st.sampled_from(LockKind), NAMES),
        st.just("why"),
        st.just(1.0),
        st.just("bob"),
        st.sampled_from([None, 5.0, 6.0]),
        st.booleans(),
        st.lists(PERSONS, max_size=2).map(tuple),
    )
    found = draw(st.lists(made, max_size=6))
    return [
        replace(lock, id=f"l{number}", persons=lock.persons if lock.target.kind is LockKind.USER else ())
        for number, lock in enumerate(found)
    ]


@st.composite
def logins(draw: st.DrawFn) -> Login:
    issuer, subject = draw(PERSONS)
    identity = Identity("corp", issuer, subject, draw(NAMES), tuple(draw(st.lists(NAMES, max_size=3))))
    return login(id=LoginID(draw(NAMES)), identity=identity)


@given(locks(), logins(), NAMES)
def test_what_is_looked_up_is_what_asking_each_of_them_gives(held: list[Lock], who: Login, cluster: str) -> None:
    stopping = [lock for lock in held if lock.stops(who, cluster)]
    longest = max(stopping, key=lambda lock: lock.rank, default=None)
    assert Locks(held).on(who, cluster) == longest


@given(locks())
def test_all_of_them_are_held_and_the_next_end_is_the_first(held: list[Lock]) -> None:
    found = Locks(held)
    assert (set(found), len(found)) == (set(held), len(held))
    assert found.next_end == min([lock.expires_at for lock in held if lock.expires_at] + [float("inf")])


ADA = login()


@pytest.mark.parametrize(
    ("target", "who", "cluster", "stopped"),
    [
        ("user:ada@example.com", ADA, "c", True),
        ("user:ada@example.com", ADA, "", True),
        ("user:Ada@example.com", ADA, "c", False),
        ("user:ada", ADA, "c", False),
        ("user:sub-a", ADA, "c", False),
        ("group:eng", ADA, "c", True),
        ("group:sre", ADA, "c", False),
        ("group:sre,ops", ADA, "c", True),
        (f"login:{ADA.id}", ADA, "c", True),
        (f"login:{ADA.id}", login("b"), "c", False),
        ("cluster:c", ADA, "c", True),
        ("cluster:c", ADA, "d", False),
        ("cluster:c", ADA, "", False),
    ],
)
def test_a_lock_stops_what_it_names_and_nothing_else(target: str, who: Login, cluster: str, stopped: bool) -> None:
    lock = Lock("l1", LockTarget.parse(target), "", 1.0, "bob")
    assert (lock.stops(who, cluster), Locks([lock]).on(who, cluster) is lock) == (stopped, stopped)


def test_another_name_of_the_same_person_is_no_way_out() -> None:
    lock = Lock("l1", LockTarget.parse("user:ada@example.com"), "", 1.0, "bob", persons=(ADA.identity.key,))
    renamed = replace(ADA, identity=replace(ADA.identity, username="eve@example.com"))
    elsewhere = replace(renamed, identity=replace(renamed.identity, issuer="https://other"))
    assert [Locks([lock]).on(one) for one in (ADA, renamed, elsewhere)] == [lock, lock, None]


@pytest.mark.parametrize("text", ["user:a", "group:org/team", "login:x", "cluster:eu", "user:a:b c"])
def test_a_target_is_written_as_it_is_read(text: str) -> None:
    assert str(LockTarget.parse(text)) == text


@pytest.mark.parametrize("text", ["", "device:1", "User:a", ":a"])
def test_a_target_of_no_kind_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="LockKind"):
        LockTarget.parse(text)


@pytest.mark.parametrize(
    ("target", "ends", "shows", "reason", "sentence"),
    [
        ("user:a", None, False, "stolen", "you are locked out by lock l1"),
        ("user:a", None, True, "stolen", "you are locked out by lock l1: stolen"),
        ("group:a", 1_800_000_000.9, True, "", "you are locked out by lock l1 until 2027-01-15T08:00:00Z"),
        ("cluster:eu", 1_800_000_000.0, True, "x", "cluster 'eu' is locked by lock l1 until 2027-01-15T08:00:00Z: x"),
    ],
)
def test_who_is_stopped_is_told_what_may_be_told(
    target: str, ends: float | None, shows: bool, reason: str, sentence: str
) -> None:
    assert told(Lock("l1", LockTarget.parse(target), reason, 1.0, "bob", ends, shows)) == sentence
