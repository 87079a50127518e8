"""RFC 6902: the examples of its appendix A, what is refused, and that a refused patch changes nothing."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.sandbox.apiserver.json_patch import MAX_OPERATIONS, Inapplicable, json_patch

ARRAY = {"foo": ["bar", "baz"]}
APPENDIX_A: list[tuple[Any, list[Any], Any]] = [
    ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),
    (ARRAY, [{"op": "add", "path": "/foo/1", "value": "qux"}], {"foo": ["bar", "qux", "baz"]}),
    ({"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
    ({"foo": ["bar", "qux", "baz"]}, [{"op": "remove", "path": "/foo/1"}], ARRAY),
    ({"baz": "qux"}, [{"op": "replace", "path": "/baz", "value": "boo"}], {"baz": "boo"}),
    (
        {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
        [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
        {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
    ),
    (
        {"foo": ["all", "grass", "cows", "eat"]},
        [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
        {"foo": ["all", "cows", "eat", "grass"]},
    ),
    (ARRAY, [{"op": "test", "path": "/foo/1", "value": "baz"}], ARRAY),
    ({"foo": "bar"}, [{"op": "add", "path": "/child", "value": {"g": {}}}], {"foo": "bar", "child": {"g": {}}}),
    ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux", "xyz": 123}], {"foo": "bar", "baz": "qux"}),
    ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
    ({"foo": ["bar"]}, [{"op": "add", "path": "/foo/-", "value": ["a"]}], {"foo": ["bar", ["a"]]}),
    ({"foo": 1}, [{"op": "copy", "from": "/foo", "path": "/bar"}], {"foo": 1, "bar": 1}),
    ({"foo": 1}, [{"op": "replace", "path": "", "value": [1]}], [1]),
    ({"foo": 1}, [{"op": "add", "path": "", "value": {}}], {}),
]
REFUSED: list[Any] = [
    {"op": "add", "path": "/a/b/c", "value": 1},
    {"op": "add", "path": "/list/5", "value": 1},
    {"op": "add", "path": "/list/01", "value": 1},
    {"op": "add", "path": "/text/x", "value": 1},
    {"op": "add", "path": "/a"},
    {"op": "add", "path": "a", "value": 1},
    {"op": "add", "value": 1},
    {"op": "remove", "path": "/none"},
    {"op": "remove", "path": ""},
    {"op": "remove", "path": "/list/-"},
    {"op": "replace", "path": "/none", "value": 1},
    {"op": "move", "from": "/a", "path": "/a/b"},
    {"op": "copy", "from": "/none", "path": "/b"},
    {"op": "test", "path": "/yes", "value": 1},
    {"op": "test", "path": "/a", "value": {"b": 1}},
    {"op": "test", "path": "/list", "value": [1, 2, 3]},
    {"op": "sing", "path": "/a"},
    "add",
]
DOCUMENT = {"a": {"b": True}, "list": [1, 2], "text": "t", "yes": True}


@pytest.mark.parametrize(("document", "operations", "result"), APPENDIX_A)
def test_the_examples_of_the_standard(document: Any, operations: list[Any], result: Any) -> None:
    before = copy.deepcopy(document)
    assert json_patch(document, operations) == result
    assert document == before


@pytest.mark.parametrize("operation", REFUSED)
def test_what_does_not_fit_is_refused_and_changes_nothing(operation: Any) -> None:
    before = copy.deepcopy(DOCUMENT)
    with pytest.raises(Inapplicable):
        json_patch(
            DOCUMENT, [{"op": "remove", "path": "/text"}, {"op": "add", "path": "/text", "value": "t"}, operation]
        )
    assert before == DOCUMENT


def test_equal_values_pass_a_test_however_they_are_nested() -> None:
    assert json_patch(DOCUMENT, [{"op": "test", "path": "", "value": copy.deepcopy(DOCUMENT)}]) == DOCUMENT


def test_too_many_operations_are_refused() -> None:
    operations = [{"op": "test", "path": "/yes", "value": True}] * MAX_OPERATIONS
    assert json_patch(DOCUMENT, operations) == DOCUMENT
    with pytest.raises(Inapplicable, match="too many"):
        json_patch(DOCUMENT, [*operations, operations[0]])


@given(st.dictionaries(st.text(max_size=4), st.integers(), min_size=1), st.data())
def test_what_is_added_is_found_at_its_pointer_and_removed_again(document: dict[str, int], data: st.DataObject) -> None:
    key = data.draw(st.text(max_size=4).filter(lambda text: text not in document))
    pointer = "/" + key.replace("~", "~0").replace("/", "~1")
    added = json_patch(document, [{"op": "add", "path": pointer, "value": 1}])
    assert added == document | {key: 1}
    assert json_patch(added, [{"op": "remove", "path": pointer}]) == document
