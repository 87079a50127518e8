"""Why somebody was not let in, as values.

A refusal is recorded, counted and shown, so its reason is a member of one closed set and never a text to be searched.
The sentence for the person is separate, and names the next step.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Machine-readable reasons; stored in audit records, so never renamed, only added to."""

    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_NOT_YET_VALID = "certificate_not_yet_valid"
    CERTIFICATE_MALFORMED = "certificate_malformed"
    WRONG_INSTALLATION = "wrong_installation"
    WRONG_CLUSTER = "wrong_cluster"
    UNKNOWN_CLUSTER = "unknown_cluster"
    LOGIN_UNKNOWN = "login_unknown"
    LOGIN_ENDED = "login_ended"
    LOGIN_EXPIRED = "login_expired"
    LOCKED = "locked"
    GROUPS_STALE = "groups_stale"
    STATE_STALE = "state_stale"
    DENIED = "denied"
    NO_ROLE = "no_role"
    IMPERSONATION_DENIED = "impersonation_denied"
    FORGED_HEADER = "forged_header"
    BAD_REQUEST = "bad_request"
    ORIGIN_REFUSED = "origin_refused"
    LIMIT_EXCEEDED = "limit_exceeded"
    UPGRADE_UNSUPPORTED = "upgrade_unsupported"
    LOG_UNAVAILABLE = "log_unavailable"
    RECORDING_UNAVAILABLE = "recording_unavailable"
    CLUSTER_UNREACHABLE = "cluster_unreachable"
    CLUSTER_TIMEOUT = "cluster_timeout"
    UPSTREAM_INVALID = "upstream_invalid"
    DRAINING = "draining"
    TOKEN_INVALID = "token_invalid"  # noqa: S105 - a reason, not a secret
    IDENTITY_REFUSED = "identity_refused"
    CONNECTOR_UNAVAILABLE = "connector_unavailable"
    CODE_INVALID = "code_invalid"
    PROOF_INVALID = "proof_invalid"
    CSR_INVALID = "csr_invalid"
    NO_RECORDING = "no_recording"
    NO_LOCK = "no_lock"


class AuthError(Exception):
    """Base of what `auth` raises: a reason for machines, a sentence with the next step for people."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
