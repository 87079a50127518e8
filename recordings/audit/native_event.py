"""A record as an `audit.k8s.io/v1` Event, for programs that know nothing else.

A request's record holds one. A record of our own is told as an Event of a path that no API server has: `create` of
`/kubewitness.dev/v1/<type>`, by the same person from the same address, with its id as audit id. What it says beyond
that is in annotations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from recordings.audit.event import DOMAIN
from recordings.audit.question import Decision, at, decision
from recordings.audit.record import Outcome


def native_event(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record's own Event, or the one that stands for it."""
    event = record.get("event")
    if isinstance(event, Mapping):
        return dict(event)
    is_denied = decision(record) is Decision.DENY
    actor = at(record, "actor")
    annotations = {
        f"{DOMAIN}/type": str(record.get("type")),
        f"{DOMAIN}/outcome": str(record.get("outcome")),
        "authorization.k8s.io/decision": "forbid" if is_denied else "allow",
    }
    if record.get("cluster"):
        annotations["cluster_name"] = str(record["cluster"])
    if record.get("login"):
        annotations[f"{DOMAIN}/login"] = str(record["login"])
    if record.get("body") is not None:
        annotations[f"{DOMAIN}/body"] = orjson.dumps(record["body"]).decode()
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": str(record.get("id")),
        "stage": "ResponseComplete",
        "requestURI": f"/{DOMAIN}/v1/{record.get('type')}",
        "verb": "create",
        "user": {"username": str(actor.get("username", ""))} if isinstance(actor, Mapping) else {},
        "sourceIPs": [str(record["source"])] if record.get("source") else [],
        "responseStatus": {"metadata": {}, "code": _code(record, is_denied=is_denied)},
        "requestReceivedTimestamp": record.get("time"),
        "stageTimestamp": record.get("time"),
        "annotations": annotations,
    }


def _code(record: Mapping[str, Any], *, is_denied: bool) -> int:
    if is_denied:
        return 403
    return 500 if record.get("outcome") == Outcome.FAILED else 200
