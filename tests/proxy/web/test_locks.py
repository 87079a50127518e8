"""Claims about the JSON API of locks: who may, what is meant, what is recorded, and whom it stops."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from auth.identity import Login, LoginID
from auth.locks import Lock, LockKind, LockTarget
from auth.rbac import Rule
from proxy.lock_fields import lock_fields
from proxy.web import locks
from tests.proxy.web.conftest import Engineer, Installation, bound, developer

PATH = "/api/v1/locks"
USER = {"kind": "user", "name": "mallory@example.com"}


def locker(*verbs: str, clusters: tuple[str, ...] = ("*",), groups: tuple[str, ...] = ("kubewitness.dev",)) -> Any:
    """A policy whose engineers may do that with locks."""
    may = Rule(verbs or ("create", "list", "get", "delete"), groups, ("locks",))
    return bound(replace(developer(allow=(may,)), cluster_names=clusters))


@pytest.fixture
async def mallory(at: Installation, ada: Engineer) -> Login:
    """Somebody else who is signed in, beside ada, who may do all with locks."""
    await ada.sign_in()
    at.policy = locker()
    own = await at.store.get_login(LoginID(ada.login_id))
    assert own is not None
    identity = replace(own.identity, subject="u-9", username=USER["name"], groups=("night",))
    login = replace(own, id=LoginID("m" * 26), identity=identity)
    await at.store.add_login(login)
    at.records.clear()
    return login


async def create(ada: Engineer, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    response = await ada.call("POST", PATH, body)
    return response.status, await response.json()


async def test_a_lock_is_recorded_stored_and_answered(at: Installation, ada: Engineer, mallory: Login) -> None:
    asked = {**USER, "reason": "stolen laptop", "seconds": 7200, "shows_reason": True}
    status, answer = await create(ada, asked)
    (lock,) = await at.store.locks(at.now)
    assert lock == Lock(
        lock.id,
        LockTarget(LockKind.USER, USER["name"]),
        "stolen laptop",
        at.now,
        "ada@example.com",
        at.now + 7200,
        shows_reason=True,
        persons=(mallory.identity.key,),
    )
    shown = lock_fields(lock)
    person = {"issuer": mallory.identity.issuer, "subject": "u-9"}
    assert (status, answer) == (201, {"lock": shown, "stops": 1})
    assert shown["persons"] == [person]
    assert re.fullmatch(r"[a-z2-7]{26}", lock.id)
    ((kind, record),) = at.records
    assert (kind, record["outcome"], record["actor"]["username"]) == ("lock.create", "done", "ada@example.com")
    assert "cluster" not in record
    assert record["body"] == {
        "lock": lock.id,
        "target": "user:mallory@example.com",
        "reason": "stolen laptop",
        "by": "ada@example.com",
        "until": shown["until"],
        "persons": [person],
        "shows_reason": True,
        "stopped": 1,
    }


async def test_it_is_listed_shown_and_removed_with_a_record(at: Installation, ada: Engineer, mallory: Login) -> None:
    _, first = await create(ada, USER)
    _, second = await create(ada, {"kind": "group", "name": "night"})
    made = [first["lock"], second["lock"]]
    listed = await (await ada.call("GET", PATH)).json()
    assert sorted(listed["locks"], key=made.index) == made
    path = f"{PATH}/{made[0]['id']}"
    assert await (await ada.call("GET", path)).json() == {"lock": made[0]}
    at.records.clear()
    assert (await ada.call("DELETE", path)).status == 204
    assert [(kind, one["outcome"], one["body"]) for kind, one in at.records] == [
        (
            "lock.delete",
            "done",
            {
                "lock": made[0]["id"],
                "target": "user:mallory@example.com",
                "reason": "",
                "by": "ada@example.com",
                "removed_by": "ada@example.com",
            },
        )
    ]
    gone = await ada.call("DELETE", path)
    assert (gone.status, (await gone.json())["error"]) == (404, "no_lock")
    assert [lock.id for lock in await at.store.locks(at.now)] == [made[1]["id"]]


@pytest.mark.parametrize(
    "policy",
    [
        bound(developer()),
        locker("list", "get", "delete"),
        locker(clusters=("staging-*",)),
        locker(groups=("*",)),
    ],
    ids=["no role", "other verbs", "not on every cluster", "a star"],
)
async def test_without_a_role_that_names_it_nobody_locks_and_the_try_is_on_record(
    at: Installation, ada: Engineer, mallory: Login, policy: Any
) -> None:
    at.policy = policy
    status, answer = await create(ada, USER)
    assert (status, answer["message"]) == (403, "no role of yours lets you create locks")
    assert await at.store.locks(at.now) == ()
    ((kind, record),) = at.records
    assert (kind, record["outcome"]) == ("lock.create", "refused")
    assert (record["body"]["target"], record["body"]["refused"]) == ("user:mallory@example.com", "no_role")


async def test_a_right_on_one_cluster_locks_that_cluster_alone(at: Installation, ada: Engineer, mallory: Login) -> None:
    at.policy = locker(clusters=("staging-*",))
    wanted = {"kind": "cluster", "everyone": True}
    assert (await create(ada, {**wanted, "name": "staging-eu"}))[0] == 201
    assert at.records[-1][1]["cluster"] == "staging-eu"  # who may see its records sees this one
    assert [(await create(ada, {**wanted, "name": name}))[0] for name in ("prod", "other")] == [403, 403]
    await at.store.add_lock(Lock("other", LockTarget(LockKind.USER, "x"), "secret", at.now, "bob"))
    assert [one["kind"] for one in (await (await ada.call("GET", PATH)).json())["locks"]] == ["cluster"]
    for method in ("GET", "DELETE"):
        answer = await ada.call(method, f"{PATH}/other")
        assert (answer.status, "secret" in await answer.text()) == (404, False)


async def test_who_may_not_look_learns_nothing_and_is_on_record(
    at: Installation, ada: Engineer, mallory: Login
) -> None:
    at.policy = bound(developer())
    await at.store.add_lock(Lock("a" * 26, LockTarget(LockKind.USER, "x"), "secret", at.now, "bob"))
    listing = await ada.call("GET", PATH)
    assert (listing.status, await listing.json()) == (
        403,
        {
            "error": "no_role",
            "message": "no role of yours lets you list locks",
            "next": "ask your platform team for a role",
        },
    )
    there, nowhere = [await (await ada.call("GET", f"{PATH}/{one * 26}")).json() for one in "ab"]
    assert there == nowhere
    assert (await ada.call("DELETE", f"{PATH}/{'a' * 26}")).status == 404
    assert [(kind, one["outcome"]) for kind, one in at.records] == [
        ("request.refused", "refused"),
        ("request.refused", "refused"),
        ("request.refused", "refused"),
        ("lock.delete", "refused"),
    ]
    assert len(await at.store.locks(at.now)) == 1


@pytest.mark.parametrize(
    ("asked", "flag", "sentence"),
    [
        (
            {"kind": "user", "name": "ada@example.com"},
            "myself",
            "this would stop yourself, and you could not remove it; say that this is meant with --myself",
        ),
        ({"kind": "login", "name": "own"}, "myself", "--myself"),
        (
            {"kind": "group", "name": "everybody"},
            "everyone",
            "this would stop everybody who is signed in; say that this is meant with --everyone",
        ),
        ({"kind": "cluster", "name": "prod"}, "everyone", "this would stop everybody on this cluster"),
    ],
    ids=["by name", "by login", "a group of all", "a cluster"],
)
async def test_nobody_stops_themselves_or_everybody_by_accident(
    at: Installation, ada: Engineer, mallory: Login, asked: dict[str, Any], flag: str, sentence: str
) -> None:
    for login in await at.store.live_logins(at.now):
        groups = (*login.identity.groups, "everybody")
        await at.store.update_identity(login.id, replace(login.identity, groups=groups), at.now, None)
    asked = {**asked, "name": ada.login_id if asked["name"] == "own" else asked["name"]}
    status, answer = await create(ada, asked)
    assert (status, answer["error"]) == (400, "bad_request")
    assert sentence in answer["message"]
    assert (await at.store.locks(at.now), at.records) == ((), [])
    other = {"myself": "everyone", "everyone": "myself"}[flag]
    if flag == "everyone":
        assert (await create(ada, {**asked, other: True}))[0] == 400
    assert (await create(ada, {**asked, flag: True}))[0] == 201


async def test_a_group_of_ones_own_needs_to_be_meant(at: Installation, ada: Engineer, mallory: Login) -> None:
    own = {"kind": "group", "name": "eng"}
    status, answer = await create(ada, own)
    assert (status, "--myself" in answer["message"]) == (400, True)
    assert (await create(ada, {**own, "myself": True}))[0] == 201
    assert (await ada.call("GET", PATH)).status == 403


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "device"},
        {"kind": ""},
        {"name": ""},
        {"name": " mallory"},
        {"name": "a\nb"},
        {"name": "x" * 254},
        {"name": 7},
        {"kind": "login", "name": "short"},
        {"kind": "login", "name": "z" * 26},
        {"reason": "two\nlines"},
        {"reason": "\x1b[2J"},
        {"reason": "x" * 257},
        {"seconds": 0},
        {"seconds": -1},
        {"seconds": True},
        {"seconds": "2h"},
        {"seconds": 1e12},
        {"until": 1.0},
        {"seconds": 60, "until": 4e9},
        {"shows_reason": "yes"},
        {"everyone": 1},
        {"myself": "no"},
        {"kind": "cluster", "name": "nowhere", "everyone": True},
    ],
    ids=str,
)
async def test_what_is_not_understood_locks_nobody(
    at: Installation, ada: Engineer, mallory: Login, wrong: dict[str, Any]
) -> None:
    status, _ = await create(ada, {**USER, **wrong})
    assert status in (400, 403)
    assert await at.store.locks(at.now) == ()


async def test_not_a_number_is_no_time(at: Installation, ada: Engineer, mallory: Login) -> None:
    del mallory
    headers = {"DPoP": ada.proof("POST", PATH), "Content-Type": "application/json"}
    data = '{"kind":"user","name":"x","seconds":NaN}'
    assert (await at.browser.post(at.deps.url + PATH, data=data, headers=headers)).status == 400


async def test_a_lock_may_have_an_end_by_the_calendar(at: Installation, ada: Engineer, mallory: Login) -> None:
    del mallory
    end = float(int(at.now) + 60)
    assert (await create(ada, {**USER, "until": end}))[0] == 201
    (lock,) = await at.store.locks(at.now)
    assert lock.expires_at == end


async def test_a_name_that_nobody_has_yet_is_locked_all_the_same(
    at: Installation, ada: Engineer, mallory: Login
) -> None:
    del mallory
    status, answer = await create(ada, {"kind": "user", "name": "nobody"})
    assert (status, answer["stops"], answer["lock"]["persons"]) == (201, 0, [])
    assert len(await at.store.locks(at.now)) == 1


async def test_their_number_is_bounded(
    at: Installation, ada: Engineer, mallory: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    del mallory
    monkeypatch.setattr(locks, "MAX_LOCKS", 1)
    assert [(await create(ada, {"kind": "user", "name": name}))[0] for name in "ab"] == [201, 429]


async def test_without_a_record_nothing_is_locked_or_unlocked(at: Installation, ada: Engineer, mallory: Login) -> None:
    del mallory
    _, answer = await create(ada, USER)
    at.log_down = True
    assert (await create(ada, {"kind": "user", "name": "b"}))[0] == 503
    assert (await ada.call("DELETE", f"{PATH}/{answer['lock']['id']}")).status == 503
    assert [lock.id for lock in await at.store.locks(at.now)] == [answer["lock"]["id"]]


async def test_who_removes_what_the_host_made_finds_its_making_on_record_first(
    at: Installation, ada: Engineer, mallory: Login
) -> None:
    del mallory
    lock = Lock("h" * 26, LockTarget(LockKind.USER, "x"), "", at.now, "root on the host")
    await at.store.add_lock(lock, recorded=False)
    assert (await ada.call("DELETE", f"{PATH}/{lock.id}")).status == 204
    assert at.kinds() == ["lock.create", "lock.delete"]
    assert await at.store.unrecorded_locks(at.now) == ()
