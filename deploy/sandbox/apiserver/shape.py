"""An object as the API server's own types would hold it: known fields only, of the right type, empty ones gone.

What Go's `omitempty` leaves out is left out here, so that two texts that mean the same become the same object.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any

from deploy.sandbox.apiserver.fields import Field, messages

MAX_DEPTH = 40
"""Objects within objects; a pod's deepest field lies at 12."""
_TYPE_META = ("apiVersion", "kind")
_QUANTITY = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?", re.ASCII)
_NO_QUANTITY = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_INT32 = range(-(1 << 31), 1 << 31)
_INT64 = range(-(1 << 63), 1 << 63)


class Mismatch(Exception):  # noqa: N818 - a noun that reads well where it is raised
    """A value of the wrong type; the message is worded as Go's decoder words it."""


@dataclass(frozen=True, slots=True)
class Shaped:
    """The object, and the paths of what was left out because no type has it."""

    object: dict[str, Any]
    unknown: list[str]


def shape(name: str, value: Any) -> Shaped:
    """`value` as an object of type `name`. Raises Mismatch."""
    given = dict(value)
    header = {key: given.pop(key) for key in _TYPE_META if given.get(key)}
    for key in _TYPE_META:
        given.pop(key, None)
    shaping = _Shaping()
    return Shaped(header | shaping.message(name, given, "", 0), shaping.unknown)


class _Shaping:
    """One object's shaping: collects what no type has."""

    def __init__(self) -> None:
        self.unknown: list[str] = []

    def message(self, name: str, value: dict[str, Any], path: str, depth: int) -> dict[str, Any]:
        if depth > MAX_DEPTH:
            raise Mismatch("exceeded max depth")
        fields = messages()[name].fields
        result: dict[str, Any] = {}
        for key, item in value.items():
            here = f"{path}.{key}" if path else key
            if key not in fields:
                self.unknown.append(here)
            elif item is not None:
                known = fields[key]
                kept = self._field(name, known, item, here, depth)
                if known.pointer or known.always or kept not in ("", 0, [], {}):
                    result[key] = kept
        for key, known in fields.items():
            if known.always and key not in result:
                result[key] = _empty(known, depth)
        return result

    def _field(self, owner: str, known: Field, item: Any, path: str, depth: int) -> Any:
        if known.shape == "[]":
            if not isinstance(item, list):
                raise _wrong(item, owner, path, _go_type(known))
            return [self._one(owner, known, one, f"{path}[{at}]", depth) for at, one in enumerate(item)]
        if known.shape == "{}":
            if not isinstance(item, dict):
                raise _wrong(item, owner, path, _go_type(known))
            return {key: self._one(owner, known, one, f"{path}[{key}]", depth) for key, one in item.items()}
        return self._one(owner, known, item, path, depth)

    def _one(self, owner: str, known: Field, item: Any, path: str, depth: int) -> Any:
        if not known.is_message:
            return _leaf(known.type, item, (owner, path))
        if not isinstance(item, dict):
            raise _wrong(item, owner, path, f"v1.{known.type}")
        return self.message(known.type, item, path, depth + 1)


def _empty(known: Field, depth: int) -> Any:
    if known.is_message:
        return _Shaping().message(known.type, {}, "", depth + 1)
    return {"string": "", "bool": False}.get(known.type, 0)


def _leaf(kind: str, item: Any, where: tuple[str, str]) -> Any:
    match kind:
        case "string" if isinstance(item, str):
            return item
        case "bool" if isinstance(item, bool):
            return item
        case "int32" if _is_int(item) and item in _INT32:
            return item
        case "int64" if _is_int(item) and item in _INT64:
            return item
        case "double" if isinstance(item, (int, float)):
            return item
        case "bytes" if isinstance(item, str):
            return _base64(item)
        case "Time" | "MicroTime" if isinstance(item, str):
            return item
        case "IntOrString" if isinstance(item, str) or _is_int(item):
            return item
        case "Quantity" if isinstance(item, (str, int, float)) and _QUANTITY.fullmatch(str(item)):
            return str(item)
        case "Quantity":
            raise Mismatch(_NO_QUANTITY)
        case "ExtraValue" if isinstance(item, list) and all(isinstance(one, str) for one in item):
            return item
        case "FieldsV1" if isinstance(item, dict):
            return item
        case _:
            raise _wrong(item, *where, kind)


def _is_int(item: Any) -> bool:
    return isinstance(item, int) and not isinstance(item, bool)


def _base64(item: str) -> str:
    try:
        base64.b64decode(item, validate=True)
    except (binascii.Error, ValueError) as error:
        alphabet = re.match(r"[A-Za-z0-9+/]*", item)
        assert alphabet is not None
        raise Mismatch(f"illegal base64 data at input byte {alphabet.end()}") from error
    return item


def _wrong(item: Any, owner: str, path: str, wanted: str) -> Mismatch:
    given = {bool: "bool", str: "string", list: "array", dict: "object"}.get(type(item), "number")
    plain = re.sub(r"\[[^\]]*\]", "", path)
    return Mismatch(f"json: cannot unmarshal {given} into Go struct field {owner}.{plain} of type {wanted}")


def _go_type(known: Field) -> str:
    inner = f"v1.{known.type}" if known.is_message else known.type
    return f"[]{inner}" if known.shape == "[]" else f"map[string]{inner}"
