"""Claims about what can be asked for as a lock, and whom it would stop."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.identity import Login
from auth.lock_making import MAX_SECONDS, LockError, LockWish, aimless, stopped, too_far
from auth.locks import Lock, LockKind, LockTarget
from tests.conformance.store import login

NOW = 1000.0


def lock_of(wish: LockWish) -> Lock:
    return wish.lock("l1", NOW, "bob", (("idp", "1"),))


def test_a_wish_becomes_a_lock_with_all_that_it_said() -> None:
    wish = LockWish("user", "ada", "stolen", NOW + 1, shows_reason=True)
    assert lock_of(wish) == Lock(
        "l1",
        LockTarget(LockKind.USER, "ada"),
        "stolen",
        NOW,
        "bob",
        NOW + 1,
        shows_reason=True,
        persons=(("idp", "1"),),
    )


def test_only_a_lock_of_a_user_holds_persons() -> None:
    assert [lock_of(LockWish(kind, "a" * 26)).persons for kind in ("group", "login", "cluster")] == [()] * 3


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        (LockWish("device", "x"), "a lock is of a user, a group, a login, a cluster; not of 'device'"),
        (LockWish("", "x"), "a lock is of"),
        (LockWish("user", ""), "a name has 1 to 253 printable characters"),
        (LockWish("user", "x" * 254), "a name has"),
        (LockWish("user", "a\tb"), "a name has"),
        (LockWish("user", "a "), "a name has"),
        (LockWish("login", "a" * 25), "a login's id has 26"),
        (LockWish("login", "A" * 26), "a login's id has 26"),
        (LockWish("user", "x", "x" * 257), "a reason is one line"),
        (LockWish("user", "x", "a\nb"), "a reason is one line"),
        (LockWish("user", "x", ends=NOW), "a lock ends in the future"),
        (LockWish("user", "x", ends=NOW + MAX_SECONDS + 1), "a lock ends in the future"),
        (LockWish("user", "x", ends=float("nan")), "a lock ends in the future"),
        (LockWish("user", "x", ends=float("inf")), "a lock ends in the future"),
    ],
    ids=str,
)
def test_what_is_no_lock_is_a_sentence(wish: LockWish, sentence: str) -> None:
    with pytest.raises(LockError) as caught:
        lock_of(wish)
    assert str(caught.value).startswith(sentence)


def test_the_longest_that_is_allowed_is() -> None:
    wish = LockWish("user", "x" * 253, "x" * 256, NOW + MAX_SECONDS)
    assert lock_of(wish).expires_at == NOW + MAX_SECONDS


ADA = login("a")
BOB = login("b", identity=replace(login("b").identity, username="bob", groups=("eng", "night")))
EVE = login("c", identity=replace(login("c").identity, username="eve", groups=("night",)))


@pytest.mark.parametrize(
    ("kind", "name", "caller", "flag"),
    [
        ("user", "bob", ADA, ""),
        ("user", "ada@example.com", ADA, "--myself"),
        ("user", "ada@example.com", None, ""),
        ("group", "eng", ADA, "--myself"),
        ("group", "eng", EVE, ""),
        ("group", "sre,ops", BOB, ""),
        ("login", ADA.id, ADA, "--myself"),
        ("cluster", "eu", ADA, "--everyone"),
        ("cluster", "eu", None, "--everyone"),
    ],
)
def test_what_stops_the_caller_or_a_cluster_has_to_be_meant(
    kind: str, name: str, caller: Login | None, flag: str
) -> None:
    wish = LockWish(kind, name)
    why = too_far(wish, lock_of(wish), [ADA, BOB, EVE], caller)
    assert (bool(why), why.endswith(flag)) == (bool(flag), True)
    said = replace(wish, **{flag.removeprefix("--"): True}) if flag else wish
    assert too_far(said, lock_of(said), [ADA, BOB, EVE], caller) == ""


@pytest.mark.parametrize("caller", [BOB, None])
def test_what_stops_all_who_are_signed_in_is_not_meant_by_meaning_oneself(caller: Login | None) -> None:
    wish = LockWish("group", "night", myself=True)
    assert too_far(wish, lock_of(wish), [BOB, EVE], caller).endswith("--everyone")
    assert too_far(wish, lock_of(wish), [BOB], caller) == ""


@given(st.sampled_from(LockKind), st.lists(st.sampled_from([ADA, BOB, EVE])), st.sampled_from([ADA, BOB, EVE, None]))
def test_whoever_said_everyone_is_held_up_by_nothing(kind: LockKind, living: list[Login], caller: Login | None) -> None:
    wish = LockWish(kind, ADA.id, everyone=True)
    assert too_far(wish, lock_of(wish), living, caller) == ""


@pytest.mark.parametrize(
    ("kind", "name", "count"),
    [("user", "bob", 1), ("group", "eng", 2), ("group", "none", 0), ("cluster", "eu", 3), ("login", EVE.id, 1)],
)
def test_how_many_it_stops_is_counted(kind: str, name: str, count: int) -> None:
    assert stopped(lock_of(LockWish(kind, name)), [ADA, BOB, EVE]) == count


@pytest.mark.parametrize(
    ("kind", "name", "aim"),
    [
        ("user", "nobody", True),
        ("group", "nobody", True),
        ("cluster", "eu", True),
        ("cluster", "us", False),
        ("login", ADA.id, True),
        ("login", "z" * 26, False),
    ],
)
def test_a_lock_of_what_there_is_not_and_never_will_be_has_no_aim(kind: str, name: str, aim: bool) -> None:
    assert (aimless(lock_of(LockWish(kind, name)), [ADA], {"eu"}) == "") is aim
