"""Roles and bindings → Policy, or every mistake at once, each with its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from auth.patterns import PatternError, compile_pattern
from auth.rbac.grant import LEFTOVER, MAX_RENDERED, TEMPLATE, unfit
from auth.rbac.policy import Bound, Policy
from auth.rbac.role import (
    KUBERNETES_VERBS,
    OWN_VERBS,
    URL_VERBS,
    Condition,
    ConditionError,
    PolicyError,
    Role,
    RoleBinding,
    Rule,
    Source,
)

MIN_CERTIFICATE_SECONDS = 60
"""As the configuration's own `certificate_ttl`: below, clients would do little else than ask for the next."""


def compile_policy(
    roles: Sequence[Role],
    bindings: Sequence[RoleBinding],
    connectors: Sequence[str],
    *,
    allowed_system_names: Iterable[str] = (),
    condition: Callable[[str], Condition] | None = None,
) -> Policy:
    """Check everything and compile. `condition` compiles a `when`, raising ConditionError.

    Raises PolicyError with every mistake at once.
    """
    allowed = frozenset(allowed_system_names)
    known: dict[str, Role] = {}
    mistakes: list[str] = []
    for role in roles:
        found = [f"metadata.name: a second Role named {role.name!r}"] if role.name in known else []
        known[role.name] = role
        found += _role_mistakes(role, allowed)
        mistakes += _placed(found, role.source, f"Role {role.name}")
    compiled: list[Bound] = []
    names: set[str] = set()
    for binding in bindings:
        found = [f"metadata.name: a second RoleBinding named {binding.name!r}"] if binding.name in names else []
        names.add(binding.name)
        bound = known.get(binding.role)
        if bound is None:
            found.append(f"spec.role: there is no Role named {binding.role!r}")
        found += _subject_mistakes(binding, connectors)
        test = None
        if binding.when is not None:
            try:
                test = _condition(binding.when, condition)
            except ConditionError as error:
                found.append(f"spec.when: {error}")
        mistakes += _placed(found, binding.source, f"RoleBinding {binding.name}")
        if bound is not None:
            compiled.append((binding, bound, test))
    if mistakes:
        raise PolicyError(mistakes)
    return Policy(tuple(compiled), allowed)


def _placed(mistakes: Iterable[str], source: Source | None, otherwise: str) -> list[str]:
    """Each mistake behind the place of the path that it begins with."""
    return [f"{otherwise if source is None else source.at(text.partition(': ')[0])}: {text}" for text in mistakes]


def _condition(text: str, compile_condition: Callable[[str], Condition] | None) -> Condition:
    if compile_condition is None:
        raise ConditionError("conditions are not available here")
    return compile_condition(text)


def _subject_mistakes(binding: RoleBinding, connectors: Sequence[str]) -> list[str]:
    found = []
    if not binding.subjects:
        found.append("spec.subjects: empty; a binding without subjects binds nobody")
    for i, subject in enumerate(binding.subjects):
        where = f"spec.subjects[{i}]"
        if subject.kind not in ("Group", "User"):
            found.append(f"{where}.kind: {subject.kind!r}, expected Group or User")
        if not subject.name:
            found.append(f"{where}.name: empty")
        if subject.connector is None and len(connectors) != 1:
            found.append(
                f"{where}.connector: left out, which works where one is configured; here: {_listed(connectors)}"
            )
        if subject.connector is not None and subject.connector not in connectors:
            found.append(f"{where}.connector: {subject.connector!r} is not configured; here: {_listed(connectors)}")
    return found


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _role_mistakes(role: Role, allowed_system: frozenset[str]) -> list[str]:
    found = []
    for where, text in [("spec.as.user", role.as_user)] + [("spec.as.groups", g) for g in role.as_groups]:
        if text is None:
            continue
        found += _template_mistakes(where, text)
        if text.casefold().startswith("system:") and text not in allowed_system:
            found.append(
                f"{where}: {text!r} is a name of the system; list it in allowed_system_groups of the cluster first"
            )
        elif unfit(TEMPLATE.sub("x", text), allowed_system):
            found.append(f"{where}: {text[:80]!r}: a name is 1 to {MAX_RENDERED} characters without outer blanks")
    if not role.cluster_names:
        found.append("spec.clusters.names: empty; leave it out for all clusters")
    for text in role.cluster_names:
        found += _pattern_mistakes("spec.clusters.names", text, templates=False)
    ttl = role.options.certificate_ttl_seconds
    if ttl is not None and ttl < MIN_CERTIFICATE_SECONDS:
        found.append(f"spec.options.certificateTTL: {ttl:g}s, expected at least {MIN_CERTIFICATE_SECONDS}s")
    if role.options.record not in ("standard", "strict"):
        found.append(f"spec.options.record: {role.options.record!r}, expected standard or strict")
    for where, verbs in (("requireReason", role.options.require_reason), ("requireMFA", role.options.require_mfa)):
        found += _verb_mistakes(f"spec.options.{where}", verbs, KUBERNETES_VERBS | OWN_VERBS)
    for kind, rules in (("allow", role.allow), ("deny", role.deny)):
        for i, rule in enumerate(rules):
            found += [f"spec.{kind}[{i}].{text}" for text in _rule_mistakes(rule)]
    return found


