"""Roles, bindings and the verdict (design, section 6). Pure: compiled once, asked at every request.

Deny wins; no match is deny; an empty policy denies. A rule that would need something this version does not do
(labels of objects, a reason, a second factor) refuses with a sentence instead of allowing too much.

Every bound person may `get` the discovery paths of a cluster they have a role for: without `/api`, `/apis`,
`/openapi` and `/version` no kubectl works, and the cluster's own `system:discovery` decides about them again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from typing import Protocol

from auth.patterns import NameSet, Pattern, PatternError, compile_pattern

KUBERNETES_VERBS = frozenset(
    ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "head")
)
OWN_VERBS = frozenset(("exec", "attach", "portforward", "proxy", "debug", "mint", "impersonate", "escalate", "bind"))
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
CACHED_PEOPLE = 2048
"""Grants kept: one per person, groups and cluster."""
CACHED_VERDICTS = 8192

_TEMPLATE = re.compile(r"\{\{\s*(username|claims\.[A-Za-z0-9_]{1,64})\s*\}\}")
_LEFTOVER = re.compile(r"\{\{|\}\}")


class Decision(IntEnum):
    """Zero means no."""

    DENY = 0
    ALLOW = 1


class PolicyError(ValueError):
    """Everything wrong with a set of roles: `mistakes` are (where, what, expected)."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of `allow` or `deny`, as written."""

    verbs: tuple[str, ...]
    api_groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    namespaces: tuple[str, ...] | None = None
    except_namespaces: tuple[str, ...] = ()
    names: tuple[str, ...] | None = None
    except_names: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    requestable: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """Obligations; of several roles' the strictest holds."""

    certificate_ttl_seconds: float | None = None
    record: str = "standard"
    require_reason: tuple[str, ...] = ()
    require_mfa: tuple[str, ...] = ()
    max_streams: int | None = None


@dataclass(frozen=True, slots=True)
class Role:
    name: str
    cluster_names: tuple[str, ...] = ("*",)
    cluster_labels: tuple[tuple[str, str], ...] = ()
    as_user: str | None = None
    as_groups: tuple[str, ...] = ()
    allow: tuple[Rule, ...] = ()
    deny: tuple[Rule, ...] = ()
    options: Options = Options()
    source: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    kind: str  # Group or User
    name: str
    connector: str | None = None


@dataclass(frozen=True, slots=True)
class RoleBinding:
    name: str
    role: str
    subjects: tuple[Subject, ...]
    when: str | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Attributes:
    """One effect, asked about. Empty text means the request has none."""

    connector: str
    username: str
    groups: tuple[str, ...]
    claims: Mapping[str, object] = field(hash=False, compare=False)
    cluster: str
    cluster_labels: Mapping[str, str] = field(hash=False, compare=False)
    verb: str
    api_group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    path: str
    is_resource_request: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer, with its reason as a sentence for the person. `attributes`: the effect that decided."""

    decision: Decision
    role: str = ""
    rule: str = ""
    reason: str = "no role allows this"
    as_user: str | None = None
    as_groups: tuple[str, ...] = ()
    options: Options = Options()
    attributes: Attributes | None = None


class Condition(Protocol):
    """A compiled `when`: true admits. An error counts as false."""

    def __call__(self, username: str, groups: tuple[str, ...], claims: Mapping[str, object]) -> bool: ...


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A rule with its templates filled in for one person."""

    label: str
    verbs: frozenset[str]
    any_verb: bool
    groups: frozenset[str]
    resources: frozenset[str]
    namespaces: NameSet | None
    names: NameSet | None
    urls: tuple[Pattern, ...]
    unsupported: str

    def matches(self, a: Attributes) -> bool:
        if not (self.any_verb or a.verb in self.verbs):
            return False
        if not a.is_resource_request:
            return any(url.matches(a.path) for url in self.urls)
        if not self.groups or not ("*" in self.groups or a.api_group in self.groups):
            return False
        if not self._resource(a.resource, a.subresource):
            return False
        if self.namespaces is not None and (not a.namespace or not self.namespaces.matches(a.namespace)):
            return False
        return self.names is None or (bool(a.name) and self.names.matches(a.name))

    def _resource(self, resource: str, subresource: str) -> bool:
        wanted = self.resources
        if "*" in wanted:
            return True
        if not subresource:
            return resource in wanted
        return f"{resource}/{subresource}" in wanted or f"*/{subresource}" in wanted


