"""Refusals as kubectl shows them: a `metav1.Status` with one sentence that names the next step."""

from __future__ import annotations

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
    Reason.STATE_STALE: (503, "ServiceUnavailable"),
    Reason.DRAINING: (503, "ServiceUnavailable"),
    Reason.CLUSTER_UNREACHABLE: (502, "ServiceUnavailable"),
    Reason.UPSTREAM_INVALID: (502, "InternalError"),
    Reason.CLUSTER_TIMEOUT: (504, "Timeout"),
}
_FORBIDDEN = (403, "Forbidden")


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


def response(refusal: Refusal, audit_id: bytes, *, head_only: bool, close: bool) -> bytes:
    """The whole answer, head and body. `Retry-After` only where nothing can have taken effect."""
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
    body = orjson.dumps(status)
    lines = [
        b"HTTP/1.1 %d %s\r\n" % (refusal.code, refusal.status_reason.encode()),
        b"content-type: application/json\r\nx-content-type-options: nosniff\r\ncache-control: no-store\r\n",
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
