"""Who owns which field: what changes hands, what goes, and that FieldsV1 is read as it was written."""

from __future__ import annotations

from typing import Any

from deploy.sandbox.apiserver.kinds import CONFIG_MAP, POD
from deploy.sandbox.apiserver.managed_fields import (
    MAX_MANAGERS,
    Managed,
    Manager,
    leaves,
    read,
    updated,
    written,
)

ONE, OTHER = Manager("one", "Update", "v1"), Manager("other", "Update", "v1")
POD_OBJECT: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p", "uid": "u", "labels": {"a": "b"}, "finalizers": ["f"]},
    "spec": {
        "containers": [{"name": "c", "ports": [{"containerPort": 80}], "command": ["x", "y"]}],
        "nodeSelector": {"z": "1"},
        "tolerations": [{"key": "k"}],
        "securityContext": {},
    },
}


def test_the_leaves_of_an_object_are_what_can_have_an_owner() -> None:
    container = ("f:spec", "f:containers", 'k:{"name":"c"}')
    port = (*container, "f:ports", 'k:{"containerPort":80,"protocol":"TCP"}')
    assert leaves("Pod", POD_OBJECT) == {
        ("f:metadata", "f:labels", "f:a"): "b",
        ("f:metadata", "f:finalizers", 'v:"f"'): "f",
        container: True,
        (*container, "f:name"): "c",
        port: True,
        (*port, "f:containerPort"): 80,
        (*container, "f:command"): ["x", "y"],
        ("f:spec", "f:nodeSelector"): {"z": "1"},
        ("f:spec", "f:tolerations"): [{"key": "k"}],
        ("f:spec", "f:securityContext"): {},
    }


def test_what_is_written_is_read_again() -> None:
    entries = [
        Managed(ONE, "2026-01-01T00:00:00Z", frozenset(leaves("Pod", POD_OBJECT))),
        Managed(Manager("two", "Apply", "v1", "status"), "2026-01-02T00:00:00Z", frozenset({("f:status", "f:phase")})),
    ]
    assert read(written(POD_OBJECT, entries)) == entries
    assert "managedFields" not in written(POD_OBJECT, [Managed(ONE, "", frozenset())])["metadata"]


def config_map(**data: str) -> dict[str, Any]:
    return {"metadata": {"name": "c"}, "data": data}


def owners(o: dict[str, Any]) -> dict[str, list[str]]:
    return {one.manager.name: sorted(path[-1] for path in one.paths) for one in read(o)}


def test_who_changes_a_field_owns_it_and_nobody_else_does() -> None:
    first = updated(CONFIG_MAP, config_map(a="1", b="2"), None, ONE, "t1")
    assert owners(first) == {"one": ["f:a", "f:b"]}
    second = updated(CONFIG_MAP, first | {"data": {"a": "1", "b": "3", "c": "4"}}, first, OTHER, "t2")
    assert owners(second) == {"one": ["f:a"], "other": ["f:b", "f:c"]}
    third = updated(CONFIG_MAP, second | {"data": {"b": "3"}}, second, ONE, "t3")
    assert owners(third) == {"other": ["f:b"]}


def test_a_change_of_nothing_keeps_the_time() -> None:
    first = updated(CONFIG_MAP, config_map(a="1"), None, ONE, "t1")
    assert [one.time for one in read(updated(CONFIG_MAP, first, first, ONE, "t2"))] == ["t1"]


def test_there_are_no_more_managers_than_there_may_be() -> None:
    o = updated(POD, POD_OBJECT, None, ONE, "t")
    for number in range(MAX_MANAGERS + 5):
        labels = o["metadata"]["labels"] | {f"l{number}": ""}
        changed = o | {"metadata": o["metadata"] | {"labels": labels}}
        o = updated(POD, changed, o, Manager(f"m{number}", "Update", "v1"), "t")
    assert len(read(o)) == MAX_MANAGERS
