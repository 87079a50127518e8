"""Server-side apply: a manager says what it wants of an object; conflicts with others are refused unless it insists.

KEP-555's rules on the leaves of `managed_fields`: what a manager wanted before and no longer says goes, unless others
own it too; a value that another manager owns and that would become a different one is a conflict.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from deploy.sandbox.apiserver.fields import Field, messages
from deploy.sandbox.apiserver.kinds import Kind, Object
from deploy.sandbox.apiserver.managed_fields import Managed, Manager, Path, item_key, leaves, read, written
from deploy.sandbox.apiserver.problem import Problem


def applied(kind: Kind, wanted: Object, live: Object, manager: Manager, now: str, *, force: bool) -> Object:
    """`live` with what is wanted, neither filled in nor checked. `wanted` has its shape. Raises Problem 409."""
    entries = read(live)
    others = [one for one in entries if one.manager != manager]
    mine = next((one for one in entries if one.manager == manager), None)
    asked, there = leaves(kind.kind, wanted), leaves(kind.kind, live)
    contested = {path for path, value in asked.items() if path in there and there[path] != value}
    if not force and (conflicts := [(one, one.paths & contested) for one in others if one.paths & contested]):
        raise _conflict(conflicts)
    given_up = (mine.paths if mine else frozenset()) - asked.keys()
    kept: set[Path] = set().union(*(one.paths for one in others))
    result = copy.deepcopy(live)
    for path in sorted(given_up, key=len):  # an item before what is in it
        if not any(other[: len(path)] == path for other in kept):
            _drop(result, path)
    result = _merged(kind.kind, result, wanted)
    paths = frozenset(asked)
    fresh = Managed(manager, now if mine is None or mine.paths != paths or contested else mine.time, paths)
    others = [replace(one, paths=one.paths - contested) for one in others]
    return written(result, [fresh, *others])


def _conflict(conflicts: list[tuple[Managed, frozenset[Path]]]) -> Problem:
    count = sum(len(paths) for _, paths in conflicts)
    causes, said = [], []
    for managed, paths in conflicts:
        with_whom = _named(managed.manager)
        shown = sorted(map(_shown, paths))
        causes += [
            {"reason": "FieldManagerConflict", "message": f"conflict with {with_whom}", "field": one} for one in shown
        ]
        if len(shown) == 1:
            said.append(f"conflict with {with_whom}: {shown[0]}")
        else:
            said.append("\n- ".join([f"conflicts with {with_whom}:", *shown]))
    message = f"Apply failed with {count} conflict{'s' * (count > 1)}: " + "\n".join(said)
    return Problem(409, "Conflict", message, {"causes": causes})


def _named(manager: Manager) -> str:
    sub = f' with subresource "{manager.subresource}"' if manager.subresource else ""
    using = f" using {manager.api_version}" if manager.operation == "Update" else ""
    return f'"{manager.name}"{sub}{using}'


def _shown(path: Path) -> str:
    return "".join(f".{part[2:]}" if part.startswith("f:") else f"[{_bracketed(part)}]" for part in path)


def _bracketed(part: str) -> str:
    if part.startswith("v:"):
        return f"={part[2:]}"
    return ",".join(f"{key}={json.dumps(value)}" for key, value in json.loads(part[2:]).items())


def _merged(name: str, live: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    fields = messages()[name].fields
    result = dict(live)
    for key, value in wanted.items():
        field = fields.get(key)
        result[key] = _merged_field(field, result.get(key), value) if field else value
    return result


def _merged_field(field: Field, live: Any, wanted: Any) -> Any:
    atomic = field.atomic or (field.is_message and messages()[field.type].atomic)
    if live is None or atomic:
        return wanted
    if field.shape == "{}":
        return live | wanted
    if field.shape == "[]":
        if field.keys:
            return _merged_items(field, live, wanted)
        return [*live, *(one for one in wanted if one not in live)] if field.is_set else wanted
    return _merged(field.type, live, wanted) if field.is_message else wanted


def _merged_items(field: Field, live: list[Any], wanted: Iterable[Any]) -> list[Any]:
    result = {item_key(field, one): one for one in live}
    for one in wanted:
        key = item_key(field, one)
        result[key] = _merged(field.type, result[key], one) if key in result else one
    return list(result.values())


def _drop(value: Any, path: Path) -> None:
    """Take what a path leads to out of an object; what is not there is not missed."""
    *way, last = path
    for part in way:
        value = _step(value, part)
        if value is None:
            return
    if last.startswith("f:") and isinstance(value, dict):
        value.pop(last[2:], None)
    elif isinstance(value, list):
        gone = _step(value, last)
        value[:] = [one for one in value if one is not gone and one != gone]


def _step(value: Any, part: str) -> Any:
    if part.startswith("f:"):
        return value.get(part[2:]) if isinstance(value, dict) else None
    if part.startswith("v:"):
        return json.loads(part[2:])
    keys = json.loads(part[2:])
    return next((one for one in value if all(one.get(key) == said for key, said in keys.items())), None)
