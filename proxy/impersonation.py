"""Identity → the `Impersonate-*` lines of a request, checked again once they are bytes.

The danger: a request without a (non-empty) `Impersonate-User` runs as the proxy's own account. So an empty or
unprintable name is an error here, whatever was checked at login, and the account can do nothing but impersonate.
Kubernetes: apiserver `endpoints/filters/impersonation`; client-go `transport/round_trippers.go` for the key's escapes.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

EXTRA_LOGIN = "kubewitness.dev/login"
EXTRA_CERTIFICATE = "kubewitness.dev/certificate"
EXTRA_ORIGINAL_USER = "kubewitness.dev/original-user"

MAX_NAME_BYTES = 1024
"""Of a user, group or value, in UTF-8; Kubernetes sets no limit, our audit and its index do."""
MAX_GROUPS = 500
"""Groups in one request: 500 of about 40 bytes stay well under the API server's 1 MiB of headers."""

_KEY_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-._")


class ImpersonationError(ValueError):
    """An identity that cannot be sent without changing its meaning."""


@dataclass(frozen=True, slots=True)
class Impersonation:
    """Who the API server shall see."""

    user: str
    groups: tuple[str, ...]
    uid: str | None
    extra: tuple[tuple[str, str], ...]


def _value(text: str, what: str) -> bytes:
    if not text or text != text.strip() or not text.isprintable():
        raise ImpersonationError(f"{what} is empty, has outer blanks, or holds characters that do not print")
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise ImpersonationError(f"{what} is not valid Unicode") from error
    if len(data) > MAX_NAME_BYTES:
        raise ImpersonationError(f"{what} is longer than {MAX_NAME_BYTES} bytes")
    return data


def _key(key: str) -> bytes:
    if not key or not set(key) <= _KEY_LETTERS | {"/"}:
        raise ImpersonationError("an extra key holds something else than lower-case letters, digits, - . _ and /")
    return key.replace("/", "%2F").encode()


def lines(impersonation: Impersonation, allowed_system_names: Collection[str] = ()) -> bytes:
    """The header lines, each ended by CRLF. Raises ImpersonationError.

    Names under `system:` pass only when the cluster's configuration lists them: the plain `impersonate` right would
    make our account `system:masters` otherwise.
    """
    if not impersonation.groups:
        raise ImpersonationError("no group to send: a request must carry at least one")
    if len(impersonation.groups) > MAX_GROUPS:
        raise ImpersonationError(f"more than {MAX_GROUPS} groups")
    for name in (impersonation.user, *impersonation.groups):
        if name.casefold().startswith("system:") and name not in allowed_system_names:
            raise ImpersonationError(f"{name[:64]!r} is a name of the system and is not allowed for this cluster")
    parts = [b"Impersonate-User: " + _value(impersonation.user, "the user name")]
    parts += [b"Impersonate-Group: " + _value(group, "a group") for group in impersonation.groups]
    if impersonation.uid:
        parts.append(b"Impersonate-Uid: " + _value(impersonation.uid, "the uid"))
    for key, value in impersonation.extra:
        parts.append(b"Impersonate-Extra-" + _key(key) + b": " + _value(value, "an extra value"))
    block = b"\r\n".join(parts) + b"\r\n"
    if block.splitlines() != parts or block.count(b"\n") != len(parts) or not parts[0][18:].strip():
        raise ImpersonationError("the identity does not survive being written as headers")
    return block
