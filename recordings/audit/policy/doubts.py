"""What is hardly meant in an audit policy: rules that can never match, and rules that match more than they seem to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from recordings.audit.policy.level import Level
from recordings.audit.policy.policy import AuditPolicy
from recordings.audit.policy.rule import GroupResources, PolicyAttributes, PolicyRule

KUBERNETES_VERBS = frozenset(
    (
        "get",
        "list",
        "watch",
        "create",
        "update",
        "patch",
        "delete",
        "deletecollection",
        "head",
        "put",
        "post",
        "options",
    )
)
"""Verbs that an API server gives a request: of resources, and the HTTP methods of all else. There are no others."""
HOLD_SECRETS = (
    GroupResources("", ("secrets", "serviceaccounts/token")),
    GroupResources("authentication.k8s.io", ("tokenreviews",)),
)
"""Resources whose bodies are credentials."""
_BODIES = frozenset((Level.REQUEST, Level.REQUEST_RESPONSE))


@dataclass(frozen=True, slots=True)
class Doubt:
    """`rule` from 0 on; -1 for the policy as a whole."""

    rule: int
    message: str


def doubts(policy: AuditPolicy) -> list[Doubt]:
    """Everything, in the order of the rules."""
    found = [Doubt(number, text) for number, rule in enumerate(policy.rules) for text in _of_rule(policy, number, rule)]
    if not policy.rules:
        found.append(Doubt(-1, "there is no rule, so nothing is exported"))
    elif not _covers_everything(policy.rules[-1]):
        found.append(Doubt(-1, "what no rule speaks of is level None; end with a rule that only has a level"))
    return found


def _of_rule(policy: AuditPolicy, number: int, rule: PolicyRule) -> Iterator[str]:
    for before, earlier in enumerate(policy.rules[:number]):
        if covers(earlier, rule):
            yield f"can never match: {policy.label(before)!r} before it speaks of all that this one does"
            break
    unknown = [verb for verb in rule.verbs if verb not in KUBERNETES_VERBS]
    if unknown:
        yield f"no request has the verb {', '.join(unknown)}; exec is get (WebSocket) or create (SPDY) on pods/exec"
    if not rule.name:
        yield "has no comment above it that could be its name"
    exposed = [] if rule.level not in _BODIES else _exposed(policy.rules[:number], rule)
    if exposed:
        yield f"records bodies of {', '.join(exposed)}; put a rule of level Metadata for them before it"
    yield from _wide(rule)


def _exposed(earlier: tuple[PolicyRule, ...], rule: PolicyRule) -> list[str]:
    """What holds secrets, and reaches this rule."""
    found = []
    for group in HOLD_SECRETS:
        for resource in group.resources:
            one = replace(rule, resources=(GroupResources(group.group, (resource,)),), non_resource_urls=())
            asked = PolicyAttributes("", frozenset(), "", is_resource_request=True, api_group=group.group)
            asked = replace(asked, resource=resource.partition("/")[0], subresource=resource.partition("/")[2])
            reaches = replace(rule, users=(), user_groups=(), verbs=(), namespaces=()).matches(asked)
            if reaches and not any(covers(before, one) for before in earlier):
                found.append(resource)
    return found


def _wide(rule: PolicyRule) -> Iterator[str]:
    for group in rule.resources:
        if group.group not in ("", "*") and set(group.resources) & {"pods", "secrets", "configmaps", "services"}:
            yield f'group {group.group!r} has no {", ".join(group.resources)}; they are in the core group, written ""'
        if group.group == "" and set(group.resources) & {"deployments", "daemonsets", "statefulsets", "replicasets"}:
            yield "the core group has no deployments, daemonsets, statefulsets or replicasets; they are in apps"
        for pattern in group.resources:
            if pattern.endswith("/*") and pattern != "*/*":
                yield f"{pattern!r} also matches {pattern[:-2]!r} itself"


def covers(wide: PolicyRule, narrow: PolicyRule) -> bool:
    """Whether `wide` surely speaks of every request that `narrow` speaks of; False where that cannot be told."""
    return (
        _any_or_all(wide.users, narrow.users)
        and _any_or_all(wide.user_groups, narrow.user_groups)
        and _any_or_all(wide.verbs, narrow.verbs)
        and _covers_subjects(wide, narrow)
    )


def _any_or_all(wide: tuple[str, ...], narrow: tuple[str, ...]) -> bool:
    return not wide or (bool(narrow) and set(narrow) <= set(wide))


def _covers_subjects(wide: PolicyRule, narrow: PolicyRule) -> bool:
    if not wide.speaks_of_resources_only:
        if not wide.non_resource_urls:
            return True
        return bool(narrow.non_resource_urls) and all(
            any(_url_covers(one, url) for one in wide.non_resource_urls) for url in narrow.non_resource_urls
        )
    if not narrow.speaks_of_resources_only or not _any_or_all(wide.namespaces, narrow.namespaces):
        return False
    if not wide.resources:
        return True
    return bool(narrow.resources) and all(
        any(_group_covers(one, group) for one in wide.resources) for group in narrow.resources
    )


def _url_covers(wide: str, narrow: str) -> bool:
    if wide in ("*", narrow):
        return True
    return wide.endswith("*") and narrow.rstrip("*").startswith(wide.rstrip("*"))


def _group_covers(wide: GroupResources, narrow: GroupResources) -> bool:
    if wide.group not in ("*", narrow.group):
        return False
    if not wide.resources:
        return True
    if wide.resource_names and not (narrow.resource_names and set(narrow.resource_names) <= set(wide.resource_names)):
        return False
    return bool(narrow.resources) and all(
        any(_pattern_covers(one, pattern) for one in wide.resources) for pattern in narrow.resources
    )


def _pattern_covers(wide: str, narrow: str) -> bool:
    if wide in ("*", narrow):
        return True
    resource, _, subresource = narrow.partition("/")
    if wide.startswith("*/"):
        return bool(subresource) and subresource == wide[2:]
    return wide.endswith("/*") and resource == wide[:-2]


def _covers_everything(rule: PolicyRule) -> bool:
    return covers(rule, PolicyRule(Level.NONE))
