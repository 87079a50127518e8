"""Claims about asking the log through the web listener: what may be seen, and that it is recorded first."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from auth.rbac import Rule
from proxy.web import audit
from recordings.audit import apart
from recordings.audit.encode import encode, rfc3339
from recordings.audit.record import RecordType
from recordings.audit.segments import segment_name
from tests.proxy.web.conftest import Engineer, Installation, bound, developer

NOW = 1_700_000_000.0
GROUP = ("kubewitness.dev",)


def record(seq: int, cluster: str | None, namespace: str = "", subject: str = "bob", **more: Any) -> dict[str, Any]:
    found = {
        "v": 1,
        "seq": seq,
        "id": f"id-{seq:08d}",
        "time": rfc3339(NOW + seq),
        "type": "kube.request",
        "outcome": "done",
        "actor": {"issuer": "https://id.example.com", "subject": subject, "username": f"{subject}@example.com"},
        "event": {"verb": "get", "objectRef": {"resource": "pods", "namespace": namespace}},
    }
    return found | ({} if cluster is None else {"cluster": cluster}) | more


@pytest.fixture
def log(at: Installation) -> Path:
    """In order: of a cluster as a whole, of its namespaces, of another cluster, of none."""
    assert at.deps.audit_log is not None
    path = at.deps.audit_log / "node-0" / segment_name(1, 0)
    path.parent.mkdir(parents=True)
    records = [
        record(1, "staging-eu"),
        record(2, "staging-eu", "shop"),
        record(3, "staging-eu", "bank"),
        record(4, "prod", "shop"),
        record(5, None, type="role.change"),
        record(6, "gone", "shop"),
    ]
    path.write_bytes(encode({"header": {}}) + b"".join(map(encode, records)))
    return path


def add(log: Path, one: dict[str, Any]) -> None:
    with log.open("ab") as file:
        file.write(encode(one))


async def seen(ada: Engineer, path: str = "search", **body: Any) -> list[int]:
    response = await ada.call("POST", f"/api/v1/audit/{path}", body)
    answer = await response.json()
    assert response.status == 200, answer
    return [one["seq"] for one in answer["records"]]


def reader(verb: str = "list", **rule: Any) -> Any:
    return developer(allow=(Rule((verb,), GROUP, ("records",), **rule),))


async def test_without_a_role_one_sees_what_one_did_oneself(at: Installation, ada: Engineer, log: Path) -> None:
    await ada.sign_in()
    assert await seen(ada) == []
    identity = (await at.store.get_login(ada.login_id)).identity
    own = {"issuer": identity.issuer, "subject": identity.subject}
    add(log, record(7, "prod", actor=own))
    add(log, record(8, None, actor=own))
    add(log, record(9, "prod", actor={"issuer": "https://elsewhere", "subject": identity.subject}))
    add(log, record(10, "prod", actor={"issuer": identity.issuer}))
    assert await seen(ada) == [7, 8]


async def test_a_role_shows_its_clusters_and_namespaces_and_nothing_else(
    at: Installation, ada: Engineer, log: Path
) -> None:
    await ada.sign_in()
    at.policy = bound(reader())
    assert await seen(ada) == [1, 2, 3]
    at.policy = bound(reader(namespaces=("shop",)))
    assert await seen(ada) == [2]
    at.policy = bound(reader("get"))
    assert await seen(ada) == []


async def test_what_is_about_no_cluster_is_for_those_who_may_see_all(
    at: Installation, ada: Engineer, log: Path
) -> None:
    await ada.sign_in()
    may = Rule(("list",), GROUP, ("records",))
    at.policy = bound(replace(developer(allow=(may,)), cluster_names=("*",)))
    assert await seen(ada) == [1, 2, 3, 4, 5, 6]
    at.policy = bound(replace(developer(allow=(replace(may, namespaces=("shop",)),)), cluster_names=("*",)))
    assert await seen(ada) == [2, 4, 6]


async def test_a_limit_counts_what_may_be_seen(at: Installation, ada: Engineer, log: Path) -> None:
    await ada.sign_in()
    at.policy = bound(reader())
    response = await ada.call("POST", "/api/v1/audit/search", {"limit": 2})
    answer = await response.json()
    assert ([one["seq"] for one in answer["records"]], answer["more"]) == ([2, 3], True)
    answer = await (await ada.call("POST", "/api/v1/audit/search", {"limit": 3})).json()
    assert answer["more"] is False


async def test_an_answer_has_an_end(
    at: Installation, ada: Engineer, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ada.sign_in()
    at.policy = bound(reader())
    monkeypatch.setattr(audit, "MAX_BYTES", 600)
    answer = await (await ada.call("POST", "/api/v1/audit/search", {})).json()
    assert (len(answer["records"]), answer["more"]) == (2, True)


async def test_every_filter_is_asked(at: Installation, ada: Engineer, log: Path) -> None:
    await ada.sign_in()
    at.policy = bound(reader())
    assert await seen(ada, namespace="shop", verb="get", since=NOW, until=NOW + 99.5, decision="allow") == [2]
    assert await seen(ada, user="nobody") == []


async def test_a_story_is_for_those_who_may_get_it_and_else_there_is_none(
    at: Installation, ada: Engineer, log: Path
) -> None:
    await ada.sign_in()
    at.policy = bound(reader("get"))
    assert await seen(ada, "show", id="id-00000002") == [2]
    assert await seen(ada, "show", id="id-00000004") == []
    assert await seen(ada, "show", id="id-99999999") == []


async def test_a_reading_is_recorded_before_it_is_answered(at: Installation, ada: Engineer, log: Path) -> None:
    await ada.sign_in()
    at.policy = bound(reader())
    at.records.clear()
    await seen(ada, verb="get", limit=5)
    await seen(ada, "show", id="id-00000002")
    assert [(kind, one["body"]) for kind, one in at.records] == [
        (RecordType.AUDIT_READ, {"how": "search", "question": {"verb": "get"}}),
        (RecordType.AUDIT_READ, {"how": "show", "question": {"id": "id-00000002"}}),
    ]
    assert at.records[0][1]["login"] == ada.login_id
    at.log_down = True
    assert (await ada.call("POST", "/api/v1/audit/search", {})).status == 503


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("search", {"limit": 0}),
        ("search", {"limit": 1001}),
        ("search", {"limit": "5"}),
        ("search", {"user": 5}),
        ("search", {"since": "2h"}),
        ("search", {"since": 1e300}),
        ("search", {"until": True}),
        ("search", {"source": "here"}),
        ("search", {"decision": "perhaps"}),
        ("search", {"text": "\ud800"}),
        ("show", {}),
        ("show", {"id": "short"}),
    ],
)
async def test_what_cannot_be_understood_is_refused_and_reads_nothing(
    at: Installation, ada: Engineer, log: Path, path: str, body: dict[str, Any]
) -> None:
    await ada.sign_in()
    at.records.clear()
    response = await ada.call("POST", f"/api/v1/audit/{path}", body)
    assert response.status == 400, await response.text()
    assert at.records == []


async def test_who_is_not_signed_in_is_told_nothing(at: Installation, ada: Engineer, log: Path) -> None:
    assert (await ada.call("POST", "/api/v1/audit/search", {})).status == 401
    await ada.sign_in()
    await at.store.end_login(ada.login_id, at.now, "logout")
    assert (await ada.call("POST", "/api/v1/audit/search", {})).status == 401


async def test_a_question_that_takes_too_long_or_finds_no_room_is_told_so(
    at: Installation, ada: Engineer, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ada.sign_in()
    monkeypatch.setattr(apart, "MAX_SECONDS", 0.001)
    response = await ada.call("POST", "/api/v1/audit/search", {})
    assert (response.status, (await response.json())["message"]) == (
        429,
        "this question takes too long; narrow it by person, cluster or time",
    )
    monkeypatch.setattr(audit, "MAX_WAIT_SECONDS", 0.0)
    response = await ada.call("POST", "/api/v1/audit/search", {})
    assert response.status == 429


async def answer(ada: Engineer, path: str, **body: Any) -> dict[str, Any]:
    response = await ada.call("POST", f"/api/v1/audit/{path}", body)
    found = await response.json()
    assert response.status == 200, found
    return dict(found)


async def test_sql_counts_and_stories_are_about_what_may_be_seen(at: Installation, ada: Engineer, log: Path) -> None:
    await ada.sign_in()
    select = "SELECT seq FROM records ORDER BY 1"
    assert await answer(ada, "sql", select=select) == {"names": ["seq"], "types": ["BIGINT"], "rows": [], "more": False}
    at.policy = bound(reader(namespaces=("shop",)))
    assert (await answer(ada, "sql", select=select))["rows"] == [[2]]
    at.policy = bound(reader())
    assert (await answer(ada, "sql", select=select, since=NOW + 2))["rows"] == [[2], [3]]
    counted = await answer(ada, "stats", verb="get")
    assert {one["name"]: one["rows"] for one in counted["counts"]}["clusters"] == [["staging-eu", 3]]
    told = await answer(ada, "timeline", user="bob@example.com")
    assert [(one["action"], one["namespace"]) for one in told["entries"]] == [
        ("get", one) for one in ("", "shop", "bank")
    ]


async def test_each_question_is_recorded_before_it_is_answered(at: Installation, ada: Engineer, log: Path) -> None:
    await ada.sign_in()
    at.records.clear()
    await answer(ada, "sql", select="SELECT 1", since=NOW)
    await answer(ada, "stats", user="bob")
    await answer(ada, "timeline", user="bob")
    assert [one["body"] for _, one in at.records] == [
        {"how": "sql", "question": {"select": "SELECT 1", "since": NOW}},
        {"how": "stats", "question": {"user": "bob"}},
        {"how": "timeline", "question": {"user": "bob"}},
    ]
    at.log_down = True
    for path, body in (
        ("sql", {"select": "SELECT 1"}),
        ("stats", {}),
        ("timeline", {}),
        ("follow", {}),
        ("export", {}),
    ):
        assert (await ada.call("POST", f"/api/v1/audit/{path}", body)).status == 503


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("sql", {}, "`select` must be text"),
        ("sql", {"select": "SELEC"}, "expected SQL that DuckDB understands"),
        ("sql", {"select": "SELECT 1", "since": "2h"}, "`since` must be seconds"),
        ("stats", {"text": "x"}, "expected filters by person"),
        ("timeline", {"source": "here"}, "expected an address"),
        ("follow", {"limit": -1}, "`limit` must be a number from 0"),
        ("export", {"places": {"a": 1}}, "expected places as an export's cursor has them"),
        ("export", {"since": "2h"}, "`since` must be seconds"),
    ],
)
async def test_what_is_wrong_with_a_question_is_said(
    at: Installation, ada: Engineer, log: Path, path: str, body: dict[str, Any], sentence: str
) -> None:
    await ada.sign_in()
    response = await ada.call("POST", f"/api/v1/audit/{path}", body)
    assert (response.status, (await response.json())["message"][: len(sentence)]) == (400, sentence)


async def test_an_answer_in_sql_has_an_end(
    at: Installation, ada: Engineer, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ada.sign_in()
    monkeypatch.setattr(audit, "MAX_ITEMS", 5)
    found = await answer(ada, "sql", select="SELECT range FROM range(9)")
    assert (found["rows"], found["more"]) == ([[0], [1], [2], [3], [4]], True)


async def test_following_shows_what_comes_as_far_as_it_may_be_seen_now_and_ends_with_the_login(
    at: Installation, ada: Engineer, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ada.sign_in()
    at.policy = bound(reader(namespaces=("shop",)))
    response = await ada.call("POST", "/api/v1/audit/follow", {"limit": 5})

    async def following() -> dict[str, Any]:
        while not (line := await response.content.readline()).strip():
            assert line
        return dict(json.loads(line))

    assert (await following())["seq"] == 2
    add(log, record(7, "staging-eu", "bank"))
    add(log, record(8, "staging-eu", "shop"))
    assert (await following())["seq"] == 8
    at.policy = bound(reader(namespaces=("bank",)))
    add(log, record(9, "staging-eu", "shop"))
    add(log, record(10, "staging-eu", "bank"))
    assert (await following())["seq"] == 10
    monkeypatch.setattr(audit, "MAX_FOLLOWERS", 1)
    assert (await ada.call("POST", "/api/v1/audit/follow", {})).status == 429
    await at.store.end_login(ada.login_id, at.now, "logout")
    assert await following() == {"error": "this login has ended"}
    assert await response.content.read() == b""


async def test_an_export_gives_what_may_be_seen_from_a_place_on_and_goes_on_with_what_comes(
    at: Installation, ada: Engineer, log: Path
) -> None:
    await ada.sign_in()
    at.policy = bound(reader(namespaces=("shop",)))
    at.records.clear()

    async def exported(**asked: Any) -> list[dict[str, Any]]:
        response = await ada.call("POST", "/api/v1/audit/export", asked)
        return [json.loads(line) for line in (await response.content.read()).splitlines()]

    *first, end = await exported()
    assert end == {"end": True}
    assert [one["body"] for _, one in at.records] == [{"how": "export", "question": {}}]
    seen = [one["record"] for one in first if "record" in one]
    assert {one["seq"] for one in seen} == {2}
    places = {one["writer"]: one["place"] for one in first}
    assert await exported(places=places) == [{"end": True}]
    add(log, record(7, "staging-eu", "bank"))
    add(log, record(8, "staging-eu", "shop"))
    more = await exported(places=places)
    assert [one["record"]["seq"] for one in more if "record" in one] == [8]
    places |= {one["writer"]: one["place"] for one in more if "writer" in one}

    response = await ada.call("POST", "/api/v1/audit/export", {"places": places, "follow": True})

    async def following() -> dict[str, Any]:
        while not (line := await response.content.readline()).strip():
            assert line
        return dict(json.loads(line))

    add(log, record(9, "staging-eu", "shop"))
    assert (await following())["record"]["seq"] == 9
    add(log, record(10, "staging-eu", "bank"))
    hidden = await following()
    assert (set(hidden), hidden["place"]["seq"]) == ({"writer", "place"}, 10)
    await at.store.end_login(ada.login_id, at.now, "logout")
    add(log, record(11, "staging-eu", "shop"))
    assert await following() == {"error": "this login has ended"}
