"""The store: versions, conflicts, finalizers, what is shared, how much there may be; and the past can be listed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.sandbox.apiserver import objects as module
from deploy.sandbox.apiserver.kinds import CONFIG_MAP, DEPLOYMENT, NAMESPACE, POD
from deploy.sandbox.apiserver.objects import Objects
from deploy.sandbox.apiserver.problem import Problem

NOW = "2026-01-02T03:04:05Z"


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": data}


def test_a_new_object_has_what_the_server_gives(objects: Objects) -> None:
    given_by_client = config_map("c", a="b")
    o = objects.create(CONFIG_MAP, "a", given_by_client)
    assert o == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "c",
            "namespace": "a",
            "uid": "00000000-0000-0000-0000-000000000003",
            "creationTimestamp": NOW,
            "resourceVersion": "4",
        },
        "data": {"a": "b"},
    }
    assert given_by_client == config_map("c", a="b")
    assert objects.version == 4
    assert objects.get(CONFIG_MAP, "a", "c") is o


def refused(code: int, reason: str) -> Any:
    return pytest.raises(Problem, check=lambda error: (error.code, error.status["reason"]) == (code, reason))


def test_names_are_taken_once_in_namespaces_that_there_are(objects: Objects) -> None:
    objects.create(CONFIG_MAP, "a", config_map("c"))
    objects.create(CONFIG_MAP, "b", config_map("c"))
    with refused(409, "AlreadyExists"):
        objects.create(CONFIG_MAP, "a", config_map("c"))
    with refused(404, "NotFound"):
        objects.create(CONFIG_MAP, "none", config_map("c"))
    with refused(404, "NotFound"):
        objects.get(CONFIG_MAP, "a", "d")


def test_a_change_counts_and_no_change_does_not(objects: Objects) -> None:
    spec = {"spec": {"replicas": 1}}
    old = objects.create(DEPLOYMENT, "a", config_map("d") | spec)
    assert objects.replace(DEPLOYMENT, old | spec) is old
    new = objects.replace(DEPLOYMENT, old | {"spec": {"replicas": 2}})
    labelled = objects.replace(DEPLOYMENT, new | {"metadata": new["metadata"] | {"labels": {"x": "y"}}})
    versions = [(one["metadata"]["resourceVersion"], one["metadata"]["generation"]) for one in (old, new, labelled)]
    assert versions == [("4", 1), ("5", 2), ("6", 2)]
    assert old["spec"] == {"replicas": 1}  # what was answered does not change under the client
    changes = objects.history.since(3)
    assert [(one.type, one.version, one.previous) for one in changes] == [
        ("ADDED", 4, None),
        ("MODIFIED", 5, old),
        ("MODIFIED", 6, new),
    ]


def test_who_changes_an_old_version_is_told(objects: Objects) -> None:
    old = objects.create(CONFIG_MAP, "a", config_map("c"))
    objects.replace(CONFIG_MAP, old | {"data": {"x": "1"}})
    with refused(409, "Conflict"):
        objects.replace(CONFIG_MAP, old | {"data": {"x": "2"}})
    other = old["metadata"] | {"uid": "another"}
    del other["resourceVersion"]
    with refused(409, "Conflict"):
        objects.replace(CONFIG_MAP, old | {"metadata": other})


def test_a_dry_run_leaves_no_trace(objects: Objects) -> None:
    old = objects.create(CONFIG_MAP, "a", config_map("c"))
    before = objects.version
    assert "resourceVersion" not in objects.create(CONFIG_MAP, "a", config_map("d"), dry=True)["metadata"]
    assert objects.replace(CONFIG_MAP, old | {"data": {"x": "1"}}, dry=True)["data"] == {"x": "1"}
    objects.delete(CONFIG_MAP, "a", "c", dry=True)
    assert (objects.version, objects.all(CONFIG_MAP)) == (before, [old])


def test_an_object_goes_when_its_last_finalizer_does(objects: Objects) -> None:
    old = objects.create(POD, "a", {"metadata": {"name": "p", "finalizers": ["x"]}})
    marked, gone = objects.delete(POD, "a", "p")
    assert (gone, marked["metadata"]["deletionTimestamp"]) == (False, NOW)
    again, gone = objects.delete(POD, "a", "p")
    assert (again, gone) == (marked, False)
    metadata = {key: value for key, value in marked["metadata"].items() if key != "finalizers"}
    objects.replace(POD, marked | {"metadata": metadata})
    assert objects.find(POD, "a", "p") is None
    assert [one.type for one in objects.history.since(int(old["metadata"]["resourceVersion"]))] == [
        "MODIFIED",
        "DELETED",
    ]


def test_a_namespace_that_ends_takes_nothing_new(objects: Objects) -> None:
    ending, gone = objects.delete(NAMESPACE, "", "a")
    assert (gone, ending["status"]) == (False, {"phase": "Terminating"})
    with refused(403, "Forbidden"):
        objects.create(CONFIG_MAP, "a", config_map("c"))
    objects.remove(NAMESPACE, "", "a")
    assert [o["metadata"]["name"] for o in objects.all(NAMESPACE)] == ["b"]


def test_owners_find_what_is_theirs(objects: Objects) -> None:
    twice = [{"uid": "u", "name": "x"}, {"uid": "u", "name": "x"}]
    owned = objects.create(POD, "a", {"metadata": {"name": "p", "ownerReferences": twice}})
    assert objects.owned("u") == [(("pods", "a", "p"), owned)]
    changed = objects.replace(POD, owned | {"metadata": owned["metadata"] | {"ownerReferences": [{"uid": "v"}]}})
    assert (objects.owned("u"), objects.owned("v")) == ([], [(("pods", "a", "p"), changed)])
    objects.remove(POD, "a", "p")
    assert objects.owned("v") == []


def test_there_is_no_more_than_there_may_be(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_OBJECTS", 3)
    old = objects.create(CONFIG_MAP, "a", config_map("c"))
    with refused(403, "Forbidden"):
        objects.create(CONFIG_MAP, "a", config_map("d"))
    old = objects.replace(CONFIG_MAP, old | {"data": {"x": "1"}})
    objects.remove(CONFIG_MAP, "a", "c")
    objects.create(CONFIG_MAP, "a", config_map("d"))
    monkeypatch.setattr(module, "MAX_OBJECTS", 9)
    monkeypatch.setattr(module, "MAX_BYTES", 2000)
    with refused(403, "Forbidden"):
        objects.create(CONFIG_MAP, "a", config_map("e", x="1" * 1500))
    with refused(413, "RequestEntityTooLarge"):
        objects.create(CONFIG_MAP, "a", config_map("e", x="1" * module.MAX_OBJECT_BYTES))


def test_what_is_taken_away_makes_room(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 3000)
    for _ in range(5):
        big = objects.create(CONFIG_MAP, "a", config_map("c", x="1" * 1500))
        objects.replace(CONFIG_MAP, big | {"data": {"x": "2" * 1500}})
        objects.remove(CONFIG_MAP, "a", "c")


STEPS = st.lists(st.tuples(st.sampled_from(("create", "replace", "delete")), st.sampled_from("xyz"), st.integers()))


@given(STEPS)
def test_every_past_can_be_listed_as_it_was(steps: list[tuple[str, str, int]]) -> None:
    objects = Objects(now=lambda: NOW, new_id=lambda: "id")
    objects.create(NAMESPACE, "", {"metadata": {"name": "a"}})
    pasts = [(objects.version, objects.all(CONFIG_MAP))]
    for verb, name, value in steps:
        there = objects.find(CONFIG_MAP, "a", name)
        if verb == "create" and there is None:
            objects.create(CONFIG_MAP, "a", config_map(name, v=str(value)))
        elif verb == "replace" and there is not None:
            objects.replace(CONFIG_MAP, there | {"data": {"v": str(value)}})
        elif verb == "delete" and there is not None:
            objects.delete(CONFIG_MAP, "a", name)
        pasts.append((objects.version, objects.all(CONFIG_MAP)))
    for version, past in pasts:
        assert objects.all(CONFIG_MAP, at=version) == past
