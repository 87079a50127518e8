"""Kubernetes' strategic merge patch: a merge patch that knows which lists are merged, and by what key.

Directives: `$patch` (replace, delete, merge), `$retainKeys`, `$deleteFromPrimitiveList/NAME`,
`$setElementOrder/NAME` (apimachinery `util/strategicpatch`).
"""

from __future__ import annotations

from typing import Any

from deploy.sandbox.apiserver.fields import Field, messages

_DELETE_ITEMS = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"


class NoMergeKey(Exception):  # noqa: N818 - a noun that reads well where it is raised
    """An item of a merged list lacks the key by which the items are told apart."""


class WrongType(Exception):  # noqa: N818 - a noun that reads well where it is raised
    """A list where an object belongs, or the like."""


def strategic_patch(name: str | None, target: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """`target`, of type `name` (None: of no known type), patched; the arguments are not changed.

    Raises NoMergeKey, WrongType.
    """
    directive = patch.get("$patch")
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    if directive == "delete":
        return {}
    fields = messages()[name].fields if name else {}
    result = dict(target)
    if "$retainKeys" in patch:
        result = {key: value for key, value in result.items() if key in patch["$retainKeys"]}
    for key, value in patch.items():
        if key.startswith(_DELETE_ITEMS):
            plain = key.removeprefix(_DELETE_ITEMS)
            result[plain] = [item for item in result.get(plain, []) if item not in value]
    for key, value in patch.items():
        if key.startswith("$"):
            continue
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _patched(fields.get(key), result.get(key), value, patch.get(_ORDER + key))
    for key, order in patch.items():
        plain = key.removeprefix(_ORDER)
        if key.startswith(_ORDER) and plain not in patch and isinstance(result.get(plain), list):
            result[plain] = _ordered(result[plain], order, target.get(plain, []), fields.get(plain))
    return result


def _patched(field: Field | None, old: Any, new: Any, order: list[Any] | None) -> Any:
    if isinstance(new, dict):
        inner = field.type if field and field.is_message and field.shape != "{}" else None
        if field and field.shape == "[]":
            raise WrongType("an object stands where a list belongs")
        return strategic_patch(inner, old if isinstance(old, dict) else {}, new)
    if isinstance(new, list):
        if field and field.is_message and field.shape != "[]":
            raise WrongType("a list stands where an object belongs")
        if field and field.merged:
            had = old if isinstance(old, list) else []
            return _ordered(_merged(field, had, new), new if order is None else order, had, field)
    return new


def _merged(field: Field, old: list[Any], new: list[Any]) -> list[Any]:
    if not field.merge_key:
        return [*old, *(item for item in new if item not in old)]
    if any(isinstance(item, dict) and item.get("$patch") == "replace" for item in new):
        return [item for item in new if item.get("$patch") != "replace"]
    result = list(old)
    for item in new:
        key = _key(item, field)
        at = next((at for at, had in enumerate(result) if had.get(field.merge_key) == key), None)
        if item.get("$patch") == "delete":
            result = [had for had in result if had.get(field.merge_key) != key]
        elif at is None:
            result.append(strategic_patch(field.type, {}, item))
        else:
            result[at] = strategic_patch(field.type, result[at], item)
    return result


def _key(item: Any, field: Field) -> Any:
    if not isinstance(item, dict) or field.merge_key not in item:
        shown = " ".join(f"{k}:{v}" for k, v in sorted(item.items())) if isinstance(item, dict) else item
        raise NoMergeKey(f"map: map[{shown}] does not contain declared merge key: {field.merge_key}")
    return item[field.merge_key]


def _ordered(items: list[Any], order: list[Any], had: list[Any], field: Field | None) -> list[Any]:
    """What `order` names in its order, the others as they `had` been; where the two meet, a new item is first."""
    key = field.merge_key if field else ""

    def mark(item: Any) -> Any:
        return item.get(key) if key and isinstance(item, dict) else item

    wanted, before = [mark(item) for item in order], [mark(item) for item in had]
    named = sorted((item for item in items if mark(item) in wanted), key=lambda item: wanted.index(mark(item)))
    others = [item for item in items if mark(item) not in wanted]
    result = []
    while named and others:
        new, old = mark(named[0]), mark(others[0])
        old_first = new in before and before.index(old) < before.index(new)
        result.append((others if old_first else named).pop(0))
    return [*result, *named, *others]
