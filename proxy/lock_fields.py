"""A lock as JSON, the same from the web listener and from the host's own command."""

from __future__ import annotations

from typing import Any

from auth.locks import Lock
from recordings.audit.encode import rfc3339


def lock_fields(lock: Lock) -> dict[str, Any]:
    """Times are RFC 3339; `until` is null where it has no end."""
    return {
        "id": lock.id,
        "kind": lock.target.kind.value,
        "name": lock.target.name,
        "reason": lock.reason,
        "created": rfc3339(lock.created_at),
        "by": lock.created_by,
        "until": None if lock.expires_at is None else rfc3339(lock.expires_at),
        "shows_reason": lock.shows_reason,
        "persons": [{"issuer": issuer, "subject": subject} for issuer, subject in lock.persons],
    }
