"""Claims about the records of locks that nobody recorded when they changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from auth.locks import Lock, LockKind, LockTarget
from auth.state.sqlite import SqliteStore
from proxy.web.lock_records import record_locks
from recordings.audit.record import RecordType
from recordings.errors import LogUnavailableError

LOCK = Lock("l1", LockTarget(LockKind.USER, "ada"), "stolen", 1000.0, "root on the host", 2000.0)
BODY = {
    "lock": "l1",
    "target": "user:ada",
    "reason": "stolen",
    "by": "root on the host",
    "until": "1970-01-01T00:33:20.000000Z",
}


class Log:
    def __init__(self) -> None:
        self.records: list[tuple[str, dict[str, Any]]] = []
        self.down = False

    async def __call__(self, kind: RecordType, record: Mapping[str, Any]) -> None:
        if self.down:
            raise LogUnavailableError("the disk is full")
        self.records.append((kind, dict(record)))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "state.db")
    await store.open()
    yield store
    await store.close()


async def test_a_lock_of_the_host_that_runs_out_has_a_record_of_both(store: SqliteStore) -> None:
    log = Log()
    await store.add_lock(LOCK, recorded=False)
    for now in (1000.0, 1001.0, 2000.0, 2001.0):
        await record_locks(store, log, now)
    created = {"outcome": "done", "body": BODY | {"persons": [], "shows_reason": False}}
    assert log.records == [("lock.create", created), ("lock.expire", {"outcome": "done", "body": BODY})]


async def test_a_lock_that_the_host_removed_names_who_did(store: SqliteStore) -> None:
    log = Log()
    await store.add_lock(LOCK)
    await store.withdraw_lock("l1", 1500.0, "root on the host")
    for now in (1501.0, 2500.0):
        await record_locks(store, log, now)
    removed = {"outcome": "done", "body": BODY | {"removed_by": "root on the host"}}
    assert log.records == [("lock.delete", removed)]


async def test_a_lock_of_a_cluster_is_on_record_as_about_it(store: SqliteStore) -> None:
    log = Log()
    await store.add_lock(replace(LOCK, target=LockTarget(LockKind.CLUSTER, "eu")))
    await record_locks(store, log, 2000.0)
    assert [(kind, record["cluster"]) for kind, record in log.records] == [("lock.expire", "eu")]


async def test_what_cannot_be_recorded_is_recorded_later(store: SqliteStore) -> None:
    log = Log()
    await store.add_lock(LOCK)
    log.down = True
    with pytest.raises(LogUnavailableError):
        await record_locks(store, log, 2000.0)
    log.down = False
    await record_locks(store, log, 2001.0)
    assert [kind for kind, _ in log.records] == ["lock.expire"]
