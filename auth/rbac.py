"""Roles, bindings and the verdict (design, section 6). Pure: compiled once, asked at every request.

Deny wins; no match is deny; an empty policy denies. Where design leaves room, the narrower reading holds:

- A rule written in Kubernetes' verbs never *allows* an own verb, except `create pods/exec` (attach, portforward)
  spelled out. It does *deny* every own verb that Kubernetes would ask those verbs for: `create *` takes exec away.
- A denial that covers a part of a list (by name or namespace) refuses the list; a permission that does refuses it too,
  until lists are filtered. Rules that look at labels, ask for a reason or a second factor refuse with a sentence.
- A template or condition that cannot be evaluated takes away what the role permits, never what it denies.

Every bound person may `get` the discovery paths of a cluster they have a role for (DISCOVERY): without `/api`, `/apis`,
`/openapi` and `/version` no kubectl works, and the cluster's own `system:discovery` decides about them again.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Protocol

from auth.patterns import NameSet, Pattern, PatternError, compile_pattern

KUBERNETES_VERBS = frozenset(("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"))
URL_VERBS = frozenset(("get", "head", "post", "put", "patch", "delete", "options"))
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
"""Sets of grants kept, least recently used first out: one per person, claims and cluster, some 10 KiB each."""
MAX_RENDERED = 1024
"""Characters of a rendered user or group: it travels in a header line."""

_COLLECTION_VERBS = frozenset(("list", "watch", "deletecollection"))
_STREAMS = frozenset(("exec", "attach", "portforward"))
_CHANGES = frozenset(("create", "update", "patch"))
_ACTS: Mapping[str, tuple[str, frozenset[str]]] = {
    "exec": ("exec", frozenset(("get", "create"))),
    "attach": ("attach", frozenset(("get", "create"))),
    "portforward": ("portforward", frozenset(("get", "create"))),
    "proxy": ("proxy", frozenset(("get", "create", "update", "patch", "delete"))),
    "debug": ("ephemeralcontainers", _CHANGES),
    "mint": ("", _CHANGES),
}
"""Own verb → the subresource that Kubernetes calls the act by, and the verbs that it asks for it."""

_CLUSTER_SCOPED = frozenset(
    (group, resource)
    for group, resources in (
        ("", "componentstatuses namespaces nodes persistentvolumes users groups"),
        ("admissionregistration.k8s.io", "mutatingadmissionpolicies mutatingadmissionpolicybindings"),
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations validatingwebhookconfigurations"),
        ("admissionregistration.k8s.io", "validatingadmissionpolicies validatingadmissionpolicybindings"),
        ("apiextensions.k8s.io", "customresourcedefinitions"),
        ("apiregistration.k8s.io", "apiservices"),
        ("certificates.k8s.io", "certificatesigningrequests clustertrustbundles"),
        ("flowcontrol.apiserver.k8s.io", "flowschemas prioritylevelconfigurations"),
        ("metrics.k8s.io", "nodes"),
        ("networking.k8s.io", "ingressclasses ipaddresses servicecidrs"),
        ("node.k8s.io", "runtimeclasses"),
        ("rbac.authorization.k8s.io", "clusterroles clusterrolebindings"),
        ("resource.k8s.io", "deviceclasses resourceslices"),
        ("scheduling.k8s.io", "priorityclasses"),
        ("storage.k8s.io", "csidrivers csinodes storageclasses volumeattachments volumeattributesclasses"),
    )
    for resource in resources.split()
)
"""Kubernetes' own resources without a namespace. Any other is taken to have one when a rule speaks of namespaces."""

_TEMPLATE = re.compile(r"\{\{\s*(username|claims\.[A-Za-z0-9_]{1,64})\s*\}\}")
_LEFTOVER = re.compile(r"\{\{|\}\}")


class Decision(IntEnum):
    """Zero means no."""

    DENY = 0
    ALLOW = 1


