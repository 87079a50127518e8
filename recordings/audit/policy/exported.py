"""What an audit policy lets out of the log: the Event of a stage at the policy's level, or nothing.

The log itself holds every request at Metadata or more; a policy never adds what was not recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recordings.audit.policy.event_attributes import attributes_of
from recordings.audit.policy.level import Level
from recordings.audit.policy.policy import AuditPolicy

CHANGE = "kubewitness.dev/change"
"""The annotations that say what a write changed begin so: a part of what RequestResponse holds."""
_BODIES = {Level.METADATA: ("requestObject", "responseObject"), Level.REQUEST: ("responseObject",)}


def exported(policy: AuditPolicy, event: Mapping[str, Any]) -> dict[str, Any] | None:
    """The Event with no more than the policy's level; None where the policy keeps it, or its stage, out."""
    decided = policy.decide(attributes_of(event))
    if decided.level is Level.NONE or event.get("stage") in decided.omit_stages:
        return None
    left_out = _BODIES.get(decided.level, ())
    kept = {key: value for key, value in event.items() if key not in left_out}
    annotations = kept.get("annotations")
    if decided.level is not Level.REQUEST_RESPONSE and isinstance(annotations, Mapping):
        kept["annotations"] = {key: value for key, value in annotations.items() if not key.startswith(CHANGE)}
    held = next((one for one in Level if one == kept.get("level")), Level.METADATA)
    return {**kept, "level": str(min(decided.level, held, key=lambda level: level.rank))}
