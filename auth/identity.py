"""Who somebody is, how we know, and until when: the types that all three packages share.

An identity is keyed by issuer and subject (OpenID Connect Core 1.0, section 2: `sub` is unique within the issuer and
never reassigned). Usernames, groups and addresses are derived, may change, and are never keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from types import MappingProxyType
from typing import NewType

LoginID = NewType("LoginID", str)
"""26 lower-case base32 characters: 128 random bits. The CN of every certificate of the login."""

KeyHash = NewType("KeyHash", str)
"""Unpadded base64url of the SHA-256 of a public key's SubjectPublicKeyInfo DER."""

_NO_CLAIMS: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Identity:
    """A person as the connector's mapping derived them from verified claims."""

    connector: str
    issuer: str
    subject: str
    username: str
    groups: tuple[str, ...] = ()
    email: str | None = None
    claims: Mapping[str, object] = field(default_factory=lambda: _NO_CLAIMS, compare=False, hash=False, repr=False)

    @property
    def key(self) -> tuple[str, str]:
        """(issuer, subject): equal for the same person, whatever they are called today."""
        return (self.issuer, self.subject)

    @property
    def uid(self) -> str:
        """Kubernetes' UserInfo.UID for this person: stable, opaque, the same in every cluster (32 hex digits)."""
        return sha256(f"{self.issuer}\0{self.subject}".encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Login:
    """One sign-in. All times are seconds since the epoch by the server's clock.

    `ended_at` set means: over, whatever `expires_at` says. `groups_checked_at` is when the provider last confirmed
    the groups; after `groups_max_age` without confirmation the login admits nothing.
    """

    id: LoginID
    identity: Identity
    key_hash: KeyHash
    created_at: float
    expires_at: float
    groups_checked_at: float
    source: str
    user_agent: str = ""
    ended_at: float | None = None
    ended_reason: str | None = None
    refresh_token: bytes | None = field(default=None, repr=False)
    """Encrypted by the server's state key; opaque here."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What a client certificate says, read once per connection. It proves a key; it grants nothing by itself."""

    installation: str
    cluster: str
    login_id: LoginID
    serial_number: str
    """Lower-case hex without leading zeros."""
    not_before: float
    not_after: float
    fingerprint: str
    """SHA-256 of the DER, lower-case hex."""