class PolicyError(ValueError):
    """Everything wrong with a set of roles: each of `mistakes` says where, what, and what was expected."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


class ConditionError(ValueError):
    """A condition cannot be read, or cannot be evaluated for somebody."""


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
    """A compiled `when`: true binds. Raises ConditionError where it cannot say."""

    def __call__(self, username: str, groups: tuple[str, ...], claims: Mapping[str, object]) -> bool: ...


class _Match(IntEnum):
    """PARTLY: the request reaches further than the rule, as a list does beyond a rule about one name."""

    NO = 0
    PARTLY = 1
    YES = 2


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A rule with its templates filled in for one person. `unusable` says why it cannot allow."""

    label: str
    deny: bool
    verbs: frozenset[str]
    groups: frozenset[str]
    resources: frozenset[str]
    namespaces: NameSet | None
    names: NameSet | None
    urls: tuple[Pattern, ...]
    unusable: str

    def match(self, a: Attributes) -> _Match:
        if not a.is_resource_request:
            verb = a.verb in self.verbs or "*" in self.verbs
            return _Match.YES if verb and any(url.matches(a.path) for url in self.urls) else _Match.NO
        if a.api_group not in self.groups and "*" not in self.groups:
            return _Match.NO
        if not (self._own(a) if a.verb in OWN_VERBS else self._plain(a)):
            return _Match.NO
        return self._reach(a)

    def _plain(self, a: Attributes) -> bool:
        if a.verb not in self.verbs and not ("*" in self.verbs and (self.deny or a.verb in KUBERNETES_VERBS)):
            return False
        return self._names(a.resource, a.subresource)

    def _own(self, a: Attributes) -> bool:
        explicit = a.verb in self.verbs or (self.deny and "*" in self.verbs)
        if explicit and a.resource in self.resources:
            return True
        subresource, kubernetes = _ACTS.get(a.verb, ("", frozenset[str]()))
        subresource = a.subresource or subresource
        if explicit or self.deny:
            return (explicit or not kubernetes.isdisjoint(self.verbs)) and self._names(a.resource, subresource)
        kubernetes_way = a.verb in _STREAMS and ("create" in self.verbs or "*" in self.verbs)
        return kubernetes_way and f"{a.resource}/{subresource}" in self.resources

    def _names(self, resource: str, subresource: str) -> bool:
        """Kubernetes' own matching of `resources` (`pods` is not `pods/log`, `*` is everything)."""
        wanted = self.resources
        if "*" in wanted:
            return True
        if not subresource:
            return resource in wanted
        return f"{resource}/{subresource}" in wanted or f"*/{subresource}" in wanted

    def _reach(self, a: Attributes) -> _Match:
        found = _Match.YES
        if self.namespaces is not None:
            if a.namespace:
                if not self.namespaces.matches(a.namespace):
                    return _Match.NO
            elif a.verb in _COLLECTION_VERBS and (a.api_group, a.resource) not in _CLUSTER_SCOPED:
                found = _Match.PARTLY
            else:
                return _Match.NO
        if self.names is not None:
            if not a.name:
                return _Match.PARTLY
            if not self.names.matches(a.name):
                return _Match.NO
        return found


@dataclass(frozen=True, slots=True)
class _Grant:
    """A role as it holds for one person on one cluster. `unusable` says why nothing of it can allow."""

    role: Role
    allow: tuple[_Compiled, ...]
    deny: tuple[_Compiled, ...]
    as_user: str | None
    as_groups: tuple[str, ...]
    unusable: str


@dataclass(frozen=True, slots=True)
class _Cached:
    """Grants, with the facts they were made from: kept alive, so that their identity stays theirs."""

    groups: tuple[str, ...]
    claims: Mapping[str, object]
    cluster_labels: Mapping[str, str]
    grants: tuple[_Grant, ...]


_Binding = tuple[RoleBinding, Role, Condition | None]


