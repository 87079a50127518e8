"""Who calls, and for whom: a bearer token or a client certificate, and then Impersonate-* headers.

Our token's account is the proxy's: it may impersonate anybody, read discovery and review itself, and nothing else.
A client certificate of the sandbox's CA names its owner: CN the user, O the groups; `system:masters` may do everything.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from deploy.sandbox.apiserver.problem import Problem, bad_request

ACCOUNT = "system:serviceaccount:kwit:proxy"
"""The user that the token stands for."""
MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
_EXTRA = "impersonate-extra-"
Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Caller:
    """Kubernetes' UserInfo; `extra` as pairs, a key with two values twice."""

    user: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: tuple[tuple[str, str], ...] = ()

    @property
    def is_master(self) -> bool:
        return MASTERS in self.groups


@dataclass(frozen=True, slots=True)
class Subject:
    """What a client certificate says; it is verified already."""

    common_name: str
    organizations: tuple[str, ...]


def authenticate(headers: Headers, token: str, certificate: Subject | None) -> Caller:
    """Whose credential this is. Raises Problem 401."""
    given = [value for name, value in headers if name.lower() == "authorization"]
    if given and hmac.compare_digest(given[0].encode(), f"Bearer {token}".encode()):
        return Caller(ACCOUNT, _service_account_groups(ACCOUNT))
    if not given and certificate is not None and certificate.common_name:
        return Caller(certificate.common_name, (*certificate.organizations, AUTHENTICATED))
    raise Problem(401, "Unauthorized", "Unauthorized")


def impersonated(headers: Headers) -> Caller | None:
    """Whom the request is for; None where it does not say. Raises Problem 400."""
    user, uid = "", ""
    groups: list[str] = []
    extra: list[tuple[str, str]] = []
    for name, value in headers:
        lower = name.lower()
        if lower == "impersonate-user":
            user = user or value
        elif lower == "impersonate-uid":
            uid = uid or value
        elif lower == "impersonate-group":
            groups.append(value)
        elif lower.startswith(_EXTRA):
            extra.append((unquote(lower.removeprefix(_EXTRA)), value))
    if not user:
        if groups or uid or extra:
            raise bad_request("requested impersonation without impersonating a user name")
        return None
    if not groups:
        groups = [group for group in _service_account_groups(user) if group != AUTHENTICATED]
    if user == "system:anonymous" and UNAUTHENTICATED not in groups:
        groups.append(UNAUTHENTICATED)
    if AUTHENTICATED not in groups and UNAUTHENTICATED not in groups:
        groups.append(AUTHENTICATED)
    return Caller(user, tuple(groups), uid, tuple(extra))


def _service_account_groups(user: str) -> tuple[str, ...]:
    parts = user.split(":")
    if parts[:2] == ["system", "serviceaccount"] and len(parts) == 4:
        return ("system:serviceaccounts", f"system:serviceaccounts:{parts[2]}", AUTHENTICATED)
    return (AUTHENTICATED,)
