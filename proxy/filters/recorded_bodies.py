"""What a record says of the bodies that passed: themselves, where the policy asks for them, and what they give away."""

from __future__ import annotations

from typing import Any

from proxy.context import RequestContext
from proxy.filters.recorded_change import change_of
from proxy.relay import End, RelayResult
from proxy.streams.debug_containers import DebugContainers
from recordings.audit.bodies.body import viewed, workload_of
from recordings.audit.bodies.host_access import HOST_ACCESS, containers, ephemeral_containers, host_access
from recordings.audit.bodies.redaction import Redaction
from recordings.audit.policy.level import Level

TRUNCATED = "audit.k8s.io/truncated"
"""Kubernetes' own annotation: a body was too large to be kept."""
DEBUG_CONTAINER = "kubewitness.dev/debug-container"
DEBUG_REQUEST = "kubewitness.dev/debug-request"
"""On an exec or attach: the audit id of the request that made the container for debugging, or its pod on a node."""


def pod_name(view: Any) -> str:
    """Of a pod's body; empty where the API server is to make one up."""
    metadata = view.get("metadata") if isinstance(view, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""


class RecordedBodies:
    """Of one process; it remembers which containers were made for debugging."""

    def __init__(self, key: bytes) -> None:
        """`key`: for the hashes that stand for secrets."""
        self._key = key
        self._redactions = {omit: Redaction(key, omit_managed_fields=omit) for omit in (False, True)}
        self._debugging = DebugContainers()

    def of(self, context: RequestContext, result: RelayResult) -> tuple[dict[str, Any], dict[str, str]]:
        """(members of the Event by their argument's name, annotations)."""
        members: dict[str, Any] = {}
        annotations: dict[str, str] = {}
        detail, info = context.detail, context.info
        if detail is None or info is None:
            return members, annotations
        if info.subresource in ("exec", "attach"):
            self._of_stream(context, annotations)
        redaction = self._redactions[detail.omit_managed_fields]
        resource = "token" if info.subresource == "token" else info.resource
        for name, copy in (("request_object", result.request_body), ("response_object", result.response_body)):
            if copy is None:
                continue
            view, too_large = viewed(copy.body(), redaction, self._key, resource)
            if name == "request_object":
                self._look(context, result, workload_of(copy.body()) or view, annotations)
            if name == "response_object" or detail.level.rank >= Level.REQUEST.rank:
                members[name] = view
                if too_large:
                    annotations[TRUNCATED] = "true"
        if context.before is not None:
            annotations |= self._change(context, result)
        return members, annotations

    def _change(self, context: RequestContext, result: RelayResult) -> dict[str, str]:
        """ManagedFields say who changed what, which the record does, and are most of what changes."""
        redaction, info = self._redactions[True], context.info
        assert info is not None
        answered: Any = None
        if result.response_body is not None:
            answered, _ = viewed(result.response_body.body(), redaction, self._key, info.resource)
        return change_of(context, result.status if result.end is End.DONE else None, answered, redaction, self._key)

    def _look(self, context: RequestContext, result: RelayResult, view: Any, annotations: dict[str, str]) -> None:
        """What a workload's body gives away, whatever the policy says of the body itself."""
        info = context.info
        assert info is not None
        found = host_access(view)
        if found:
            annotations[HOST_ACCESS] = ",".join(found)
        if info.resource != "pods":
            return
        made = result.status is not None and result.status < 300
        if info.subresource == "ephemeralcontainers":
            names = ephemeral_containers(view)
            if names:
                annotations[DEBUG_CONTAINER] = ",".join(names)
            if made:
                self._remember(context, info.name, names)
        elif info.verb == "create" and not info.subresource and found and made:  # so does `kubectl debug node/…`
            self._remember(context, pod_name(view), containers(view))

    def _remember(self, context: RequestContext, pod: str, names: tuple[str, ...]) -> None:
        assert context.info is not None
        for name in names:
            self._debugging.made((context.credential.cluster, context.info.namespace, pod, name), context.audit_id)

    def _of_stream(self, context: RequestContext, annotations: dict[str, str]) -> None:
        info, target = context.info, context.target
        assert info is not None
        container = next((value for key, value in target.query if key == "container"), "") if target is not None else ""
        maker = self._debugging.maker((context.credential.cluster, info.namespace, info.name, container))
        if maker is not None:
            annotations[DEBUG_CONTAINER] = container
            annotations[DEBUG_REQUEST] = maker
