"""The `audit.k8s.io/v1` Event of a request as our log holds it: `user` is the person, our facts are annotations.

kubernetes/apiserver `pkg/apis/audit/v1/types.go`. Stages: RequestReceived is our intent, ResponseStarted marks a
long answer's beginning, ResponseComplete is the outcome.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auth.identity import Identity
from recordings.audit.encode import rfc3339
from recordings.audit.policy.level import Level

MAX_USER_AGENT = 1024
"""Kubernetes' own cut."""
DOMAIN = "kubewitness.dev"


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What the event says of a request; filled by the proxy's audit filter."""

    audit_id: str
    verb: str
    request_uri: str
    user_agent: str
    source: str
    received_at: float
    is_resource_request: bool
    api_group: str = ""
    api_version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""


def actor(identity: Identity) -> dict[str, Any]:
    """Who, as records name them."""
    return {
        "connector": identity.connector,
        "issuer": identity.issuer,
        "subject": identity.subject,
        "username": identity.username,
    }


def user_info(identity: Identity, extra: Mapping[str, str]) -> dict[str, Any]:
    """The person as Kubernetes' UserInfo; built once per login and shared."""
    return {
        "username": identity.username,
        "uid": identity.uid,
        "groups": list(identity.groups),
        "extra": {f"{DOMAIN}/{key}": [value] for key, value in extra.items()},
    }


def event(
    facts: RequestFacts,
    stage: str,
    stage_at: float,
    *,
    user: Mapping[str, Any] | None,
    annotations: Mapping[str, str],
    code: int | None = None,
    status_reason: str = "",
    message: str = "",
    impersonated: Mapping[str, Any] | None = None,
    level: Level = Level.METADATA,
    request_object: Any = None,
    response_object: Any = None,
) -> dict[str, Any]:
    """One stage of a request as an Event."""
    agent = facts.user_agent
    if len(agent) > MAX_USER_AGENT:
        agent = agent[:MAX_USER_AGENT] + "...TRUNCATED"
    made: dict[str, Any] = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": level,
        "auditID": facts.audit_id,
        "stage": stage,
        "requestURI": facts.request_uri,
        "verb": facts.verb,
        "user": user or {},
        "sourceIPs": [facts.source],
        "userAgent": agent,
    }
    if impersonated is not None:
        made["impersonatedUser"] = impersonated
    if facts.is_resource_request:
        reference = {
            "resource": facts.resource,
            "namespace": facts.namespace,
            "name": facts.name,
            "apiGroup": facts.api_group,
            "apiVersion": facts.api_version,
            "subresource": facts.subresource,
        }
        made["objectRef"] = {key: value for key, value in reference.items() if value}
    if code is not None or message:
        status: dict[str, Any] = {"metadata": {}}
        if code is not None:
            status["code"] = code
        if code is None or code >= 400:
            status["status"] = "Failure"
        if message:
            status["message"] = message
        if status_reason:
            status["reason"] = status_reason
        made["responseStatus"] = status
    if request_object is not None:
        made["requestObject"] = request_object
    if response_object is not None:
        made["responseObject"] = response_object
    received = rfc3339(facts.received_at)
    made["requestReceivedTimestamp"] = received
    made["stageTimestamp"] = received if stage == "RequestReceived" else rfc3339(stage_at)
    made["annotations"] = annotations
    return made