@dataclass(frozen=True, slots=True)
class _Grant:
    role: Role
    allow: tuple[_Compiled, ...]
    deny: tuple[_Compiled, ...]
    as_user: str | None
    as_groups: tuple[str, ...]
    unrendered: str


class Policy:
    """Compiled roles. `decide` answers for one effect, `decide_all` for a whole request."""

    def __init__(self, bindings: tuple[tuple[RoleBinding, Role, Condition | None], ...]) -> None:
        self._bindings = bindings
        self._grants: dict[tuple[object, ...], tuple[_Grant, ...]] = {}
        self._verdict = lru_cache(CACHED_VERDICTS)(self._decide)

    def decide(self, attributes: Attributes) -> Verdict:
        return self._decide(attributes)

    def decide_all(self, wanted: Sequence[Attributes]) -> Verdict:
        """Allowed if every effect is; groups are the union, `as.user` must agree. No effects: denied."""
        verdicts = [self._decide(a) for a in wanted]
        if not verdicts:
            return Verdict(Decision.DENY, reason="the request has no effect that a role could allow")
        for verdict in verdicts:
            if verdict.decision is not Decision.ALLOW:
                return verdict
        if len(verdicts) == 1:
            return verdicts[0]
        users = {v.as_user for v in verdicts if v.as_user is not None}
        if len(users) > 1:
            return _disagree(users, wanted[0])
        groups = tuple(sorted({g for v in verdicts for g in v.as_groups}))
        first = verdicts[0]
        return Verdict(
            Decision.ALLOW,
            first.role,
            first.rule,
            first.reason,
            next(iter(users), None),
            groups,
            first.options,
            first.attributes,
        )

    def _decide(self, a: Attributes) -> Verdict:
        grants = self._for(a)
        if not grants:
            return Verdict(
                Decision.DENY,
                reason=f"no role of yours covers cluster {a.cluster!r}; ask your platform team for one",
                attributes=a,
            )
        for grant in grants:
            for rule in grant.deny:
                if rule.unsupported or rule.matches(a):
                    why = rule.unsupported or f"{_what(a)} is denied by role {grant.role.name}, {rule.label}"
                    return Verdict(Decision.DENY, grant.role.name, rule.label, why, attributes=a)
        return self._allow(a, grants)

    def _allow(self, a: Attributes, grants: tuple[_Grant, ...]) -> Verdict:
        matched: list[tuple[_Grant, _Compiled]] = []
        hint = ""
        for grant in grants:
            for rule in grant.allow:
                if rule.matches(a):
                    if rule.unsupported or grant.unrendered:
                        hint = rule.unsupported or grant.unrendered
                        continue
                    matched.append((grant, rule))
                    break
        if not matched:
            if not a.is_resource_request and a.verb in ("get", "head") and a.path in _DISCOVERY_CACHE:
                ready = [g for g in grants if not g.unrendered]
                if ready:
                    return self._granted(a, [(ready[0], _DISCOVERY_RULE)])
            names = ", ".join(sorted({g.role.name for g in grants}))
            return Verdict(
                Decision.DENY,
                grants[0].role.name,
                "",
                hint or f"{_what(a)} is not allowed by your roles ({names})",
                attributes=a,
            )
        return self._granted(a, matched)

    def _granted(self, a: Attributes, matched: list[tuple[_Grant, _Compiled]]) -> Verdict:
        users = {g.as_user for g, _ in matched if g.as_user is not None}
        if len(users) > 1:
            return _disagree(users, a)
        groups = tuple(sorted({name for g, _ in matched for name in g.as_groups}))
        grant, rule = matched[0]
        return Verdict(
            Decision.ALLOW,
            grant.role.name,
            rule.label,
            f"allowed by role {grant.role.name}, {rule.label}",
            next(iter(users), None),
            groups,
            _strictest([g.role.options for g, _ in matched]),
            a,
        )

    def _for(self, a: Attributes) -> tuple[_Grant, ...]:
        """The roles bound to this person on this cluster, templates filled in."""
        key = (a.connector, a.username, a.groups, _frozen(a.claims), a.cluster, tuple(sorted(a.cluster_labels.items())))
        grants = self._grants.get(key)
        if grants is None:
            if len(self._grants) >= CACHED_PEOPLE:
                self._grants.clear()
            grants = tuple(_grant(role, a) for role in self._roles_of(a) if _covers(role, a.cluster, a.cluster_labels))
            self._grants[key] = grants
        return grants

    def _roles_of(self, a: Attributes) -> list[Role]:
        found: dict[str, Role] = {}
        for binding, role, condition in self._bindings:
            if role.name in found or not any(_is(subject, a) for subject in binding.subjects):
                continue
            if condition is None or condition(a.username, a.groups, a.claims):
                found[role.name] = role
        return [found[name] for name in sorted(found)]

    def clusters_of(self, a: Attributes) -> bool:
        """Whether any role of the person covers the cluster named in `a`."""
        return bool(self._for(a))


