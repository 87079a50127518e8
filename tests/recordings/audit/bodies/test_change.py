"""Claims about what a write changed, as a JSON Patch: applied by a reading of RFC 6902 of its own."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.audit.bodies.change import changed, removed

LEAVES = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([1.0, "a", "", "1"])
NAMES = st.sampled_from(["a", "b", "a/b", "~", "~1", "", "0", "é"])
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4))


def spelled(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def parts(pointer: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def at(document: Any, path: list[str]) -> Any:
    for part in path:
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


def applied(document: Any, patch: list[dict[str, Any]]) -> Any:
    document = deepcopy(document)
    for operation in patch:
        path = parts(operation["path"])
        if operation["op"] == "test":
            assert spelled(at(document, path)) == spelled(operation["value"])
        elif not path:
            document = operation["value"] if operation["op"] in ("add", "replace") else None
        else:
            parent, name = at(document, path[:-1]), path[-1]
            where: Any = int(name) if isinstance(parent, list) else name
            if operation["op"] == "remove":
                del parent[where]
            elif operation["op"] == "add" and isinstance(parent, list):
                assert where <= len(parent)
                parent.insert(where, operation["value"])
            else:
                assert operation["op"] == "add" or at(document, path) is not ...
                parent[where] = operation["value"]
    return document


@given(VALUES, VALUES)
def test_applied_to_what_was_before_it_makes_what_is_after(before: Any, after: Any) -> None:
    assert spelled(applied(before, changed(before, after))) == spelled(after)


@given(VALUES)
def test_where_nothing_changed_there_is_nothing_to_do(value: Any) -> None:
    assert changed(value, deepcopy(value)) == []


@given(VALUES, VALUES)
def test_all_that_is_taken_away_is_named_before(before: Any, after: Any) -> None:
    patch = changed(before, after)
    for index, operation in enumerate(patch):
        if operation["op"] in ("remove", "replace"):
            assert (patch[index - 1]["op"], patch[index - 1]["path"]) == ("test", operation["path"])


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        (
            {"spec": {"replicas": 1}},
            {"spec": {"replicas": 3}},
            [
                {"op": "test", "path": "/spec/replicas", "value": 1},
                {"op": "replace", "path": "/spec/replicas", "value": 3},
            ],
        ),
        ({"rules": ["a", "c"]}, {"rules": ["a", "b", "c"]}, [{"op": "add", "path": "/rules/1", "value": "b"}]),
        (
            {"m": {"a/b~": "x"}},
            {"m": {}},
            [{"op": "test", "path": "/m/a~1b~0", "value": "x"}, {"op": "remove", "path": "/m/a~1b~0"}],
        ),
        ([1], [True], [{"op": "test", "path": "/0", "value": 1}, {"op": "replace", "path": "/0", "value": True}]),
    ],
)
def test_it_is_as_small_as_what_changed(before: Any, after: Any, patch: list[dict[str, Any]]) -> None:
    assert changed(before, after) == patch


def test_what_is_gone_is_named_whole() -> None:
    assert removed({"a": 1}) == [{"op": "test", "path": "", "value": {"a": 1}}, {"op": "remove", "path": ""}]
