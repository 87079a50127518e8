"""What the log says of locks, and of those that nobody has recorded yet: made on the host, or simply run out."""

from __future__ import annotations

from typing import Any

from auth.locks import Lock, LockKind
from auth.state.store import LockEvent, Store
from proxy.web.deps import Audit
from recordings.audit.encode import rfc3339
from recordings.audit.record import Outcome, RecordType

TYPES = {
    LockEvent.CREATED: RecordType.LOCK_CREATE,
    LockEvent.REMOVED: RecordType.LOCK_DELETE,
    LockEvent.EXPIRED: RecordType.LOCK_EXPIRE,
}


def lock_body(lock: Lock) -> dict[str, Any]:
    """What every record about a lock has."""
    until = {} if lock.expires_at is None else {"until": rfc3339(lock.expires_at)}
    return {"lock": lock.id, "target": str(lock.target), "reason": lock.reason, "by": lock.created_by} | until


def created_body(lock: Lock) -> dict[str, Any]:
    persons = [{"issuer": issuer, "subject": subject} for issuer, subject in lock.persons]
    return lock_body(lock) | {"persons": persons, "shows_reason": lock.shows_reason}


def place(lock: Lock) -> str | None:
    """The cluster that a record about it is about: a cluster's lock is for whoever may see that one's records."""
    return lock.target.name if lock.target.kind is LockKind.CLUSTER else None


async def record_locks(store: Store, audit: Audit, now: float) -> None:
    """Record what is not recorded. A crash in between records it once more, never not at all.

    Raises StoreError, LogUnavailableError; what is left is recorded by the next call.
    """
    for told in await store.unrecorded_locks(now):
        body = created_body(told.lock) if told.event is LockEvent.CREATED else lock_body(told.lock)
        if told.event is LockEvent.REMOVED:
            body["removed_by"] = told.by
        facts: dict[str, Any] = {"outcome": Outcome.DONE, "body": body}
        cluster = place(told.lock)
        await audit(TYPES[told.event], facts if cluster is None else facts | {"cluster": cluster})
        await store.lock_recorded(told)