def _is(subject: Subject, a: Attributes) -> bool:
    if subject.connector is not None and subject.connector != a.connector:
        return False
    return subject.name in a.groups if subject.kind == "Group" else subject.name == a.username


def _covers(role: Role, cluster: str, labels: Mapping[str, str]) -> bool:
    if not any(compile_pattern(p).matches(cluster) for p in role.cluster_names):
        return False
    return all(labels.get(key) == value for key, value in role.cluster_labels)


def _frozen(claims: Mapping[str, object]) -> str:
    return repr(sorted(claims.items())) if claims else ""


def _strictest(options: list[Options]) -> Options:
    lifetimes = [o.certificate_ttl_seconds for o in options if o.certificate_ttl_seconds is not None]
    streams = [o.max_streams for o in options if o.max_streams is not None]
    return Options(
        min(lifetimes, default=None),
        "strict" if any(o.record == "strict" for o in options) else "standard",
        tuple(sorted({v for o in options for v in o.require_reason})),
        tuple(sorted({v for o in options for v in o.require_mfa})),
        min(streams, default=None),
    )


def _disagree(users: Iterable[str], a: Attributes) -> Verdict:
    names = " and ".join(sorted(users))
    return Verdict(
        Decision.DENY,
        "",
        "",
        f"your roles disagree about as whom the cluster shall see you ({names}); tell your platform team",
        attributes=a,
    )


def _what(a: Attributes) -> str:
    if not a.is_resource_request:
        return f'"{a.verb}" of path "{a.path}" on cluster "{a.cluster}"'
    resource = a.resource + (f"/{a.subresource}" if a.subresource else "") + (f".{a.api_group}" if a.api_group else "")
    where = f' in namespace "{a.namespace}"' if a.namespace else " at the cluster scope"
    named = f' "{a.name}"' if a.name else ""
    return f'"{a.verb}" of {resource}{named}{where} on cluster "{a.cluster}"'


# -- templates


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

    return _TEMPLATE.sub(value, text)


