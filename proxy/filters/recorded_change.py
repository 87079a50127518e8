"""What a record says of what its write changed: annotations, for a value of an Event is a text."""

from __future__ import annotations

from typing import Any

import orjson

from proxy.context import RequestContext
from proxy.object_before import Before, Unknown
from recordings.audit.bodies.body import viewed
from recordings.audit.bodies.change import changed, removed
from recordings.audit.bodies.redaction import Redaction
from recordings.audit.policy.exported import CHANGE

MAX_CHANGE_BYTES = 64 * 1024
"""Of the patch: with both bodies the record stays below its cap of 1 MiB."""
FROM = f"{CHANGE}-from"
"""metadata.resourceVersion of the object that the patch begins with."""
TO = f"{CHANGE}-to"
UNKNOWN = f"{CHANGE}-unknown"
NOT_COMPARABLE = "not-comparable"
"""The answer is not the object that was there: of another kind, cut, or in protobuf."""


def change_of(
    context: RequestContext, status: int | None, answered: Any, redaction: Redaction, key: bytes
) -> dict[str, str]:
    """Annotations of a write whose object was read before. `answered`: the answer's body as the record has it."""
    before = context.before
    if before is None or status is None or status >= 300:
        return {}
    if before.unknown is not None:
        return {UNKNOWN: before.unknown}
    assert context.info is not None
    old = _object(before, redaction, key, context.info.resource)
    if context.info.verb == "delete" and _is_success(answered) and old is not None:
        patch = removed(old)
    elif before.is_new and _version(answered):
        patch = [{"op": "add", "path": "", "value": answered}]
    elif old is not None and _identity(old) == _identity(answered):
        patch = changed(old, answered)
    else:
        return {UNKNOWN: NOT_COMPARABLE}
    text = orjson.dumps(patch).decode()
    if len(text) > MAX_CHANGE_BYTES:
        return {UNKNOWN: Unknown.TOO_LARGE}
    versions = {FROM: _version(old), TO: _version(answered)}
    return {CHANGE: text, **{name: version for name, version in versions.items() if version}}


def _object(before: Before, redaction: Redaction, key: bytes, resource: str) -> dict[str, Any] | None:
    if before.body is None:
        return None
    view, _ = viewed(before.body, redaction, key, resource)
    return view if _version(view) else None


def _metadata(value: Any) -> dict[str, Any]:
    found = value.get("metadata") if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def _version(value: Any) -> str:
    version = _metadata(value).get("resourceVersion")
    return version if isinstance(version, str) else ""


def _identity(value: Any) -> tuple[Any, ...]:
    metadata = _metadata(value)
    kind = value.get("kind") if isinstance(value, dict) else None
    return (kind, metadata.get("uid"), metadata.get("name"), metadata.get("namespace"))


def _is_success(value: Any) -> bool:
    return isinstance(value, dict) and (value.get("kind"), value.get("status")) == ("Status", "Success")
