"""The only network I/O of `auth`: identity providers. What their answers mean is `auth.oidc`, `login` and `mapping`.

A connector turns a browser's round trip into an `Identity`, and asks the provider again while the login lives.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from auth.identity import Identity
from auth.secret import Secret


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who the provider says it is. `refresh_token` None: the groups cannot be read again."""

    identity: Identity
    refresh_token: Secret | None


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """The secrets of one browser's way to the provider and back."""

    state: str
    nonce: str
    verifier: Secret
    redirect_uri: str


class Connector(Protocol):
    """One identity provider.

    Everything raises AuthError: CONNECTOR_UNAVAILABLE when the provider does not answer as it should (silence),
    `auth.login.InvalidGrantError` for its clear no, TOKEN_INVALID and IDENTITY_REFUSED for an answer that is refused.
    """

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def display_name(self) -> str: ...

    async def begin(self, trip: RoundTrip, now: float) -> str:
        """The provider's address for the browser."""
        ...

    async def complete(self, params: Mapping[str, str], trip: RoundTrip, now: float) -> SignedIn:
        """Redeem and verify what the browser brought back."""
        ...

    async def refresh(
        self, identity: Identity, token: Secret, save: Callable[[Secret], Awaitable[None]], now: float
    ) -> Identity:
        """Ask who this person is today. `save` is awaited with a rotated token before anything else is done with it:
        a second use of the old one ends the login at some providers.
        """
        ...

    async def close(self) -> None: ...


def narrowed(old: Identity, new: Identity) -> Identity | None:
    """`old`, less what the provider no longer confirms; nothing is ever added. None: it is somebody else, or renamed.

    A claim stands while it is unchanged; of a list of values, those that are still in it.
    """
    if (old.connector, old.issuer, old.subject, old.username) != (new.connector, new.issuer, new.subject, new.username):
        return None
    groups = tuple(group for group in old.groups if group in new.groups)
    claims: dict[str, object] = {}
    for name, value in old.claims.items():
        today = new.claims.get(name)
        if value == today:
            claims[name] = value
        elif isinstance(value, list) and isinstance(today, list):
            claims[name] = [member for member in value if member in today]
    email = old.email if old.email == new.email else None
    return Identity(old.connector, old.issuer, old.subject, old.username, groups, email, claims)