class Policy:
    """Compiled roles. `decide` answers for one effect, `decide_all` for a whole request. Made by `compile_policy`."""

    def __init__(self, bindings: tuple[_Binding, ...] = (), allowed_system_names: frozenset[str] = frozenset()) -> None:
        self._bindings = bindings
        self._allowed_system_names = allowed_system_names
        self._cache: OrderedDict[tuple[str, str, str, int], _Cached] = OrderedDict()

    def decide(self, a: Attributes) -> Verdict:
        """The verdict on one effect."""
        grants = self._grants(a)
        if not grants:
            why = f"no role of yours covers cluster {a.cluster!r}; ask your platform team for one"
            return Verdict(Decision.DENY, reason=why, attributes=a)
        for grant in grants:
            for rule in grant.deny:
                match = rule.match(a)
                if match is not _Match.NO:
                    return _denied(a, grant, rule, match)
        return _allowed(a, grants)

    def decide_all(self, wanted: Sequence[Attributes]) -> Verdict:
        """Allowed if every effect is; groups are the union, `as.user` must agree, the strictest options hold.

        No effects: denied.
        """
        verdicts = []
        for attributes in wanted:
            verdict = self.decide(attributes)
            if verdict.decision is not Decision.ALLOW:
                return verdict
            verdicts.append(verdict)
        if not verdicts:
            return Verdict(Decision.DENY, reason="the request has no effect that a role could allow")
        first = verdicts[0]
        if len(verdicts) == 1:
            return first
        users = {v.as_user for v in verdicts if v.as_user is not None}
        if len(users) > 1:
            return _disagree(users, first.role, wanted[0])
        return replace(
            first,
            as_user=next(iter(users), None),
            as_groups=tuple(sorted({g for v in verdicts for g in v.as_groups})),
            options=_strictest([v.options for v in verdicts]),
        )

    def covers(self, a: Attributes) -> bool:
        """Whether any role of the person covers the cluster named in `a`."""
        return bool(self._grants(a))

    def certificate_ttl_seconds(self, a: Attributes) -> float | None:
        """How long a certificate for the cluster in `a` may live by the person's roles there; None where none says.

        The strictest role that covers the cluster holds, be it one that denies alone, or whose condition or templates
        cannot be evaluated for this person.
        """
        return _strictest([grant.role.options for grant in self._grants(a)]).certificate_ttl_seconds

    def _grants(self, a: Attributes) -> tuple[_Grant, ...]:
        """The roles bound to this person on this cluster, templates filled in.

        Claims are compared by identity: they belong to a login, which is frozen; who changes them makes another.
        """
        key = (a.connector, a.username, a.cluster, id(a.claims))
        cached = self._cache.get(key)
        if cached is not None and cached.groups == a.groups and cached.cluster_labels == a.cluster_labels:
            self._cache.move_to_end(key)
            return cached.grants
        grants = tuple(
            _grant(role, a, unusable, self._allowed_system_names)
            for role, unusable in self._roles_of(a)
            if _covers(role, a.cluster, a.cluster_labels)
        )
        self._cache[key] = _Cached(a.groups, a.claims, dict(a.cluster_labels), grants)
        if len(self._cache) > CACHED_PEOPLE:
            self._cache.popitem(last=False)
        return grants

    def _roles_of(self, a: Attributes) -> list[tuple[Role, str]]:
        """[(role, why it can only deny)], by name."""
        found: dict[str, tuple[Role, str]] = {}
        for binding, role, condition in self._bindings:
            if role.name in found and not found[role.name][1]:
                continue
            if not any(_is(subject, a) for subject in binding.subjects):
                continue
            try:
                if condition is None or condition(a.username, a.groups, a.claims):
                    found[role.name] = (role, "")
            except ConditionError as error:
                why = f"the condition of binding {binding.name} cannot be evaluated for you: {error}"
                found[role.name] = (role, why)
        return [found[name] for name in sorted(found)]


def _denied(a: Attributes, grant: _Grant, rule: _Compiled, match: _Match) -> Verdict:
    where = f"role {grant.role.name}, {rule.label}"
    if rule.unusable:
        why = f"{_what(a)} is denied by {where}: {rule.unusable}"
    elif match is _Match.PARTLY:
        why = f"{_what(a)} could reach what {where}, denies, and lists cannot be filtered yet; {_narrower(a)}"
    else:
        why = f"{_what(a)} is denied by {where}"
    return Verdict(Decision.DENY, grant.role.name, rule.label, why, attributes=a)


def _allowed(a: Attributes, grants: tuple[_Grant, ...]) -> Verdict:
    """The verdict when nothing denies."""
    matched: list[tuple[_Grant, str]] = []
    hint: tuple[str, str, str] | None = None
    for grant in grants:
        for rule in grant.allow:
            match = rule.match(a)
            if match is _Match.NO:
                continue
            unusable = grant.unusable or rule.unusable
            if match is _Match.YES and not unusable:
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


def _granted(a: Attributes, matched: list[tuple[_Grant, str]]) -> Verdict:
    grant, label = matched[0]
    if len(matched) == 1:
        user, groups, options = grant.as_user, grant.as_groups, grant.role.options
    else:
        users = {g.as_user for g, _ in matched if g.as_user is not None}
        if len(users) > 1:
            return _disagree(users, grant.role.name, a)
        user = next(iter(users), None)
        groups = tuple(sorted({name for g, _ in matched for name in g.as_groups}))
        options = _strictest([g.role.options for g, _ in matched])
    for asked, what in ((options.require_reason, "a reason"), (options.require_mfa, "a second factor")):
        if a.verb in asked:
            why = f"{_what(a)} needs {what} by your role, which this version cannot ask for yet, so it is refused"
            return Verdict(Decision.DENY, grant.role.name, label, why, attributes=a)
    why = f"allowed by role {grant.role.name}, {label}"
    return Verdict(Decision.ALLOW, grant.role.name, label, why, user, groups, options, a)


def _is(subject: Subject, a: Attributes) -> bool:
    if subject.connector is not None and subject.connector != a.connector:
        return False
    return subject.name in a.groups if subject.kind == "Group" else subject.name == a.username


def _covers(role: Role, cluster: str, labels: Mapping[str, str]) -> bool:
    if not any(compile_pattern(p).matches(cluster) for p in role.cluster_names):
        return False
    return all(labels.get(key) == value for key, value in role.cluster_labels)


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


def _disagree(users: Iterable[str], role: str, a: Attributes) -> Verdict:
    names = " and ".join(sorted(users))
    why = f"your roles disagree about as whom the cluster shall see you ({names}); tell your platform team"
    return Verdict(Decision.DENY, role, "", why, attributes=a)


