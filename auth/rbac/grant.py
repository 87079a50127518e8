"""A role as it holds for one person on one cluster: its templates are filled in with who they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from auth.patterns import NameSet, PatternError, compile_pattern
from auth.rbac.attributes import Attributes
from auth.rbac.matching import PersonalRule
from auth.rbac.role import Role, Rule

MAX_RENDERED = 1024
"""Characters of a rendered user or group: it travels in a header line."""

TEMPLATE = re.compile(r"\{\{\s*(username|claims\.[A-Za-z0-9_]{1,64})\s*\}\}")
LEFTOVER = re.compile(r"\{\{|\}\}")


@dataclass(frozen=True, slots=True)
class Grant:
    """A role as it holds for one person on one cluster. `unusable` says why nothing of it can allow."""

    role: Role
    allow: tuple[PersonalRule, ...]
    deny: tuple[PersonalRule, ...]
    as_user: str | None
    as_groups: tuple[str, ...]
    unusable: str

    @property
    def tells_names_apart(self) -> bool:
        """Whether any of its rules is about names: where none is, what holds of one name holds of all."""
        return any(rule.names is not None for rule in (*self.allow, *self.deny))


def covers(role: Role, cluster: str, labels: Mapping[str, str]) -> bool:
    """Whether the role is about this cluster: a name of it fits, and all of its labels."""
    if not any(compile_pattern(p).matches(cluster) for p in role.cluster_names):
        return False
    return all(labels.get(key) == value for key, value in role.cluster_labels)


def grant_of(role: Role, a: Attributes, unusable: str, allowed_system_names: frozenset[str]) -> Grant:
    """`role` for the person in `a`. Never raises: what cannot be filled in allows nothing, and denies all it could."""
    as_user, as_groups = None, tuple[str, ...]()
    try:
        as_user = _render_identity(role.as_user, a, allowed_system_names) if role.as_user is not None else None
        as_groups = tuple(sorted({_render_identity(group, a, allowed_system_names) for group in role.as_groups}))
    except _UnrenderedError as error:
        unusable = unusable or str(error)
    return Grant(
        role,
        tuple(_rule(rule, f"allow[{i}]", a, deny=False) for i, rule in enumerate(role.allow)),
        tuple(_rule(rule, f"deny[{i}]", a, deny=True) for i, rule in enumerate(role.deny)),
        as_user,
        as_groups,
        unusable,
    )


def unfit(name: str, allowed_system_names: frozenset[str]) -> bool:
    """Whether a name cannot be sent: outer blanks are lost in a header and could hide `system:`."""
    plain = bool(name) and name == name.strip() and name.isprintable() and len(name) <= MAX_RENDERED
    return not plain or (name.casefold().startswith("system:") and name not in allowed_system_names)


def _rule(rule: Rule, label: str, a: Attributes, *, deny: bool) -> PersonalRule:
    unusable = "the rule looks at labels, which this version cannot do yet" if rule.labels else ""
    namespaces = names = None
    try:
        namespaces = _names(rule.namespaces, rule.except_namespaces, a)
        names = _names(rule.names, rule.except_names, a)
    except (_UnrenderedError, PatternError) as error:
        unusable, namespaces, names = str(error), None, None  # a denial that cannot be narrowed is not narrowed
    return PersonalRule(
        label,
        deny,
        frozenset(rule.verbs),
        frozenset(rule.api_groups),
        frozenset(rule.resources),
        namespaces,
        names,
        tuple(compile_pattern(url) for url in rule.non_resource_urls),
        unusable,
    )


def _names(include: tuple[str, ...] | None, exclude: tuple[str, ...], a: Attributes) -> NameSet | None:
    if include is None and not exclude:
        return None
    admitted = ("*",) if include is None else include
    return NameSet(
        tuple(compile_pattern(_render(p, a)) for p in admitted),
        tuple(compile_pattern(_render(p, a)) for p in exclude),
    )


class _UnrenderedError(Exception):
    pass


def _render(text: str, a: Attributes) -> str:
    """A template with one person's facts. A value must be a plain word: a `*` in a claim is not a wildcard."""

    def value(match: re.Match[str]) -> str:
        what = match[1]
        found = a.username if what == "username" else a.claims.get(what.removeprefix("claims."))
        if not isinstance(found, str) or not found or not found.isprintable() or any(c in found for c in "*?[]{}\\"):
            raise _UnrenderedError(f"your account has no usable {what}, which the role needs; tell your platform team")
        return found

    return TEMPLATE.sub(value, text)


def _render_identity(text: str, a: Attributes, allowed_system_names: frozenset[str]) -> str:
    """A user or group for the cluster: fit for a header, and no name of the system that came in by a claim."""
    rendered = _render(text, a)
    if unfit(rendered, allowed_system_names):
        raise _UnrenderedError(
            f"your role makes {rendered[:80]!r} of you, which is no name to send; tell your platform team"
        )
    return rendered
