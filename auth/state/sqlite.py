"""The Store on one node: SQLite in WAL mode, one thread, every change its own durable transaction."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import orjson

from auth.ca import IssuedCertificate
from auth.identity import Identity, KeyHash, Login, LoginID
from auth.locks import Lock, LockTarget
from auth.state.store import LockEvent, StoreError, UnrecordedLock

T = TypeVar("T")

BUSY_SECONDS = 5.0
"""How long a writer waits for another process's transaction."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS logins (
  id TEXT PRIMARY KEY, issuer TEXT NOT NULL, subject TEXT NOT NULL, identity BLOB NOT NULL, key_hash TEXT NOT NULL,
  created_at REAL NOT NULL, expires_at REAL NOT NULL, groups_checked_at REAL NOT NULL, source TEXT NOT NULL,
  user_agent TEXT NOT NULL, ended_at REAL, ended_reason TEXT, refresh_token BLOB,
  changed INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE INDEX IF NOT EXISTS logins_live ON logins (expires_at) WHERE ended_at IS NULL;
CREATE TABLE IF NOT EXISTS certificates (
  serial TEXT PRIMARY KEY, login TEXT NOT NULL, cluster TEXT NOT NULL,
  not_before REAL NOT NULL, not_after REAL NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS locks (
  id TEXT PRIMARY KEY, target TEXT NOT NULL, reason TEXT NOT NULL, created_at REAL NOT NULL, created_by TEXT NOT NULL,
  expires_at REAL, shows_reason INTEGER NOT NULL DEFAULT 0, persons TEXT NOT NULL DEFAULT '[]',
  recorded INTEGER NOT NULL DEFAULT 1, withdrawn_at REAL, withdrawn_by TEXT) STRICT;
CREATE TABLE IF NOT EXISTS generation (n INTEGER NOT NULL) STRICT;
INSERT INTO generation SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM generation);
"""
_ADDED = {
    "logins": ("changed INTEGER NOT NULL DEFAULT 0",),
    "locks": (
        "shows_reason INTEGER NOT NULL DEFAULT 0",
        "persons TEXT NOT NULL DEFAULT '[]'",
        "recorded INTEGER NOT NULL DEFAULT 1",
        "withdrawn_at REAL",
        "withdrawn_by TEXT",
    ),
}
"""Columns that a state of an earlier version lacks."""
_LOCK = "id, target, reason, created_at, created_by, expires_at, shows_reason, persons"
_IN_FORCE = "withdrawn_at IS NULL AND (expires_at IS NULL OR expires_at > ?)"
_LOGIN = (
    "id, identity, key_hash, created_at, expires_at, groups_checked_at, source, user_agent, ended_at, ended_reason, "
    "refresh_token"
)


class SqliteStore:
    """See `auth.state.store.Store`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="state")
        self._db: sqlite3.Connection | None = None
        self._closed = False

    async def open(self) -> None:
        """Create or open the file (0600). Raises StoreError."""
        await self._run(self._open)

    def _open(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(
            FileExistsError
        ):  # one that is there is not opened: closing it would end this process's locks on it
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        self._db = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)
        self._db.execute("BEGIN IMMEDIATE")  # several workers open it at once
        for table, columns in _ADDED.items():
            known = {column for _, column, *_ in self._db.execute(f"PRAGMA table_info({table})")}
            for column in columns:
                if column.partition(" ")[0] not in known:
                    self._db.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
        self._db.execute("CREATE INDEX IF NOT EXISTS logins_changed ON logins (changed)")
        self._db.execute("COMMIT")

    async def close(self) -> None:
        if self._db is not None:
            await self._run(self._db.close)
            self._db = None
        self._closed = True
        self._thread.shutdown(wait=True)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._closed:
            raise StoreError("the state is closed")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"the state in {self._path.name} cannot be used: {error}") from error

    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            raise StoreError("the state is not open")
        return self._db

    async def _change(self, sql: str, values: tuple[object, ...], *, told: bool = True) -> int:
        """One transaction; `told`: it moves the generation on first, so that workers read what has the new one.

        Returns the rows changed; where that is none, nothing was.
        """

        def work() -> int:
            db = self._connection()
            db.execute("BEGIN IMMEDIATE")
            try:
                if told:
                    db.execute("UPDATE generation SET n = n + 1")
                count = db.execute(sql, values).rowcount
                db.execute("COMMIT" if count else "ROLLBACK")
            except sqlite3.Error:
                db.execute("ROLLBACK")
                raise
            return count

        return await self._run(work)

    async def _rows(self, sql: str, values: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        return await self._run(lambda: self._connection().execute(sql, values).fetchall())

    # -- logins

    async def add_login(self, login: Login) -> None:
        await self._change(
            f"INSERT INTO logins (issuer, subject, {_LOGIN}, changed) "  # noqa: S608
            "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,(SELECT n FROM generation))",
            (
                login.identity.issuer,
                login.identity.subject,
                login.id,
                _encode(login.identity),
                login.key_hash,
                login.created_at,
                login.expires_at,
                login.groups_checked_at,
                login.source,
                login.user_agent,
                login.ended_at,
                login.ended_reason,
                login.refresh_token,
            ),
        )

    async def get_login(self, login_id: LoginID) -> Login | None:
        rows = await self._rows(f"SELECT {_LOGIN} FROM logins WHERE id = ?", (login_id,))  # noqa: S608
        return _login(rows[0]) if rows else None

    async def update_identity(
        self, login_id: LoginID, identity: Identity, checked_at: float, token: bytes | None
    ) -> None:
        await self._change(
            "UPDATE logins SET identity = ?, groups_checked_at = ?, refresh_token = coalesce(?, refresh_token), "
            "changed = (SELECT n FROM generation) WHERE id = ? AND ended_at IS NULL",
            (_encode(identity), checked_at, token, login_id),
        )

    async def end_login(self, login_id: LoginID, at: float, reason: str) -> bool:
        sql = (
            "UPDATE logins SET ended_at = ?, ended_reason = ?, refresh_token = NULL, "
            "changed = (SELECT n FROM generation) WHERE id = ? AND ended_at IS NULL"
        )
        return bool(await self._change(sql, (at, reason, login_id)))

    async def live_logins(self, now: float) -> tuple[Login, ...]:
        return await self._logins("ended_at IS NULL AND expires_at > ?", now)

    async def changed_logins(self, since: int) -> tuple[Login, ...]:
        return await self._logins("changed > ?", since)

    async def _logins(self, condition: str, value: float) -> tuple[Login, ...]:
        sql = f"SELECT {_LOGIN} FROM logins WHERE {condition}"  # noqa: S608

        def work() -> tuple[Login, ...]:  # decoded there too: ten thousand would hold up every request meanwhile
            return tuple(_login(row) for row in self._connection().execute(sql, (value,)))

        return await self._run(work)

    # -- certificates and locks

    async def add_certificate(self, certificate: IssuedCertificate) -> None:
        c = certificate
        await self._change(
            "INSERT INTO certificates VALUES (?,?,?,?,?)",
            (c.serial_number, c.login_id, c.cluster, c.not_before, c.not_after),
            told=False,  # workers hold no certificates
        )

    async def persons_named(self, username: str) -> tuple[tuple[str, str], ...]:
        sql = (
            "SELECT DISTINCT issuer, subject FROM logins "
            "WHERE json_extract(CAST(identity AS TEXT), '$.username') = ? ORDER BY 1, 2"
        )
        return tuple((str(issuer), str(subject)) for issuer, subject in await self._rows(sql, (username,)))

    async def add_lock(self, lock: Lock, *, recorded: bool = True) -> None:
        await self._change(
            f"INSERT INTO locks ({_LOCK}, recorded) VALUES (?,?,?,?,?,?,?,?,?)",  # noqa: S608
            (
                lock.id,
                str(lock.target),
                lock.reason,
                lock.created_at,
                lock.created_by,
                lock.expires_at,
                int(lock.shows_reason),
                orjson.dumps(lock.persons).decode(),
                int(recorded),
            ),
        )

    async def remove_lock(self, lock_id: str) -> bool:
        return bool(await self._change("DELETE FROM locks WHERE id = ? AND withdrawn_at IS NULL", (lock_id,)))

    async def withdraw_lock(self, lock_id: str, at: float, by: str) -> bool:
        sql = f"UPDATE locks SET withdrawn_at = ?, withdrawn_by = ? WHERE id = ? AND {_IN_FORCE}"  # noqa: S608
        return bool(await self._change(sql, (at, by, lock_id, at)))

    async def locks(self, now: float) -> tuple[Lock, ...]:
        sql = f"SELECT {_LOCK} FROM locks WHERE {_IN_FORCE} ORDER BY created_at, id"  # noqa: S608

        def work() -> tuple[Lock, ...]:  # decoded there too, as logins are
            return tuple(_lock(row) for row in self._connection().execute(sql, (now,)))

        return await self._run(work)

    async def unrecorded_locks(self, now: float) -> tuple[UnrecordedLock, ...]:
        sql = (
            f"SELECT recorded, withdrawn_at, withdrawn_by, {_LOCK} FROM locks "  # noqa: S608
            f"WHERE recorded = 0 OR NOT ({_IN_FORCE}) ORDER BY created_at, id"
        )
        found: list[UnrecordedLock] = []
        for recorded, withdrawn_at, withdrawn_by, *row in await self._rows(sql, (now,)):
            lock = _lock(row)
            if not recorded:
                found.append(UnrecordedLock(LockEvent.CREATED, lock, lock.created_by))
            if withdrawn_at is not None:
                found.append(UnrecordedLock(LockEvent.REMOVED, lock, str(withdrawn_by)))
            elif lock.expires_at is not None and lock.expires_at <= now:
                found.append(UnrecordedLock(LockEvent.EXPIRED, lock))
        return tuple(found)

    async def lock_recorded(self, told: UnrecordedLock) -> None:
        """Of what holds no more nothing is left; workers know already that it does not."""
        created = told.event is LockEvent.CREATED
        sql = "UPDATE locks SET recorded = 1 WHERE id = ?" if created else "DELETE FROM locks WHERE id = ?"
        await self._change(sql, (told.lock.id,), told=False)

    async def generation(self) -> int:
        return int(str((await self._rows("SELECT n FROM generation"))[0][0]))


def _encode(identity: Identity) -> bytes:
    return orjson.dumps(
        {
            "connector": identity.connector,
            "issuer": identity.issuer,
            "subject": identity.subject,
            "username": identity.username,
            "groups": identity.groups,
            "email": identity.email,
            "claims": dict(identity.claims),
        }
    )


def _login(row: tuple[object, ...]) -> Login:
    login_id, identity, key_hash, *rest = row
    facts = orjson.loads(identity)  # type: ignore[arg-type]
    facts["groups"] = tuple(facts["groups"])
    return Login(LoginID(str(login_id)), Identity(**facts), KeyHash(str(key_hash)), *rest)  # type: ignore[arg-type]


def _lock(row: Sequence[object]) -> Lock:
    """Raises StoreError for what this version does not know: who cannot read locks lets nobody in."""
    lock_id, target, reason, created_at, created_by, expires_at, shows_reason, persons = row
    try:
        named = LockTarget.parse(str(target))
        known = tuple((issuer, subject) for issuer, subject in orjson.loads(str(persons)))
    except (ValueError, TypeError) as error:
        raise StoreError(f"the state holds a lock that this version cannot read: {lock_id}") from error
    ends = None if expires_at is None else float(str(expires_at))
    made = (str(reason), float(str(created_at)), str(created_by))
    return Lock(str(lock_id), named, *made, ends, bool(shows_reason), known)
