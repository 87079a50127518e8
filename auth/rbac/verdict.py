"""The verdict: what the grants of one person say of one effect, with the reason as a sentence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum

from auth.patterns import compile_pattern
from auth.rbac.attributes import Attributes
from auth.rbac.grant import Grant
from auth.rbac.matching import COLLECTION_VERBS, Match, PersonalRule
from auth.rbac.role import NO_OPTIONS, Options, strictest

DISCOVERY = (
    "/api",
    "/api/*",
    "/apis",
    "/apis/*",
    "/openapi",
    "/openapi/*",
    "/version",
    "/version/",
    "/healthz",
    "/livez",
    "/readyz",
)
_DISCOVERY = tuple(compile_pattern(url) for url in DISCOVERY)


class Decision(IntEnum):
    """Zero means no."""

    DENY = 0
    ALLOW = 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer, with its reason as a sentence for the person. `attributes`: the effect that was refused."""

    decision: Decision
    role: str = ""
    rule: str = ""
    reason: str = "no role allows this"
    as_user: str | None = None
    as_groups: tuple[str, ...] = ()
    options: Options = NO_OPTIONS
    attributes: Attributes | None = None


def verdict_of(a: Attributes, grants: tuple[Grant, ...]) -> Verdict:
    """Denied if any grant denies, allowed if any allows; no grant and no match are denied."""
    if not grants:
        why = f"no role of yours covers cluster {a.cluster!r}; ask your platform team for one"
        return Verdict(Decision.DENY, reason=why, attributes=a)
    for grant in grants:
        for rule in grant.deny:
            match = rule.match(a)
            if match is not Match.NO:
                return _denied(a, grant, rule, match)
    return _allowed(a, grants)


def combined(verdicts: Iterable[Verdict]) -> Verdict:
    """One for all effects of a request: the first refusal, or all permissions; of none, a refusal.

    What follows a refusal is not asked for.
    """
    allowed: list[Verdict] = []
    for verdict in verdicts:
        if verdict.decision is not Decision.ALLOW:
            return verdict
        allowed.append(verdict)
    if not allowed:
        return Verdict(Decision.DENY, reason="the request has no effect that a role could allow")
    first = allowed[0]
    if len(allowed) == 1:
        return first
    users = {v.as_user for v in allowed if v.as_user is not None}
    if len(users) > 1:
        return _disagree(users, first.role, None)
    return replace(
        first,
        as_user=next(iter(users), None),
        as_groups=tuple(sorted({g for v in allowed for g in v.as_groups})),
        options=strictest([v.options for v in allowed]),
    )


def _denied(a: Attributes, grant: Grant, rule: PersonalRule, match: Match) -> Verdict:
    where = f"role {grant.role.name}, {rule.label}"
    if rule.unusable:
        why = f"{_what(a)} is denied by {where}: {rule.unusable}"
    elif match is Match.PARTLY:
        why = f"{_what(a)} could reach what {where}, denies, and lists cannot be filtered yet; {_narrower(a)}"
    else:
        why = f"{_what(a)} is denied by {where}"
    return Verdict(Decision.DENY, grant.role.name, rule.label, why, attributes=a)


def _allowed(a: Attributes, grants: tuple[Grant, ...]) -> Verdict:
    """The verdict when nothing denies."""
    matched: list[tuple[Grant, str]] = []
    hint: tuple[str, str, str] | None = None
    for grant in grants:
        for rule in grant.allow:
            match = rule.match(a)
            if match is Match.NO:
                continue
            unusable = grant.unusable or rule.unusable
            if match is Match.YES and not unusable:
                matched.append((grant, rule.label))
                break
            hint = hint or (grant.role.name, rule.label, unusable or f"the rule covers a part of it; {_narrower(a)}")
    if matched:
        return _granted(a, matched)
    if not a.is_resource_request and a.verb in ("get", "head") and any(url.matches(a.path) for url in _DISCOVERY):
        usable = next((grant for grant in grants if not grant.unusable), None)
        if usable is not None:
            return _granted(a, [(usable, "discovery")])
    if hint is not None:
        role, label, why = hint
        return Verdict(
            Decision.DENY, role, label, f"{_what(a)} is not allowed by role {role}, {label}: {why}", attributes=a
        )
    names = ", ".join(grant.role.name for grant in grants)
    why = f"{_what(a)} is not allowed by your roles ({names})"
    return Verdict(Decision.DENY, grants[0].role.name, "", why, attributes=a)


def _granted(a: Attributes, matched: list[tuple[Grant, str]]) -> Verdict:
    grant, label = matched[0]
    if len(matched) == 1:
        user, groups, options = grant.as_user, grant.as_groups, grant.role.options
    else:
        users = {g.as_user for g, _ in matched if g.as_user is not None}
        if len(users) > 1:
            return _disagree(users, grant.role.name, a)
        user = next(iter(users), None)
        groups = tuple(sorted({name for g, _ in matched for name in g.as_groups}))
        options = strictest([g.role.options for g, _ in matched])
    for asked, what in ((options.require_reason, "a reason"), (options.require_mfa, "a second factor")):
        if a.verb in asked:
            why = f"{_what(a)} needs {what} by your role, which this version cannot ask for yet, so it is refused"
            return Verdict(Decision.DENY, grant.role.name, label, why, attributes=a)
    why = f"allowed by role {grant.role.name}, {label}"
    return Verdict(Decision.ALLOW, grant.role.name, label, why, user, groups, options)


def _disagree(users: Iterable[str], role: str, a: Attributes | None) -> Verdict:
    names = " and ".join(sorted(users))
    why = f"your roles disagree about as whom the cluster shall see you ({names}); tell your platform team"
    return Verdict(Decision.DENY, role, "", why, attributes=a)


def _narrower(a: Attributes) -> str:
    """What a person can do about a rule that covers a part only."""
    if a.verb not in COLLECTION_VERBS:
        return "the rule is about names, and this request names nothing"
    return "name one object" if a.namespace else "name a namespace (-n) or one object"


def _what(a: Attributes) -> str:
    if not a.is_resource_request:
        return f'"{a.verb}" of path "{a.path}" on cluster "{a.cluster}"'
    resource = a.resource + (f"/{a.subresource}" if a.subresource else "") + (f".{a.api_group}" if a.api_group else "")
    where = f' in namespace "{a.namespace}"' if a.namespace else " at the cluster scope"
    named = f' "{a.name}"' if a.name else ""
    return f'"{a.verb}" of {resource}{named}{where} on cluster "{a.cluster}"'
