"""Label and field selectors: parsed once, then asked of each object. Text that cannot be read is a Problem.

Grammar and wording of apimachinery's `labels.Parse` and `fields.ParseSelector`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from deploy.sandbox.apiserver.kinds import Kind, Object
from deploy.sandbox.apiserver.problem import bad_request

_TOKEN = re.compile(r"\s*(==|!=|[=!,()]|[^\s=!,()]+)")
_WORD = re.compile(r"[^=!,()]+")


@dataclass(frozen=True, slots=True)
class Requirement:
    """`operator` is in, notin, exists or absent. What has no such key is `notin` any values."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def holds(self, have: str | None) -> bool:
        match self.operator:
            case "in":
                return have is not None and have in self.values
            case "notin":
                return have is None or have not in self.values
            case "exists":
                return have is not None
            case _:
                return have is None


@dataclass(frozen=True, slots=True)
class Selector:
    """Both selectors of a request; two empty ones select everything."""

    labels: tuple[Requirement, ...] = ()
    fields: tuple[Requirement, ...] = ()

    @property
    def selects_all(self) -> bool:
        return not self.labels and not self.fields

    def matches(self, o: Object) -> bool:
        labels: dict[str, str] = o["metadata"].get("labels", {})
        return all(one.holds(labels.get(one.key)) for one in self.labels) and all(
            one.holds(_at(o, one.key)) for one in self.fields
        )


def select(kind: Kind, labels: str, fields: str) -> Selector:
    """Raises Problem 400."""
    return Selector(_labels(labels), _fields(kind, fields))


def match_labels(selector: dict[str, Any]) -> Selector:
    """A LabelSelector of the API (matchLabels and matchExpressions)."""
    equal = [Requirement(key, "in", frozenset((value,))) for key, value in selector.get("matchLabels", {}).items()]
    names = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "absent"}
    said = selector.get("matchExpressions", ())
    more = [Requirement(one["key"], names[one["operator"]], frozenset(one.get("values", ()))) for one in said]
    return Selector((*equal, *more))


def shown(selector: dict[str, Any]) -> str:
    """A LabelSelector as tables show it."""
    equal = [f"{key}={value}" for key, value in sorted(selector.get("matchLabels", {}).items())]
    more = []
    for one in selector.get("matchExpressions", ()):
        values = ",".join(sorted(one.get("values", ())))
        words = {"In": f"{one['key']} in ({values})", "NotIn": f"{one['key']} notin ({values})", "Exists": one["key"]}
        more.append(words.get(one["operator"], f"!{one['key']}"))
    return ",".join(equal + more) or "<none>"


def _at(o: Object, path: str) -> str:
    value: Any = o
    for part in path.split("."):
        value = value.get(part, "") if isinstance(value, dict) else ""
    if isinstance(value, bool):
        return str(value).lower()
    if path == "source" and isinstance(value, dict):  # an event's source is selected by its component
        return str(value.get("component", ""))
    return "" if isinstance(value, (dict, list)) else str(value)


class _Tokens:
    """What is left of a label selector, token by token; an empty one at the end."""

    def __init__(self, text: str) -> None:
        self._left = _TOKEN.findall(text)[::-1]

    def peek(self) -> str:
        return self._left[-1] if self._left else ""

    def take(self) -> str:
        return self._left.pop() if self._left else ""

    def word(self) -> str:
        found = self.take()
        if not _WORD.fullmatch(found):
            raise _expected(found, "identifier")
        return found


def _expected(found: str, what: str) -> Exception:
    return bad_request(f"unable to parse requirement: found '{found}', expected: {what}")


def _labels(text: str) -> tuple[Requirement, ...]:
    tokens, found = _Tokens(text), []
    if tokens.peek() in (",", "(", ")", "=", "==", "!="):
        raise bad_request(f"found '{tokens.peek()}', expected: !, identifier, or 'end of string'")
    while tokens.peek():
        found.append(_requirement(tokens))
        if not tokens.peek():
            break
        if (comma := tokens.take()) != ",":
            raise bad_request(f"found '{comma}', expected: ',' or 'end of string'")
        if tokens.peek() != "!" and not _WORD.fullmatch(tokens.peek()):
            raise bad_request(f"found '{tokens.peek()}', expected: identifier after ','")
    return tuple(found)


def _requirement(tokens: _Tokens) -> Requirement:
    if tokens.peek() == "!":
        tokens.take()
        return Requirement(tokens.word(), "absent")
    key = tokens.word()
    operator = tokens.peek()
    if operator in ("", ","):
        return Requirement(key, "exists")
    tokens.take()
    if operator in ("=", "==", "!="):
        value = tokens.word() if tokens.peek() not in ("", ",") else ""
        return Requirement(key, "notin" if operator == "!=" else "in", frozenset((value,)))
    if operator in ("in", "notin"):
        return Requirement(key, operator, _values(tokens))
    raise _expected(operator, "in, notin, =, ==, !=, gt, lt")


def _values(tokens: _Tokens) -> frozenset[str]:
    if (opening := tokens.take()) != "(":
        raise bad_request(f"unable to parse requirement: found '{opening}' expected: '('")
    values = set()
    while True:
        values.add(tokens.word() if tokens.peek() not in (",", ")") else "")
        closing = tokens.take()
        if closing == ")":
            return frozenset(values)
        if closing != ",":
            raise _expected(closing, "',' or ')'")


def _fields(kind: Kind, text: str) -> tuple[Requirement, ...]:
    found = []
    for term in filter(None, text.split(",")):
        match = re.fullmatch(r"(.*?)(!=|==|=)(.*)", term)
        if match is None:
            raise bad_request(f"invalid selector: '{term}'; can't understand '{term}'")
        key, operator, value = match.groups()
        if key not in ("metadata.name", "metadata.namespace", *kind.selectable):
            raise bad_request(f"field label not supported: {key}")
        found.append(Requirement(key, "notin" if operator == "!=" else "in", frozenset((value,))))
    return tuple(found)
