"""As whom: the lines that tell the API server who is asking, and what a client's own `--as` may ask for."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache

from auth.errors import Reason
from proxy.context import RequestContext
from proxy.effects import Effect
from proxy.headers import forged
from proxy.http1 import RequestHead
from proxy.impersonation import (
    EXTRA_CERTIFICATE,
    EXTRA_LOGIN,
    EXTRA_ORIGINAL_USER,
    Impersonation,
    ImpersonationError,
    lines,
)
from proxy.status import Refusal

CACHED_IDENTITIES = 4096
"""Serialised identities kept, about 1 KiB each."""


@dataclass(frozen=True, slots=True)
class Requested:
    """Whom a client asked to be (`kubectl --as`, `--as-group`, `--as-uid`)."""

    user: str
    groups: tuple[str, ...]
    uid: str | None

    def effects(self) -> tuple[Effect, ...]:
        """Everything that the verb `impersonate` must be allowed for."""
        wanted = [Effect("impersonate", "", "users", "", "", self.user)]
        wanted += [Effect("impersonate", "", "groups", "", "", group) for group in self.groups]
        if self.uid:
            wanted.append(Effect("impersonate", "authentication.k8s.io", "uids", "", "", self.uid))
        return tuple(wanted)


def requested_identity(head: RequestHead) -> Requested | Refusal | None:
    """The client's own impersonation headers: None where there are none, a Refusal for any that we do not read."""
    named = forged(head.fields)
    if not named:
        return None
    users: list[str] = []
    groups: list[str] = []
    uids: list[str] = []
    known = {b"impersonate-user": users, b"impersonate-group": groups, b"impersonate-uid": uids}
    for name, value in named:
        if name not in known:
            return Refusal(
                Reason.FORGED_HEADER,
                f"the header {name.decode()[:64]} is refused: only --as, --as-group and --as-uid are read",
            )
        known[name].append(value.decode())
    if len(users) != 1 or len(uids) > 1 or not users[0]:
        return Refusal(Reason.FORGED_HEADER, "impersonation needs exactly one user: give --as")
    return Requested(users[0], tuple(groups), uids[0] if uids else None)


@lru_cache(maxsize=CACHED_IDENTITIES)
def _lines(impersonation: Impersonation, allowed: frozenset[str]) -> bytes:
    return lines(impersonation, allowed)


class ImpersonationFilter:
    """Sets `impersonation` and `identity_lines`."""

    def __init__(self, allowed_system_names: Callable[[str], Collection[str]]) -> None:
        self._allowed = allowed_system_names

    def __call__(self, context: RequestContext) -> Refusal | None:
        login, verdict, asked = context.login, context.verdict, context.requested
        assert login is not None
        assert verdict is not None
        identity = login.identity
        extra: tuple[tuple[str, str], ...] = (
            (EXTRA_LOGIN, login.id),
            (EXTRA_CERTIFICATE, context.credential.serial_number),
        )
        if asked is None:
            user = verdict.as_user or identity.username
            impersonation = Impersonation(user, verdict.as_groups, identity.uid, extra)
        else:
            extra += ((EXTRA_ORIGINAL_USER, identity.username),)
            impersonation = Impersonation(asked.user, asked.groups or verdict.as_groups, asked.uid, extra)
        try:
            context.identity_lines = _lines(impersonation, frozenset(self._allowed(context.credential.cluster)))
        except ImpersonationError as error:
            return Refusal(
                Reason.IDENTITY_REFUSED,
                f"your role does not say as whom the cluster shall see you: {error}; tell your platform team",
            )
        context.impersonation = impersonation
        return None
