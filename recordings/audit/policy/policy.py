"""An audit policy: rules in order, of which the first that speaks of a request decides."""

from __future__ import annotations

from dataclasses import dataclass

from recordings.audit.policy.level import Level, Stage
from recordings.audit.policy.rule import PolicyAttributes, PolicyRule


@dataclass(frozen=True, slots=True)
class Decided:
    """What a policy says of one request. `rule` is its number from 0 on; None where no rule spoke: then level None."""

    level: Level
    rule: int | None
    omit_stages: frozenset[Stage]
    omit_managed_fields: bool


@dataclass(frozen=True, slots=True)
class AuditPolicy:
    """kind Policy of `audit.k8s.io/v1`."""

    rules: tuple[PolicyRule, ...]
    omit_stages: tuple[Stage, ...] = ()
    omit_managed_fields: bool = False

    @property
    def tells_names_apart(self) -> bool:
        """Whether any rule names objects: where none does, what holds of one name holds of all."""
        return any(group.resource_names for rule in self.rules for group in rule.resources)

    def decide(self, attributes: PolicyAttributes) -> Decided:
        """The first rule that matches decides."""
        for number, rule in enumerate(self.rules):
            if rule.matches(attributes):
                own = rule.omit_managed_fields
                return Decided(
                    rule.level,
                    number,
                    frozenset((*self.omit_stages, *rule.omit_stages)),
                    self.omit_managed_fields if own is None else own,
                )
        return Decided(Level.NONE, None, frozenset(self.omit_stages), self.omit_managed_fields)

    def label(self, number: int | None) -> str:
        """A rule as people find it again: its name, else its place."""
        if number is None:
            return "(no rule)"
        rule = self.rules[number]
        return rule.name or f"rule {number + 1}" + (f", line {rule.line}" if rule.line else "")