def _grant(role: Role, a: Attributes) -> _Grant:
    try:
        as_user = _render(role.as_user, a) if role.as_user is not None else None
        as_groups = tuple(_render(group, a) for group in role.as_groups)
        unrendered = ""
    except _UnrenderedError as error:
        as_user, as_groups, unrendered = None, (), str(error)
    return _Grant(
        role,
        tuple(_rule(rule, f"allow[{i}]", a, deny=False, options=role.options) for i, rule in enumerate(role.allow)),
        tuple(_rule(rule, f"deny[{i}]", a, deny=True, options=Options()) for i, rule in enumerate(role.deny)),
        as_user,
        as_groups,
        unrendered,
    )


def _rule(rule: Rule, label: str, a: Attributes, *, deny: bool, options: Options) -> _Compiled:
    unsupported = _unsupported(rule, options)
    try:
        namespaces = _names(rule.namespaces, rule.except_namespaces, a)
        names = _names(rule.names, rule.except_names, a)
    except _UnrenderedError as error:
        unsupported, namespaces, names = str(error), None, None
    verbs = frozenset(rule.verbs)
    resources = set(rule.resources)
    for resource in rule.resources:  # `create pods/exec` written the Kubernetes way means exec
        base, _, stream = resource.partition("/")
        if base == "pods" and stream in ("exec", "attach", "portforward") and (verbs & {"create", "*"}):
            verbs |= {stream}
            resources.add("pods")
    if "*" in verbs:
        verbs |= KUBERNETES_VERBS
    return _Compiled(
        label,
        verbs,
        deny and "*" in rule.verbs,
        frozenset(rule.api_groups),
        frozenset(resources),
        namespaces,
        names,
        tuple(compile_pattern(url) for url in rule.non_resource_urls),
        unsupported,
    )


def _names(include: tuple[str, ...] | None, exclude: tuple[str, ...], a: Attributes) -> NameSet | None:
    if include is None and not exclude:
        return None
    return NameSet(
        tuple(compile_pattern(_render(p, a)) for p in include or ("*",)),
        tuple(compile_pattern(_render(p, a)) for p in exclude),
    )


def _unsupported(rule: Rule, options: Options) -> str:
    if rule.labels:
        return "a rule of your role looks at labels, which this version cannot do yet, so it refuses"
    for verb in rule.verbs:
        if verb in options.require_reason:
            return f"your role asks for a reason for {verb}, which this version cannot take yet, so it refuses"
        if verb in options.require_mfa:
            return f"your role asks for a second factor for {verb}, which this version cannot ask yet, so it refuses"
    return ""


class _Discovery:
    def __init__(self) -> None:
        self._patterns = tuple(compile_pattern(url) for url in DISCOVERY)

    def __contains__(self, path: str) -> bool:
        return any(p.matches(path) for p in self._patterns)


_DISCOVERY_CACHE = _Discovery()
_DISCOVERY_RULE = _Compiled(
    "discovery", frozenset(("get", "head")), False, frozenset(), frozenset(), None, None, (), ""
)


# -- compilation


def compile_policy(
    roles: Sequence[Role],
    bindings: Sequence[RoleBinding],
    connectors: Sequence[str],
    *,
    allowed_system_names: Iterable[str] = (),
    condition: Callable[[str], Condition] | None = None,
) -> Policy:
    """Check everything and compile. Raises PolicyError with every mistake at once."""
    mistakes: list[str] = []
    known: dict[str, Role] = {}
    allowed = frozenset(allowed_system_names)
    for role in roles:
        where = role.source or f"Role {role.name}"
        if role.name in known:
            mistakes.append(f"{where}: the name {role.name!r} is used twice")
        known[role.name] = role
        mistakes += [f"{where}: {text}" for text in _role_mistakes(role, allowed)]
    compiled: list[tuple[RoleBinding, Role, Condition | None]] = []
    for binding in bindings:
        where = binding.source or f"RoleBinding {binding.name}"
        found = known.get(binding.role)
        if found is None:
            mistakes.append(f"{where}: spec.role: there is no Role named {binding.role!r}")
        if not binding.subjects:
            mistakes.append(f"{where}: spec.subjects: empty; a binding without subjects binds nobody")
        for i, subject in enumerate(binding.subjects):
            mistakes += [f"{where}: spec.subjects[{i}]: {text}" for text in _subject_mistakes(subject, connectors)]
        test = None
        if binding.when is not None:
            if condition is None:
                mistakes.append(f"{where}: spec.when: expressions are not available here")
            else:
                try:
                    test = condition(binding.when)
                except ValueError as error:
                    mistakes.append(f"{where}: spec.when: {error}")
        if found is not None:
            compiled.append((binding, found, test))
    if mistakes:
        raise PolicyError(mistakes)
    return Policy(tuple(compiled))