def _narrower(a: Attributes) -> str:
    """What a person can do about a rule that covers a part only."""
    if a.verb not in _COLLECTION_VERBS:
        return "the rule is about names, and this request names nothing"
    return "name one object" if a.namespace else "name a namespace (-n) or one object"


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


def _render_identity(text: str, a: Attributes, allowed_system_names: frozenset[str]) -> str:
    """A user or group for the cluster: fit for a header, and no name of the system that came in by a claim."""
    rendered = _render(text, a)
    if _unfit(rendered, allowed_system_names):
        raise _UnrenderedError(
            f"your role makes {rendered[:80]!r} of you, which is no name to send; tell your platform team"
        )
    return rendered


def _unfit(name: str, allowed_system_names: frozenset[str]) -> bool:
    """Whether a name cannot be sent: outer blanks are lost in a header and could hide `system:`."""
    plain = bool(name) and name == name.strip() and name.isprintable() and len(name) <= MAX_RENDERED
    return not plain or (name.casefold().startswith("system:") and name not in allowed_system_names)


def _grant(role: Role, a: Attributes, unusable: str, allowed_system_names: frozenset[str]) -> _Grant:
    as_user, as_groups = None, tuple[str, ...]()
    try:
        as_user = _render_identity(role.as_user, a, allowed_system_names) if role.as_user is not None else None
        as_groups = tuple(sorted({_render_identity(group, a, allowed_system_names) for group in role.as_groups}))
    except _UnrenderedError as error:
        unusable = unusable or str(error)
    return _Grant(
        role,
        tuple(_rule(rule, f"allow[{i}]", a, deny=False) for i, rule in enumerate(role.allow)),
        tuple(_rule(rule, f"deny[{i}]", a, deny=True) for i, rule in enumerate(role.deny)),
        as_user,
        as_groups,
        unusable,
    )


def _rule(rule: Rule, label: str, a: Attributes, *, deny: bool) -> _Compiled:
    unusable = "the rule looks at labels, which this version cannot do yet" if rule.labels else ""
    namespaces = names = None
    try:
        namespaces = _names(rule.namespaces, rule.except_namespaces, a)
        names = _names(rule.names, rule.except_names, a)
    except (_UnrenderedError, PatternError) as error:
        unusable, namespaces, names = str(error), None, None  # a denial that cannot be narrowed is not narrowed
    return _Compiled(
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


_DISCOVERY = tuple(compile_pattern(url) for url in DISCOVERY)


# -- compilation


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
        where = role.source or f"Role {role.name}"
        if role.name in known:
            mistakes.append(f"{where}: metadata.name: a second Role named {role.name!r}")
        known[role.name] = role
        mistakes += [f"{where}: {text}" for text in _role_mistakes(role, allowed)]
    compiled: list[_Binding] = []
    names: set[str] = set()
    for binding in bindings:
        where = binding.source or f"RoleBinding {binding.name}"
        found = known.get(binding.role)
        if found is None:
            mistakes.append(f"{where}: spec.role: there is no Role named {binding.role!r}")
        mistakes += [f"{where}: {text}" for text in _subject_mistakes(binding, connectors)]
        test = None
        if binding.when is not None:
            try:
                test = _condition(binding.when, condition)
            except ConditionError as error:
                mistakes.append(f"{where}: spec.when: {error}")
        if binding.name in names:
            mistakes.append(f"{where}: metadata.name: a second RoleBinding named {binding.name!r}")
        names.add(binding.name)
        if found is not None:
            compiled.append((binding, found, test))
    if mistakes:
        raise PolicyError(mistakes)
    return Policy(tuple(compiled), allowed)


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
        elif _unfit(_TEMPLATE.sub("x", text), allowed_system):
            found.append(f"{where}: {text[:80]!r}: a name is 1 to {MAX_RENDERED} characters without outer blanks")
    if not role.cluster_names:
        found.append("spec.clusters.names: empty; leave it out for all clusters")
    for text in role.cluster_names:
        found += _pattern_mistakes("spec.clusters.names", text, templates=False)
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
    if _LEFTOVER.search(_TEMPLATE.sub("", text)):
        return [f"{where}: {text!r}: a template is {{{{ username }}}} or {{{{ claims.NAME }}}}"]
    return []


def _pattern_mistakes(where: str, text: str, *, templates: bool = True) -> list[str]:
    if not templates and _LEFTOVER.search(text):
        return [f"{where}: {text!r}: no templates here"]
    if mistakes := _template_mistakes(where, text):
        return mistakes
    try:
        compile_pattern(_TEMPLATE.sub("x", text))
    except PatternError as error:
        return [f"{where}: {text!r}: {error}"]
    return []
