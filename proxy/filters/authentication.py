"""Who: the certificate proves a key, the live login record decides, at every request.

1. The certificate was read when the connection opened; here its dates are compared with `now`.
2. The copy of the state must be younger than its limit.
3. The login must exist, not have ended, not be over, and its groups must have been confirmed lately.
4. No lock may stop the person, the login or the cluster.
5. The cluster is the one in the certificate, and must be configured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from auth.client_cert import check_dates
from auth.errors import Reason
from auth.identity import Login, LoginID
from auth.locks import Lock, told
from auth.state.live import why_not
from proxy.context import RequestContext
from proxy.status import RETRY_AFTER_SECONDS, Refusal
from proxy.upstream import Endpoint

AGAIN = "run `kwit login` to sign in again"

_SENTENCES = {
    Reason.LOGIN_UNKNOWN: f"this login is not known any more; {AGAIN}",
    Reason.LOGIN_EXPIRED: f"this login is over; {AGAIN}",
    Reason.GROUPS_STALE: (
        f"the identity provider has not confirmed your groups for too long; {AGAIN}, or wait until it answers"
    ),
}
"""For each of `why_not`'s reasons but LOGIN_ENDED and LOCKED, whose sentences say why."""


class State(Protocol):
    """The worker's copy of live logins and locks (`auth.state.live`)."""

    def login(self, login_id: LoginID) -> Login | None: ...
    def lock_for(self, login: Login, cluster: str) -> Lock | None: ...
    def age(self, now: float) -> float: ...


class AuthenticationFilter:
    """Sets `login`, where it is known, and `endpoint`."""

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
            return Refusal(
                expired,
                "the certificate has expired; kubectl gets a new one by itself at its next command, "
                "a file from `kwit kubeconfig --embed` has to be made again",
            )
        return self.still(context, now)

    def still(self, context: RequestContext, now: float) -> Refusal | None:
        """Why the login behind a request does not hold now, whatever its certificate's dates: the end of a certificate
        cuts nothing that runs.
        """
        credential = context.credential
        if self._state.age(now) > self._state_max_age:
            return Refusal(
                Reason.STATE_STALE,
                "the proxy cannot read its state and refuses everything until it can; tell your platform team",
                retry_after_seconds=RETRY_AFTER_SECONDS,
            )
        login = self._state.login(credential.login_id)
        context.login = login  # a refusal's record names them, too
        lock = self._state.lock_for(login, credential.cluster) if login is not None else None
        reason = why_not(login, lock, now, self._groups_max_age)
        if reason is not None or login is None:
            return _not_live(reason or Reason.LOGIN_UNKNOWN, login, lock)
        endpoint = self._endpoints.get(credential.cluster)
        if endpoint is None:
            return Refusal(
                Reason.UNKNOWN_CLUSTER,
                f"cluster {credential.cluster!r} is not served here any more; `kwit clusters` lists yours",
            )
        context.endpoint = endpoint
        return None


def _not_live(reason: Reason, login: Login | None, lock: Lock | None) -> Refusal:
    """The sentence for a reason of `why_not`."""
    if lock is not None:
        return Refusal(reason, f"{told(lock)}; ask your security team to remove the lock")
    if reason is Reason.LOGIN_ENDED:
        why = (login.ended_reason if login is not None else None) or "logged out"
        return Refusal(reason, f"this login has ended ({why}); {AGAIN}")
    return Refusal(reason, _SENTENCES[reason])
