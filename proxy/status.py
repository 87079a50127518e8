"""Refusals as kubectl shows them: a `metav1.Status` with one sentence that names the next step."""

from __future__ import annotations

import re
from dataclasses import dataclass

import orjson

from auth.errors import Reason

_CODES: dict[Reason, tuple[int, str]] = {
    Reason.CERTIFICATE_EXPIRED: (401, "Unauthorized"),
    Reason.CERTIFICATE_NOT_YET_VALID: (401, "Unauthorized"),
    Reason.CERTIFICATE_MALFORMED: (401, "Unauthorized"),
    Reason.BAD_REQUEST: (400, "BadRequest"),
    Reason.ORIGIN_REFUSED: (403, "Forbidden"),
    Reason.LIMIT_EXCEEDED: (429, "TooManyRequests"),
    Reason.UPGRADE_UNSUPPORTED: (501, "NotImplemented"),
    Reason.LOG_UNAVAILABLE: (503, "ServiceUnavailable"),
    Reason.RECORDING_UNAVAILABLE: (503, "ServiceUnavailable"),
    Reason.STATE_STALE: (503, "ServiceUnavailable"),
    Reason.DRAINING: (503, "ServiceUnavailable"),
    Reason.CLUSTER_UNREACHABLE: (502, "ServiceUnavailable"),
    Reason.UPSTREAM_INVALID: (502, "InternalError"),
    Reason.CLUSTER_TIMEOUT: (504, "Timeout"),
}
_FORBIDDEN = (403, "Forbidden")


RETRY_AFTER_SECONDS = 1
"""client-go tries ten times more, silently: a person waits ten seconds for what comes back by itself, then is told."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request ends here: `reason` for the record, `message` for the person."""

    reason: Reason
    message: str
    retry_after_seconds: int | None = None

    @property
    def code(self) -> int:
        return _CODES.get(self.reason, _FORBIDDEN)[0]

    @property
    def status_reason(self) -> str:
        """The machine-readable reason of Kubernetes' Status."""
        return _CODES.get(self.reason, _FORBIDDEN)[1]


_RAW = re.compile(rb"(?:/clusters/[^/]+)?/(?:api|apis|version|openapi/[^?]*)/?(?:\?|$)")
"""What client-go reads without decoding a Status: discovery and schemas (`Do().Raw()` in its discovery_client.go)."""


def wants_text(target: bytes) -> bool:
    """Whether a refusal of this target must be plain text to be seen.

    client-go shows `unknown` for any other type there (rest/request.go, newUnstructuredResponseError).
    """
    return _RAW.match(target) is not None


def response(refusal: Refusal, audit_id: bytes, *, head_only: bool, close: bool, text: bool = False) -> bytes:
    """The whole answer, head and body. `Retry-After` only where nothing can have taken effect.

    The body is a Status as JSON, or with `text` its message alone.
    """
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": refusal.message,
        "reason": refusal.status_reason,
        "code": refusal.code,
    }
    if refusal.retry_after_seconds is not None:
        status["details"] = {"retryAfterSeconds": refusal.retry_after_seconds}
    body = refusal.message.encode() + b"\n" if text else orjson.dumps(status)
    kind = b"text/plain; charset=utf-8" if text else b"application/json"
    lines = [
        b"HTTP/1.1 %d %s\r\n" % (refusal.code, refusal.status_reason.encode()),
        b"content-type: %s\r\nx-content-type-options: nosniff\r\ncache-control: no-store\r\n" % kind,
        b"content-length: %d\r\naudit-id: %s\r\n" % (len(body), audit_id),
    ]
    if refusal.retry_after_seconds is not None:
        lines.append(b"retry-after: %d\r\n" % refusal.retry_after_seconds)
    if close:
        lines.append(b"connection: close\r\n")
    lines.append(b"\r\n")
    if not head_only:
        lines.append(body)
    return b"".join(lines)
