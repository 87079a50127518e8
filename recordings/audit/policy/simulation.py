"""What a policy would have made of requests that were recorded: how many records, and how many bytes, by rule.

Bytes are those of the records as the log holds them, at the level Metadata; bodies that a rule adds come on top, and
are not known from records without them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from recordings.audit.policy.event_attributes import attributes_of
from recordings.audit.policy.level import Level
from recordings.audit.policy.policy import AuditPolicy


@dataclass(slots=True)
class RuleTotals:
    """Of one rule; `rule` None: of what no rule speaks of. `requests` have one final record each."""

    rule: int | None
    requests: int = 0
    exported: int = 0
    """Records that would leave us: of a level but None, of no omitted stage."""
    exported_bytes: int = 0
    kept: int = 0
    """Records that stay in our log alone."""


def simulated(policy: AuditPolicy, records: Iterable[tuple[Mapping[str, Any], int]]) -> list[RuleTotals]:
    """Totals for every rule in order, then for no rule. `records`: each with its bytes; those without an Event pass."""
    totals = [RuleTotals(number) for number in range(len(policy.rules))] + [RuleTotals(None)]
    for record, size in records:
        event = record.get("event")
        if not isinstance(event, Mapping):
            continue
        decided = policy.decide(attributes_of(event))
        total = totals[-1 if decided.rule is None else decided.rule]
        stage = event.get("stage")
        total.requests += stage == "ResponseComplete"
        if decided.level is Level.NONE or stage in decided.omit_stages:
            total.kept += 1
        else:
            total.exported += 1
            total.exported_bytes += size
    return totals
