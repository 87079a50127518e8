"""Every intent gets one outcome: those that wait for theirs, and outcomes that wait for a log that can be written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recordings.audit.encode import rfc3339
from recordings.audit.record import Outcome, RecordType
from recordings.audit.recovery import intent_key

MAX_OWED = 10_000
"""Outcomes kept while nothing can be written, some 2 KB each. No new request begins then, so they are bounded by what
was under way; beyond this the next start writes `unknown-after-crash` for them."""


class Intents:
    """`owed`: by key, what the log has to write when it can; a whole record, or what `AuditLog.append` is given."""

    def __init__(self) -> None:
        self.owed: dict[str, dict[str, Any]] = {}
        self._open: dict[str, tuple[int, Mapping[str, Any]]] = {}

    def open_from(self) -> int | None:
        """The number of the oldest intent in the log that has no outcome there; 0 for none; None where that is unknown,
        because an outcome waits to be written.
        """
        if self.owed:
            return None
        return next(iter(self._open.values()))[0] if self._open else 0

    def written(self, seq: int, record: Mapping[str, Any]) -> None:
        """A record is in the log: an intent waits from now on, an end is its intent's."""
        outcome = record["outcome"]
        if outcome is Outcome.INTENT:
            self._open[intent_key(record)] = (seq, record)
        elif self._open and outcome is not Outcome.STARTED:
            self._open.pop(intent_key(record), None)

    def owe(self, record: dict[str, Any]) -> None:
        """A record could not be written. An outcome whose intent is in the log is kept: every request has one."""
        outcome = record["outcome"]
        if outcome is Outcome.INTENT or outcome is Outcome.STARTED or len(self.owed) >= MAX_OWED:
            return
        key = intent_key(record)
        if self._open.pop(key, None) is not None:
            self.owed[key] = record

    def refuse(self, first_lost: int, now: float) -> None:
        """Who waited for intents from this number on is refused, so nothing was sent: that is their outcome."""
        for key, (seq, intent) in list(self._open.items()):
            if seq >= first_lost and len(self.owed) < MAX_OWED:
                del self._open[key]
                self.owed[key] = ending(intent, Outcome.REFUSED, now)


def ending(intent: Mapping[str, Any], outcome: Outcome, now: float) -> dict[str, Any]:
    """What `AuditLog.append` is given to end an intent of which nothing more is known."""
    known = {key: intent.get(key) for key in ("cluster", "actor", "login", "source", "body")}
    event = intent.get("event")
    if isinstance(event, Mapping):
        known["event"] = {**event, "stage": "ResponseComplete", "stageTimestamp": rfc3339(now)}
    same_id = {} if "event" in known else {"record_id": str(intent.get("id"))}
    return {"record_type": RecordType(str(intent["type"])), "outcome": outcome, **known, **same_id}
