"""A worker's copy of live logins and locks: asked at every request, refreshed every second, too old means no."""

from __future__ import annotations

from auth.errors import Reason
from auth.identity import Login, LoginID
from auth.locks import Lock, Locks
from auth.state.store import Store

REFRESH_SECONDS = 1.0


class LiveState:
    """Look-ups are plain dictionary reads. A login that is not here is not live."""

    def __init__(self) -> None:
        self._logins: dict[LoginID, Login] = {}
        self.locks = Locks()
        self._read_locks: tuple[Lock, ...] = ()
        self._refreshed_at = float("-inf")
        self._generation = -1

    def login(self, login_id: LoginID) -> Login | None:
        return self._logins.get(login_id)

    def lock_for(self, login: Login, cluster: str) -> Lock | None:
        return self.locks.on(login, cluster)

    def age(self, now: float) -> float:
        """Seconds since the state was last read, or confirmed unchanged."""
        return now - self._refreshed_at

    async def refresh(self, store: Store, now: float) -> bool:
        """Read what changed; True when anything did. Raises StoreError, and then grows older.

        A login that did not change stays the very same object.
        """
        generation = await store.generation()
        changed = generation != self._generation or now >= self.locks.next_end
        if changed:
            logins = await self._read(store, generation, now)
            locks = await store.locks(now)
            if locks != self._read_locks:  # logins change far more often
                self._read_locks, self.locks = locks, Locks(locks)
            self._logins = logins
            self._generation = generation
        self._refreshed_at = now
        return changed

    async def _read(self, store: Store, generation: int, now: float) -> dict[LoginID, Login]:
        """All that live, of which only those that changed since the last time are asked for.

        A generation that went back is that of another state, put in the place of the one we know.
        """
        if not 0 <= self._generation <= generation:
            return {login.id: login for login in await store.live_logins(now)}
        found = self._logins | {login.id: login for login in await store.changed_logins(self._generation)}
        return {key: login for key, login in found.items() if login.ended_at is None and login.expires_at > now}


def why_not(login: Login | None, lock: Lock | None, now: float, groups_max_age: float) -> Reason | None:
    """Why a login admits nothing, or None while it lives."""
    if login is None:
        return Reason.LOGIN_UNKNOWN
    if lock is not None:
        return Reason.LOCKED
    if login.ended_at is not None:
        return Reason.LOGIN_ENDED
    if now >= login.expires_at:
        return Reason.LOGIN_EXPIRED
    if now - login.groups_checked_at > groups_max_age:
        return Reason.GROUPS_STALE
    return None
