"""Who: the certificate proves a key, the live login record decides, at every request.

1. The certificate was read when the connection opened; here its dates are compared with `now`.
2. The copy of the state must be younger than its limit.
3. The login must exist, not have ended, not be over, and its groups must have been confirmed lately.
4. No lock may name the person.
5. The cluster is the one in the certificate, and must be configured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from auth.client_cert import check_dates
from auth.errors import Reason
from auth.identity import Login, LoginID
from proxy.context import RequestContext
from proxy.status import Refusal
from proxy.upstream import Endpoint

AGAIN = "run `kwit login` to sign in again"


class State(Protocol):
    """The worker's copy of live logins and locks (`auth.state.live`)."""

    def login(self, login_id: LoginID) -> Login | None: ...
    def lock_for(self, login: Login) -> object | None: ...
    def age(self, now: float) -> float: ...


class AuthenticationFilter:
    """Sets `login` and `endpoint`."""

    def __init__(
        self,
        state: State,
        endpoints: Mapping[str, Endpoint],
        *,
        state_max_age_seconds: float,
        groups_max_age_seconds: float,
    ) -> None:
        self._state = state
        self._endpoints = endpoints
        self._state_max_age = state_max_age_seconds
        self._groups_max_age = groups_max_age_seconds

    def __call__(self, context: RequestContext) -> Refusal | None:
        credential, now = context.credential, context.received_at
        expired = check_dates(credential, now)
        if expired is Reason.CERTIFICATE_NOT_YET_VALID:
            return Refusal(expired, "the certificate is not valid yet: check this machine's clock")
        if expired is not None:
            return Refusal(expired, "the certificate has expired; the next kubectl command renews it")
        if self._state.age(now) > self._state_max_age:
            return Refusal(
                Reason.STATE_STALE,
                "the proxy cannot read its state and refuses everything until it can; tell your platform team",
                retry_after_seconds=5,
            )
        login = self._state.login(credential.login_id)
        refusal = self._login(login, now)
        if refusal is not None:
            return refusal
        context.login = login
        endpoint = self._endpoints.get(credential.cluster)
        if endpoint is None:
            return Refusal(
                Reason.UNKNOWN_CLUSTER,
                f"cluster {credential.cluster!r} is not served here any more; `kwit clusters` lists yours",
            )
        context.endpoint = endpoint
        return None

    def _login(self, login: Login | None, now: float) -> Refusal | None:
        if login is None:
            return Refusal(Reason.LOGIN_UNKNOWN, f"this login is not known any more; {AGAIN}")
        if self._state.lock_for(login) is not None:
            return Refusal(Reason.LOCKED, "you are locked out; ask your security team to remove the lock")
        if login.ended_at is not None:
            return Refusal(Reason.LOGIN_ENDED, f"this login has ended ({login.ended_reason or 'logged out'}); {AGAIN}")
        if now >= login.expires_at:
            return Refusal(Reason.LOGIN_EXPIRED, f"this login is over; {AGAIN}")
        if now - login.groups_checked_at > self._groups_max_age:
            return Refusal(
                Reason.GROUPS_STALE,
                f"the identity provider has not confirmed your groups for too long; {AGAIN}, or wait until it answers",
            )
        return None
