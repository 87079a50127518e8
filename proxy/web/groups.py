"""Who has signed in is asked about again: every login's groups are re-read from its provider, and can only narrow.

The provider's clear no ends the login at once; its silence lets the last groups stand until they are too old, which is
looked at with every request. Renewals of one login never overlap: there is one loop, in the one web process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from auth.connectors import Connector, narrowed
from auth.errors import AuthError, Reason
from auth.identity import Identity, Login
from auth.login import InvalidGrantError
from auth.secret import Secret
from auth.state.seal import NONCE_BYTES, Seal, SealError
from auth.state.store import Store, StoreError
from recordings.audit.event import actor
from recordings.audit.record import Outcome, RecordType
from recordings.errors import LogUnavailableError

CONCURRENT = 8
"""Providers asked at once, all together: ten thousand logins in five minutes are 33 a second of 0.2 s each."""
SWEEP_SECONDS = 5.0
MAX_RETRY_SECONDS = 60.0
"""After silence, a login is asked about again at least this often (or at every refresh, if that is sooner)."""

Audit = Callable[[RecordType, Mapping[str, Any]], Awaitable[None]]


class GroupsReader:
    """`run` is the loop, `sweep` one pass over what is due."""

    def __init__(
        self,
        store: Store,
        connectors: Mapping[str, Connector],
        seal: Seal,
        audit: Audit,
        *,
        refresh_seconds: float,
        clock: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._connectors = connectors
        self._seal = seal
        self._audit = audit
        self._refresh_seconds = refresh_seconds
        self._clock = clock
        self._random = random
        self._asked_at: dict[str, float] = {}
        self._slots = asyncio.Semaphore(CONCURRENT)

    async def run(self) -> None:
        """Until cancelled. A pass that fails as a whole (state, log) is tried again at the next."""
        while True:
            with suppress(StoreError, LogUnavailableError):  # logins grow stale, and stale logins admit nothing
                await self.sweep()
            await asyncio.sleep(SWEEP_SECONDS)

    async def sweep(self) -> None:
        """Ask about every login that is due. Raises StoreError, LogUnavailableError."""
        now = self._clock()
        logins = await self._store.live_logins(now)
        known = {login.id for login in logins}
        self._asked_at = {login_id: at for login_id, at in self._asked_at.items() if login_id in known}
        due = [login for login in logins if self._is_due(login, now)]
        results = await asyncio.gather(*(self._one(login) for login in due), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def _is_due(self, login: Login, now: float) -> bool:
        if login.refresh_token is None:
            return False
        again = min(self._refresh_seconds, MAX_RETRY_SECONDS)
        return now - login.groups_checked_at >= self._refresh_seconds and now - self._asked_at.get(login.id, 0) >= again

    async def _one(self, login: Login) -> None:
        async with self._slots:
            now = self._clock()
            self._asked_at[login.id] = now
            connector = self._connectors.get(login.identity.connector)
            if connector is None:
                await self._end(login, "its identity provider is no longer configured")
                return
            assert login.refresh_token is not None
            try:
                token = self._seal.open(login.refresh_token, login.id)
                today = await connector.refresh(login.identity, token, lambda new: self._save(login, new), now)
            except SealError:
                return  # a state key that was lost: groups grow stale, the person signs in again
            except InvalidGrantError:
                await self._end(login, "the identity provider ended it")
                return
            except AuthError as error:
                if error.reason is Reason.IDENTITY_REFUSED:
                    await self._end(login, error.message)
                return
            await self._confirm(login, today)

    async def _confirm(self, login: Login, today: Identity) -> None:
        identity = narrowed(login.identity, today)
        if identity is None:
            await self._end(login, "the identity provider calls this person by another name now")
            return
        await self._store.update_identity(login.id, identity, self._clock(), None)

    async def _save(self, login: Login, token: Secret) -> None:
        sealed = self._seal.close(token, login.id, self._random(NONCE_BYTES))
        await self._store.update_identity(login.id, login.identity, login.groups_checked_at, sealed)

    async def _end(self, login: Login, reason: str) -> None:
        if not await self._store.end_login(login.id, self._clock(), reason):
            return
        await self._audit(
            RecordType.LOGIN_ENDED,
            {
                "outcome": Outcome.DONE,
                "actor": actor(login.identity),
                "login": login.id,
                "source": login.source,
                "body": {"reason": reason},
            },
        )


def with_token(login: Login, seal: Seal, token: Secret | None, nonce: bytes) -> Login:
    """The login with its refresh token sealed to it."""
    return login if token is None else replace(login, refresh_token=seal.close(token, login.id, nonce))