def _subject_mistakes(subject: Subject, connectors: Sequence[str]) -> list[str]:
    found = []
    if subject.kind not in ("Group", "User"):
        found.append(f"kind: {subject.kind!r}, expected Group or User")
    if not subject.name:
        found.append("name: empty")
    if subject.connector is None and len(connectors) > 1:
        found.append(f"connector: left out, but several are configured: {', '.join(connectors)}")
    if subject.connector is not None and subject.connector not in connectors:
        found.append(f"connector: {subject.connector!r} is not configured")
    return found


def _role_mistakes(role: Role, allowed_system: frozenset[str]) -> list[str]:
    found = []
    for where, text in [("spec.as.user", role.as_user)] + [("spec.as.groups", g) for g in role.as_groups]:
        if text is None:
            continue
        if _LEFTOVER.search(_TEMPLATE.sub("", text)):
            found.append(f"{where}: {text!r}: a template is {{{{ username }}}} or {{{{ claims.NAME }}}}")
        if text.casefold().startswith("system:") and text not in allowed_system:
            found.append(
                f"{where}: {text!r} is a name of the system; list it in the cluster's allowed_system_groups first"
            )
    if not role.as_groups:
        found.append("spec.as.groups: empty; at least one group is what the cluster's own RBAC binds to")
    if role.options.record not in ("standard", "strict"):
        found.append(f"spec.options.record: {role.options.record!r}, expected standard or strict")
    for kind, rules in (("allow", role.allow), ("deny", role.deny)):
        for i, rule in enumerate(rules):
            found += [f"spec.{kind}[{i}]: {text}" for text in _rule_mistakes(rule)]
    found += _pattern_mistakes("spec.clusters.names", role.cluster_names)
    return found


def _rule_mistakes(rule: Rule) -> list[str]:
    found = []
    if not rule.verbs:
        found.append("verbs: empty; a rule without verbs matches nothing")
    unknown = sorted(set(rule.verbs) - KUBERNETES_VERBS - OWN_VERBS - {"*", "post", "put", "options", "use"})
    if unknown:
        found.append(
            f"verbs: {', '.join(unknown)}: not a verb; Kubernetes' are get list watch create update patch delete "
            f"deletecollection, ours {' '.join(sorted(OWN_VERBS))}"
        )
    if rule.non_resource_urls:
        if rule.resources or rule.api_groups:
            found.append("nonResourceURLs stand alone: a rule has them or apiGroups and resources")
        if any(not url.startswith(("/", "*")) for url in rule.non_resource_urls):
            found.append("nonResourceURLs: each begins with /")
    elif not rule.resources or not rule.api_groups:
        found.append('apiGroups and resources: both are needed (the core group is "")')
    for name, patterns in (
        ("namespaces", rule.namespaces or ()),
        ("names", rule.names or ()),
        ("except", rule.except_namespaces + rule.except_names),
    ):
        found += _pattern_mistakes(name, patterns)
    return found


def _pattern_mistakes(where: str, patterns: Sequence[str]) -> list[str]:
    found = []
    for text in patterns:
        plain = _TEMPLATE.sub("x", text)
        try:
            compile_pattern(plain)
        except PatternError as error:
            found.append(f"{where}: {text!r}: {error}")
    return found
