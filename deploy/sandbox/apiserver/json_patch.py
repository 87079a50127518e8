"""RFC 6902, JSON Patch, with RFC 6901's pointers."""

from __future__ import annotations

import copy
import re
from typing import Any

MAX_OPERATIONS = 10_000
"""The API server's own limit (`handlers.maxJSONPatchOperations`)."""
_INDEX = re.compile(r"0|[1-9][0-9]*", re.ASCII)


class Inapplicable(Exception):  # noqa: N818 - an adjective that reads well where it is raised
    """An operation that does not fit the document, or is none."""


def json_patch(document: Any, operations: list[Any]) -> Any:
    """The patched document, all operations or none; the argument is not changed. Raises Inapplicable."""
    if len(operations) > MAX_OPERATIONS:
        raise Inapplicable("too many operations")
    result = copy.deepcopy(document)
    for operation in operations:
        if not isinstance(operation, dict):
            raise Inapplicable("an operation is no object")
        result = _apply(result, operation)
    return result


def _apply(document: Any, operation: dict[str, Any]) -> Any:
    path = _pointer(operation.get("path"))
    match operation.get("op"):
        case "add":
            return _add(document, path, copy.deepcopy(_value(operation)))
        case "remove":
            _remove(document, path)
        case "replace":
            _get(document, path)
            if not path:
                return copy.deepcopy(_value(operation))
            _remove(document, path)
            return _add(document, path, copy.deepcopy(_value(operation)))
        case "test":
            if not _equal(_get(document, path), _value(operation)):
                raise Inapplicable("a test failed")
        case "copy":
            return _add(document, path, copy.deepcopy(_get(document, _pointer(operation.get("from")))))
        case "move":
            source = _pointer(operation.get("from"))
            if path[: len(source)] == source and path != source:
                raise Inapplicable("nothing can be moved into itself")  # section 4.4
            return _add(document, path, _remove(document, source))
        case _:
            raise Inapplicable("an unknown operation")
    return document


def _value(operation: dict[str, Any]) -> Any:
    if "value" not in operation:
        raise Inapplicable("an operation lacks its value")
    return operation["value"]


def _pointer(text: Any) -> tuple[str, ...]:
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise Inapplicable("not a JSON pointer")
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:])


def _get(document: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        if isinstance(document, dict) and part in document:
            document = document[part]
        elif isinstance(document, list):
            document = document[_index(part, len(document) - 1)]
        else:
            raise Inapplicable("a path leads nowhere")
    return document


def _add(document: Any, path: tuple[str, ...], value: Any) -> Any:
    if not path:
        return value
    owner, last = _get(document, path[:-1]), path[-1]
    if isinstance(owner, dict):
        owner[last] = value
    elif isinstance(owner, list):
        owner.insert(len(owner) if last == "-" else _index(last, len(owner)), value)
    else:
        raise Inapplicable("a path leads into a plain value")
    return document


def _remove(document: Any, path: tuple[str, ...]) -> Any:
    if not path:
        raise Inapplicable("the whole document cannot be removed")
    owner, last = _get(document, path[:-1]), path[-1]
    if isinstance(owner, dict) and last in owner:
        return owner.pop(last)
    if isinstance(owner, list):
        return owner.pop(_index(last, len(owner) - 1))
    raise Inapplicable("a path leads nowhere")


def _index(part: str, highest: int) -> int:
    if not _INDEX.fullmatch(part) or int(part) > highest:
        raise Inapplicable("an index that the list does not have")
    return int(part)


def _equal(one: Any, other: Any) -> bool:
    """Section 4.6: `true` is not 1, as it is in Python."""
    if isinstance(one, bool) is not isinstance(other, bool):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(one == other)
