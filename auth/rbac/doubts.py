"""What is right by the letter in a set of roles, and yet hardly what was meant; mistakes are `compile_policy`'s."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from auth.rbac.matching import OWN_GROUP
from auth.rbac.role import Role, RoleBinding, Rule, Source


def doubts(roles: Sequence[Role], bindings: Sequence[RoleBinding]) -> list[str]:
    """A sentence for each, behind its place."""
    bound = {binding.role for binding in bindings}
    return [
        f"{_place(role.source, path, role.name)}: {path}: {text}"
        for role in roles
        for path, text in _of(role, is_bound=role.name in bound)
    ]


def _place(source: Source | None, path: str, name: str) -> str:
    return f"Role {name}" if source is None else source.at(path)


def _of(role: Role, *, is_bound: bool) -> Iterator[tuple[str, str]]:
    if not is_bound:
        yield "metadata.name", "no RoleBinding gives this role to anybody"
    if not role.allow and not role.deny:
        yield "spec", "neither allows nor denies anything"
    if not role.as_groups and any(set(rule.api_groups) != {OWN_GROUP} for rule in role.allow):
        yield "spec.as.groups", "none, so that what this role alone allows is refused: a request must carry a group"
    for kind, rules in (("allow", role.allow), ("deny", role.deny)):
        for i, rule in enumerate(rules):
            yield from ((f"spec.{kind}[{i}]{path}", text) for path, text in _of_rule(rule, allow=kind == "allow"))
    yield from _unheeded(role)


def _of_rule(rule: Rule, *, allow: bool) -> Iterator[tuple[str, str]]:
    if rule.labels:
        effect = "allows nothing" if allow else "denies whatever it is about, whichever its labels"
        yield ".labels", f"this version cannot look at them: the rule {effect}"
    if rule.requestable:
        yield ".requestable", "this version knows no requests for access: the rule stays as it is"


def _unheeded(role: Role) -> Iterator[tuple[str, str]]:
    """Options that this version cannot keep, or not as one would think."""
    for name, verbs in (("requireReason", role.options.require_reason), ("requireMFA", role.options.require_mfa)):
        if verbs:
            yield f"spec.options.{name}", f"this version cannot ask, so it refuses: {' '.join(verbs)}"
    if role.options.hide_unechoed_input and role.options.record == "strict":
        text = "strict recordings store input before its echo can come, so of all that is typed they keep the length"
        yield "spec.options.hideUnechoedInput", text
