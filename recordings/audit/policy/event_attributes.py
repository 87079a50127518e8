"""What a policy's rules look at, taken from an Event that was recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recordings.audit.policy.rule import PolicyAttributes


def attributes_of(event: Mapping[str, Any]) -> PolicyAttributes:
    """The attributes of the request that `event` (`audit.k8s.io/v1`) is about; what is not there is empty."""
    user, ref = _part(event, "user"), _part(event, "objectRef")
    groups = user.get("groups")
    return PolicyAttributes(
        str(user.get("username", "")),
        frozenset(map(str, groups)) if isinstance(groups, list) else frozenset(),
        str(event.get("verb", "")),
        is_resource_request=bool(ref),
        path=str(event.get("requestURI", "")).partition("?")[0],
        api_group=str(ref.get("apiGroup", "")),
        resource=str(ref.get("resource", "")),
        subresource=str(ref.get("subresource", "")),
        namespace=str(ref.get("namespace", "")),
        name=str(ref.get("name", "")),
    )


def _part(event: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = event.get(key)
    return part if isinstance(part, Mapping) else {}
