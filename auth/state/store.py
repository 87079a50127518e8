"""The `Store` that every backend implements (tests/conformance/store.py holds them to it)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from auth.ca import IssuedCertificate
from auth.identity import Identity, Login, LoginID


@dataclass(frozen=True, slots=True)
class Lock:
    """Stops a person or one login at once. `target` is `login:ID`, or `user:ISSUER SUBJECT`."""

    id: str
    target: str
    reason: str
    created_at: float
    created_by: str
    expires_at: float | None = None


def lock_targets(login: Login) -> tuple[str, str]:
    """The targets by which a lock names this login or its person."""
    return f"login:{login.id}", f"user:{login.identity.issuer} {login.identity.subject}"


class StoreError(Exception):
    """The state cannot be read or written; nothing may be issued."""


class Store(Protocol):
    """Every method raises StoreError when the state cannot be had.

    `generation` moves on with every change of logins and locks, by whichever process; certificates are kept for the
    record and move nothing. `update_identity` leaves a login alone that has ended; a `token` of None keeps the old one.
    `end_login` is true for the one call that ended it, and forgets its refresh token. `changed_logins` are those that
    were added, changed or ended after a generation, as they are now.
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
    async def add_lock(self, lock: Lock) -> None: ...
    async def remove_lock(self, lock_id: str) -> bool: ...
    async def locks(self, now: float) -> tuple[Lock, ...]: ...
    async def generation(self) -> int: ...
    async def close(self) -> None: ...
