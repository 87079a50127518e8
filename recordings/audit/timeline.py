"""What one person did, as a story: a request is one entry, and the same read again and again is one with a count.

Reading is what programs do all day (a dashboard lists pods each second); what changes something, opens a shell, or was
refused stands by itself, so that nobody has to look for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from recordings.audit.question import Decision, at, decision, ids
from recordings.audit.record import Outcome
from recordings.audit.row import row

MERGE_SECONDS = 600.0
"""A read that comes again within so long belongs to the one before."""
READS = frozenset(("get", "list", "watch", "head"))
_BEGINNINGS = (Outcome.INTENT, Outcome.STARTED)


@dataclass(frozen=True, slots=True)
class Entry:
    """Texts are harmless to a terminal. `since` and `until`: RFC 3339 of the first and last record; `id`: the first."""

    since: str
    until: str
    count: int
    action: str
    object: str
    namespace: str
    cluster: str
    result: str
    source: str
    role: str
    id: str


def timeline(records: Iterable[Mapping[str, Any]]) -> list[Entry]:
    """Entries in order of their beginning. `records` come in theirs."""
    found: list[Entry] = []
    requests: dict[str, int] = {}
    reads: dict[tuple[str, ...], int] = {}
    for record in records:
        entry = _entry(record)
        begun = requests.pop(entry.id, None) if entry.id else None
        if begun is not None:
            found[begun] = replace(entry, since=found[begun].since)
            index = begun
        elif _is_quiet(record) and _belongs(found, reads.get(_kind(entry)), entry):
            index = reads[_kind(entry)]
            found[index] = replace(found[index], until=entry.until, count=found[index].count + 1)
        else:
            index = len(found)
            found.append(entry)
            if _is_quiet(record):
                reads[_kind(entry)] = index
        if record.get("outcome") in _BEGINNINGS and entry.id:
            requests[entry.id] = index
    return found


def _entry(record: Mapping[str, Any]) -> Entry:
    shown = row(record)
    words = {key: shown[key] for key in ("action", "object", "namespace", "cluster", "result", "source", "role", "id")}
    return Entry(since=shown["time"], until=shown["time"], count=1, **words)


def _is_quiet(record: Mapping[str, Any]) -> bool:
    """A read that was let through, and that is over."""
    return (
        at(record, "event", "verb") in READS
        and not at(record, "event", "objectRef", "subresource")
        and at(record, "event", "objectRef", "resource") != "secrets"
        and record.get("outcome") == Outcome.DONE
        and decision(record) is Decision.ALLOW
        and bool(ids(record))
    )


def _kind(entry: Entry) -> tuple[str, ...]:
    """Names are left out: reading fifty pods one by one is one thing."""
    of = entry.object.partition("/")[0]
    return (entry.action, of, entry.namespace, entry.cluster, entry.result, entry.source)


def _belongs(found: list[Entry], index: int | None, entry: Entry) -> bool:
    if index is None:
        return False
    try:
        apart = datetime.fromisoformat(entry.since) - datetime.fromisoformat(found[index].until)
    except ValueError:
        return False
    return 0 <= apart.total_seconds() <= MERGE_SECONDS
