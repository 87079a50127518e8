"""Which manager owns which field: metadata.managedFields, kept as the API server keeps it where people can tell.

A leaf is the path to a value that has one owner at a time (or several who agree): a plain value, an atomic list or
object, an item of a list by its keys, a member of a set. Path elements are those of FieldsV1: `f:NAME`, `k:{KEYS}`,
`v:VALUE`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from deploy.sandbox.apiserver.fields import Field, messages
from deploy.sandbox.apiserver.kinds import Kind, Object

Path = tuple[str, ...]
Leaves = dict[Path, Any]
MAX_MANAGERS = 20
"""Entries per object; the oldest are joined beyond that. The API server keeps ten updates apart."""
_UNMANAGED = frozenset(
    (
        "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
        "deletionGracePeriodSeconds", "selfLink", "managedFields",
    )
)  # fmt: skip
_KEY_DEFAULTS = {"protocol": "TCP"}
"""An item that does not say is told apart by what it will say once it is filled in."""


@dataclass(frozen=True, slots=True)
class Manager:
    """`operation` is Apply or Update."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Managed:
    """What a manager owns, and since when."""

    manager: Manager
    time: str
    paths: frozenset[Path]


def leaves(kind: str, o: Object) -> Leaves:
    """All leaves of an object that somebody can own, with their values."""
    found: Leaves = {}
    for key, value in o.items():
        if key in ("apiVersion", "kind"):
            continue
        if key == "metadata":
            value = {k: v for k, v in value.items() if k not in _UNMANAGED}  # noqa: PLW2901
        if key in ("metadata", "status") and not value:
            continue  # it is always there, and nobody's
        found |= dict(_message(kind, {key: value}, ()))
    return found


def _message(name: str, value: dict[str, Any], path: Path) -> Iterator[tuple[Path, Any]]:
    fields = messages()[name].fields
    for key, item in value.items():
        field = fields.get(key)
        if field is not None:
            yield from _field(field, item, (*path, f"f:{key}"))


def _field(field: Field, item: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    atomic = field.atomic or (field.is_message and messages()[field.type].atomic)
    if field.shape == "[]" and field.keys and isinstance(item, list):
        for one in item:
            here = (*path, item_key(field, one))
            yield here, True
            yield from _message(field.type, one, here)
    elif field.shape == "[]" and field.is_set and isinstance(item, list):
        for one in item:
            yield (*path, f"v:{json.dumps(one)}"), one
    elif field.shape == "{}" and not atomic and isinstance(item, dict):
        for key, one in item.items():
            yield (*path, f"f:{key}"), one
    elif field.is_message and not field.shape and not atomic and item:
        yield from _message(field.type, item, path)
    else:
        yield path, item


def item_key(field: Field, item: dict[str, Any]) -> str:
    keys = {key: item.get(key, _KEY_DEFAULTS.get(key)) for key in sorted(field.keys)}
    return f"k:{json.dumps(keys, separators=(',', ':'))}"


def read(o: Object) -> list[Managed]:
    """The entries of an object; what is none is left out."""
    found = []
    for entry in o["metadata"].get("managedFields", ()):
        words = (entry.get(key, "") for key in ("manager", "operation", "apiVersion", "subresource"))
        found.append(Managed(Manager(*words), entry.get("time", ""), frozenset(_paths(entry.get("fieldsV1", {}), ()))))
    return found


def _paths(tree: dict[str, Any], path: Path) -> Iterator[Path]:
    for key, inner in tree.items():
        if key == ".":
            yield path
        elif inner:
            yield from _paths(inner, (*path, key))
        else:
            yield (*path, key)


def written(o: Object, entries: list[Managed]) -> Object:
    """The object with these entries; a manager who owns nothing has none."""
    said = []
    for entry in entries[-MAX_MANAGERS:]:
        if entry.paths:
            manager = entry.manager
            about: Object = {"manager": manager.name, "operation": manager.operation, "apiVersion": manager.api_version}
            about |= {"time": entry.time, "fieldsType": "FieldsV1"}
            sub = {"subresource": manager.subresource} if manager.subresource else {}
            said.append(about | {"fieldsV1": _tree(entry.paths)} | sub)
    metadata = {key: value for key, value in o["metadata"].items() if key != "managedFields"}
    return o | {"metadata": metadata | ({"managedFields": said} if said else {})}


def _tree(paths: frozenset[Path]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path in sorted(paths):
        at = tree
        for part in path:
            at = at.setdefault(part, {})
        if path[-1].startswith("k:"):
            at["."] = {}
    return tree


def updated(kind: Kind, new: Object, old: Object | None, manager: Manager, now: str) -> Object:
    """`new`, which `manager` writes in the place of `old`: what changed is the manager's, and nobody else's."""
    before, after = leaves(kind.kind, old or {}), leaves(kind.kind, new)
    changed = {path for path, value in after.items() if path not in before or before[path] != value}
    given = read(new)  # a client may set them itself, as kubectl does when it turns to server-side apply
    entries = [replace(one, paths=frozenset(one.paths & after.keys()) - changed) for one in given]
    mine = next((one for one in entries if one.manager == manager), None)
    if mine is None:
        return written(new, [*entries, Managed(manager, now, frozenset(changed))])
    fresh = replace(mine, paths=mine.paths | changed, time=now if changed else mine.time)
    return written(new, [fresh if one is mine else one for one in entries])
