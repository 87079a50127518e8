"""Whether a login still admits its person to the web listener: asked of the store, at each call and each look."""

from __future__ import annotations

from auth.errors import AuthError, Reason
from auth.identity import Login
from auth.locks import Locks, told
from auth.state.live import why_not
from proxy.web.deps import WebDeps
from proxy.web.errors import SENTENCES


async def must_live(deps: WebDeps, login: Login | None, now: float, cluster: str = "") -> None:
    """Raises AuthError where it admits to nothing any more, or to nothing on `cluster`; StoreError."""
    lock = None if login is None else Locks(await deps.store.locks(now)).on(login, cluster)
    if lock is not None:
        raise AuthError(Reason.LOCKED, told(lock))
    reason = why_not(login, None, now, deps.groups_max_age)
    if reason is not None:
        raise AuthError(reason, SENTENCES[reason])
