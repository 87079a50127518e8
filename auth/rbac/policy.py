"""Compiled roles: who is bound to which, remembered for each person, and asked at every request."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from auth.rbac.attributes import Attributes
from auth.rbac.grant import Grant, covers, grant_of
from auth.rbac.role import Condition, ConditionError, Role, RoleBinding, Subject, strictest
from auth.rbac.verdict import Decision, Verdict, combined, verdict_of

CACHED_PEOPLE = 2048
"""Sets of grants kept, least recently used first out: one per person, claims and cluster, some 10 KiB each."""

MAX_VERDICTS = 4096
"""Verdicts kept, the one asked for longest ago first out: about 1 KiB each, and 4 KiB at most by the next limit."""
MAX_REMEMBERED = 512
"""Characters of a question whose verdict is kept; Kubernetes' longest names make 600, people's make 100."""

_Question = tuple[int, str, str, str, str, str, str | None, str, bool]
"""(holding, verb, group, resource, subresource, namespace, name, path, about a resource): with the holding, all that a
verdict follows from. No name stands for each, where none of the rules is about names."""


@dataclass(frozen=True, slots=True)
class _Holding:
    """What one person holds on one cluster. `number` is never given to another.

    The facts it was made from are kept alive with it, so that their identity stays theirs.
    """

    number: int
    groups: tuple[str, ...]
    claims: Mapping[str, object]
    cluster_labels: Mapping[str, str]
    grants: tuple[Grant, ...]
    tells_names_apart: bool


Bound = tuple[RoleBinding, Role, Condition | None]
"""A binding, its role, and its compiled `when`."""


class Policy:
    """Compiled roles. `decide` answers for one effect, `decide_all` for a whole request. Made by `compile_policy`."""

    def __init__(self, bindings: tuple[Bound, ...] = (), allowed_system_names: frozenset[str] = frozenset()) -> None:
        self._bindings = bindings
        self.allowed_system_names = allowed_system_names
        """Names of the system that roles may make of somebody, of all clusters together."""
        self._holdings: OrderedDict[tuple[str, str, str, int], _Holding] = OrderedDict()
        self._verdicts: OrderedDict[_Question, Verdict] = OrderedDict()
        self._made = 0

    def decide(self, a: Attributes) -> Verdict:
        """The verdict on one effect."""
        holding = self._holding(a)
        question = (
            holding.number,
            a.verb,
            a.api_group,
            a.resource,
            a.subresource,
            a.namespace,
            a.name if holding.tells_names_apart else None,
            a.path,
            a.is_resource_request,
        )
        known = self._verdicts.get(question)
        if known is not None:
            self._verdicts.move_to_end(question)
            return known
        verdict = verdict_of(a, holding.grants)
        if question[6] is None and verdict.decision is not Decision.ALLOW:
            return verdict  # its sentence has the name
        if sum(len(part) for part in question[1:8] if part is not None) <= MAX_REMEMBERED:
            self._verdicts[question] = verdict
            if len(self._verdicts) > MAX_VERDICTS:
                self._verdicts.popitem(last=False)
        return verdict

    def decide_all(self, wanted: Sequence[Attributes]) -> Verdict:
        """Allowed if every effect is; groups are the union, `as.user` must agree, the strictest options hold.

        No effects: denied.
        """
        return combined(map(self.decide, wanted))

    def covers(self, a: Attributes) -> bool:
        """Whether any role of the person covers the cluster named in `a`."""
        return bool(self._holding(a).grants)

    def certificate_ttl_seconds(self, a: Attributes) -> float | None:
        """How long a certificate for the cluster in `a` may live by the person's roles there; None where none says.

        The strictest role that covers the cluster holds, be it one that denies alone, or whose condition or templates
        cannot be evaluated for this person.
        """
        return strictest([grant.role.options for grant in self._holding(a).grants]).certificate_ttl_seconds

    def _holding(self, a: Attributes) -> _Holding:
        """The roles bound to this person on this cluster, templates filled in.

        Claims are compared by identity: they belong to a login, which is frozen; who changes them makes another.
        """
        key = (a.connector, a.username, a.cluster, id(a.claims))
        known = self._holdings.get(key)
        if known is not None and known.groups == a.groups and known.cluster_labels == a.cluster_labels:
            self._holdings.move_to_end(key)
            return known
        grants = tuple(
            grant_of(role, a, unusable, self.allowed_system_names)
            for role, unusable in self._roles_of(a)
            if covers(role, a.cluster, a.cluster_labels)
        )
        self._made += 1
        made = self._holdings[key] = _Holding(
            self._made,
            a.groups,
            a.claims,
            dict(a.cluster_labels),
            grants,
            any(grant.tells_names_apart for grant in grants),
        )
        self._holdings.move_to_end(key)
        if len(self._holdings) > CACHED_PEOPLE:
            self._holdings.popitem(last=False)
        return made

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


def _is(subject: Subject, a: Attributes) -> bool:
    if subject.connector is not None and subject.connector != a.connector:
        return False
    return subject.name in a.groups if subject.kind == "Group" else subject.name == a.username