def _rule_mistakes(rule: Rule) -> list[str]:
    known = URL_VERBS if rule.non_resource_urls else KUBERNETES_VERBS | OWN_VERBS
    found = _verb_mistakes("verbs", rule.verbs, known | {"*"})
    if not rule.verbs:
        found.append("verbs: empty; a rule without verbs matches nothing")
    if rule.non_resource_urls:
        found += _url_mistakes(rule)
    else:
        found += _resource_mistakes(rule)
    for where, patterns in (("namespaces", rule.namespaces), ("names", rule.names)):
        if patterns == ():
            found.append(f"{where}: empty; leave it out for all")
        for text in patterns or ():
            found += _pattern_mistakes(where, text)
    for where, patterns in (("namespaces.except", rule.except_namespaces), ("names.except", rule.except_names)):
        for text in patterns:
            found += _pattern_mistakes(where, text)
    return found


def _verb_mistakes(where: str, verbs: Sequence[str], known: Iterable[str]) -> list[str]:
    unknown = sorted(set(verbs).difference(known))
    return [f"{where}: {verb!r}: not a verb; expected some of {' '.join(sorted(known))}" for verb in unknown]


def _url_mistakes(rule: Rule) -> list[str]:
    found = []
    if (
        rule.resources
        or rule.api_groups
        or rule.namespaces
        or rule.names
        or rule.except_namespaces
        or rule.except_names
    ):
        found.append("nonResourceURLs: stand alone: no apiGroups, resources, namespaces or names beside them")
    for url in rule.non_resource_urls:
        if not url.startswith(("/", "*")):
            found.append(f"nonResourceURLs: {url!r}: expected a path that begins with /")
        found += _pattern_mistakes("nonResourceURLs", url, templates=False)
    return found


def _resource_mistakes(rule: Rule) -> list[str]:
    found = []
    if not rule.resources or not rule.api_groups:
        found.append('apiGroups: apiGroups and resources are both needed (the core group is "")')
    found += [
        f"apiGroups: {group!r}: expected a group without its version, such as apps, or *"
        for group in rule.api_groups
        if group != "*" and not re.fullmatch(r"[a-z0-9.-]*", group)
    ]
    for resource in rule.resources:
        if not re.fullmatch(r"\*|\*/[a-z0-9.-]+|[a-z0-9.-]+|[a-z0-9.-]+/[a-z0-9.-]+", resource):
            why = "expected a plural such as pods, with its subresource pods/log, */log for any resource's, or *"
            found.append(f"resources: {resource!r}: {why}")
    return found


def _template_mistakes(where: str, text: str) -> list[str]:
    if LEFTOVER.search(TEMPLATE.sub("", text)):
        return [f"{where}: {text!r}: a template is {{{{ username }}}} or {{{{ claims.NAME }}}}"]
    return []


def _pattern_mistakes(where: str, text: str, *, templates: bool = True) -> list[str]:
    if not templates and LEFTOVER.search(text):
        return [f"{where}: {text!r}: no templates here"]
    if mistakes := _template_mistakes(where, text):
        return mistakes
    try:
        compile_pattern(TEMPLATE.sub("x", text))
    except PatternError as error:
        return [f"{where}: {text!r}: {error}"]
    return []
