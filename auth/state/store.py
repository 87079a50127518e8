"""The `Store` that every backend implements (tests/conformance/store.py holds them to it)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from auth.ca import IssuedCertificate
from auth.identity import Identity, Login, LoginID
from auth.locks import Lock


class LockEvent(StrEnum):
    """What became of a lock without anybody's record."""

    CREATED = "created"
    REMOVED = "removed"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class UnrecordedLock:
    """`by`: who did it; empty for an expiry, which nobody does."""

    event: LockEvent
    lock: Lock
    by: str = ""


class StoreError(Exception):
    """The state cannot be read or written; nothing may be issued."""


class Store(Protocol):
    """Every method raises StoreError when the state cannot be had.

    `generation` moves on with every change of logins and locks, by whichever process; certificates are kept for the
    record and move nothing. `update_identity` leaves a login alone that has ended; a `token` of None keeps the old one.
    `end_login` is true for the one call that ended it, and forgets its refresh token. `changed_logins` are those that
    were added, changed or ended after a generation, as they are now. `persons_named` are issuer and subject of whoever
    ever signed in by a username.

    `locks` are those in force. Who records what they do adds with `recorded` and removes with `remove_lock`; who
    cannot, on the host, withdraws. What was then added, withdrawn or simply ran out is in `unrecorded_locks`, the
    oldest first, until `lock_recorded` was called with it. `remove_lock` and `withdraw_lock` are true for the one call
    that did it.
    """

    async def add_login(self, login: Login) -> None: ...
    async def get_login(self, login_id: LoginID) -> Login | None: ...
    async def update_identity(
        self, login_id: LoginID, identity: Identity, checked_at: float, token: bytes | None
    ) -> None: ...
    async def end_login(self, login_id: LoginID, at: float, reason: str) -> bool: ...
    async def live_logins(self, now: float) -> tuple[Login, ...]: ...
    async def changed_logins(self, since: int) -> tuple[Login, ...]: ...
    async def add_certificate(self, certificate: IssuedCertificate) -> None: ...
    async def persons_named(self, username: str) -> tuple[tuple[str, str], ...]: ...
    async def add_lock(self, lock: Lock, *, recorded: bool = True) -> None: ...
    async def remove_lock(self, lock_id: str) -> bool: ...
    async def withdraw_lock(self, lock_id: str, at: float, by: str) -> bool: ...
    async def locks(self, now: float) -> tuple[Lock, ...]: ...
    async def unrecorded_locks(self, now: float) -> tuple[UnrecordedLock, ...]: ...
    async def lock_recorded(self, told: UnrecordedLock) -> None: ...
    async def generation(self) -> int: ...
    async def close(self) -> None: ...
