"""What a write changed, as a JSON Patch (RFC 6902) from the object before it to the object after it.

Each operation that takes something away comes after a `test` (section 4.6) of what was there, so the patch says what it
was as well as what it became, fails on another object, and can be read backwards. Objects come in without their
secrets (`redaction`), and so is the patch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Operation = dict[str, Any]


def changed(before: Any, after: Any) -> list[Operation]:
    """The operations that make `after` of `before`, in their order; none where nothing changed."""
    made: list[Operation] = []
    _compare(before, after, "", made)
    return made


def removed(before: Any) -> list[Operation]:
    """Of an object that is gone."""
    return [{"op": "test", "path": "", "value": before}, {"op": "remove", "path": ""}]


def _compare(before: Any, after: Any, path: str, made: list[Operation]) -> None:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        _mappings(before, after, path, made)
    elif isinstance(before, list) and isinstance(after, list):
        _lists(before, after, path, made)
    elif not _same(before, after):
        made += (_test(path, before), {"op": "replace", "path": path, "value": after})


def _mappings(before: Mapping[str, Any], after: Mapping[str, Any], path: str, made: list[Operation]) -> None:
    for key, value in before.items():
        at = f"{path}/{_pointer(key)}"
        if key in after:
            _compare(value, after[key], at, made)
        else:
            made += (_test(at, value), {"op": "remove", "path": at})
    for key, value in after.items():
        if key not in before:
            made.append({"op": "add", "path": f"{path}/{_pointer(key)}", "value": value})


def _lists(before: list[Any], after: list[Any], path: str, made: list[Operation]) -> None:
    """What is the same at both ends stays; between, items are compared one by one, then added or taken away."""
    begin, least = 0, min(len(before), len(after))
    while begin < least and _same(before[begin], after[begin]):
        begin += 1
    end = 0
    while end < least - begin and _same(before[-1 - end], after[-1 - end]):
        end += 1
    old, new = before[begin : len(before) - end], after[begin : len(after) - end]
    both = min(len(old), len(new))
    for index in range(both):
        _compare(old[index], new[index], f"{path}/{begin + index}", made)
    for index in reversed(range(both, len(old))):
        at = f"{path}/{begin + index}"
        made += (_test(at, old[index]), {"op": "remove", "path": at})
    for index in range(both, len(new)):
        made.append({"op": "add", "path": f"{path}/{begin + index}", "value": new[index]})


def _same(one: Any, other: Any) -> bool:
    """As JSON has it: 1 is not true."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and bool(one == other)


def _test(path: str, value: Any) -> Operation:
    return {"op": "test", "path": path, "value": value}


def _pointer(key: str) -> str:
    """A member's name in a JSON Pointer (RFC 6901, section 3)."""
    return key.replace("~", "~0").replace("/", "~1")
