"""Strategic merge patch: which lists are merged, the directives, and in what order items stand."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.sandbox.apiserver.strategic_patch import NoMergeKey, WrongType, strategic_patch

MAIN = {"name": "main", "image": "a:1", "env": [{"name": "A", "value": "1"}]}
SIDE = {"name": "side", "image": "b:1"}
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "items are merged by their key": (
        {"containers": [MAIN, SIDE]},
        {"containers": [{"name": "side", "image": "b:2"}]},
        {"containers": [MAIN, SIDE | {"image": "b:2"}]},
    ),
    "lists in items are merged, too": (
        {"containers": [MAIN]},
        {"containers": [{"name": "main", "env": [{"name": "B", "value": "2"}], "image": None}]},
        {"containers": [{"name": "main", "env": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]}]},
    ),
    "a new item stands before those that the patch does not name": (
        {"containers": [MAIN]},
        {"containers": [SIDE]},
        {"containers": [SIDE, MAIN]},
    ),
    "the order that the patch sets": (
        {"containers": [MAIN]},
        {"containers": [SIDE], "$setElementOrder/containers": [{"name": "main"}, {"name": "side"}]},
        {"containers": [MAIN, SIDE]},
    ),
    "an order alone": (
        {"containers": [MAIN, SIDE]},
        {"$setElementOrder/containers": [{"name": "side"}, {"name": "main"}]},
        {"containers": [SIDE, MAIN]},
    ),
    "an item is deleted": (
        {"containers": [MAIN, SIDE]},
        {"containers": [{"name": "main", "$patch": "delete"}]},
        {"containers": [SIDE]},
    ),
    "a list is replaced": (
        {"containers": [MAIN]},
        {"containers": [{"$patch": "replace"}, SIDE]},
        {"containers": [SIDE]},
    ),
    "a list without a merge key is replaced": (
        {"tolerations": [{"key": "a"}]},
        {"tolerations": [{"key": "b"}]},
        {"tolerations": [{"key": "b"}]},
    ),
    "an object is replaced": (
        {"nodeSelector": {"a": "b"}, "securityContext": {"runAsUser": 1}},
        {"securityContext": {"$patch": "replace", "runAsGroup": 2}},
        {"nodeSelector": {"a": "b"}, "securityContext": {"runAsGroup": 2}},
    ),
    "an object is deleted": (
        {"nodeSelector": {"a": "b"}},
        {"nodeSelector": {"$patch": "delete"}},
        {"nodeSelector": {}},
    ),
    "other keys are not retained": (
        {"volumes": [{"name": "v", "emptyDir": {}}]},
        {"volumes": [{"name": "v", "$retainKeys": ["name", "configMap"], "configMap": {"name": "c"}}]},
        {"volumes": [{"name": "v", "configMap": {"name": "c"}}]},
    ),
    "fields that no type has are merged as JSON": (
        {"x": {"y": [1], "z": 1}},
        {"x": {"y": [2], "z": None}},
        {"x": {"y": [2]}},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_pods_spec(name: str) -> None:
    target, patch, result = CASES[name]
    assert strategic_patch("PodSpec", target, patch) == result


def test_lists_of_plain_values_are_joined_and_thinned() -> None:
    target = {"metadata": {"finalizers": ["x", "y"]}}
    patch = {"metadata": {"finalizers": ["z", "y"], "$deleteFromPrimitiveList/finalizers": ["x"]}}
    assert strategic_patch("Pod", target, patch) == {"metadata": {"finalizers": ["z", "y"]}}


def test_an_item_without_its_key_is_refused() -> None:
    with pytest.raises(NoMergeKey, match=r"^map: map\[image:x\] does not contain declared merge key: name$"):
        strategic_patch("PodSpec", {"containers": [MAIN]}, {"containers": [{"image": "x"}]})


@pytest.mark.parametrize("patch", [{"containers": {"name": "main"}}, {"securityContext": []}])
def test_a_list_in_an_objects_place_is_refused(patch: dict[str, Any]) -> None:
    with pytest.raises(WrongType):
        strategic_patch("PodSpec", {"containers": [MAIN]}, patch)
