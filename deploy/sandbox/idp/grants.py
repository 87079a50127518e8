"""What the provider has promised to whom: a code, then tokens, then newer tokens in place of the old ones.

    authorize --code--> redeem --refresh token--> refresh --refresh token--> refresh ...

Each secret is good once. One that comes a second time was stolen from somebody, and nobody can say from whom: then the
whole grant ends (RFC 6749, section 4.1.2; RFC 9700, section 4.14.2). Time and randomness are handed in.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from auth.jose import encode_base64url
from deploy.sandbox.idp.people import Person

CODE_SECONDS = 60.0
"""RFC 6749 recommends at most ten minutes; a browser brings it back at once."""
ACCESS_SECONDS = 300.0
REFRESH_SECONDS = 43_200.0
"""A working day and a bit: longer than a login of ours lives."""
MAX_GRANTS = 1_000
"""A few hundred KiB; beyond, the oldest gives way."""


class GrantError(Exception):
    """`invalid_grant`; the message is the error's description."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the client asked for, checked."""

    redirect_uri: str
    scopes: tuple[str, ...]
    nonce: str | None
    code_challenge: str


@dataclass(frozen=True, slots=True)
class Issued:
    """New tokens for a person. `nonce` is None on a refresh (Core 1.0, section 12.2)."""

    person: Person
    scopes: tuple[str, ...]
    nonce: str | None
    authenticated_at: float
    access_token: str
    refresh_token: str


@dataclass(slots=True)
class _Grant:
    """`secret` is the one thing that moves it on: first the code, then the newest refresh token."""

    asked: Asked
    person: Person
    authenticated_at: float
    secret: str
    ends_at: float
    access_token: str = ""
    access_ends_at: float = 0.0


class Grants:
    """All grants of one provider. `random` gives 128 bits or more as URL-safe text without a dot."""

    def __init__(self, random: Callable[[], str]) -> None:
        self._random = random
        self._grants: OrderedDict[str, _Grant] = OrderedDict()

    def __len__(self) -> int:
        return len(self._grants)

    def authorize(self, asked: Asked, person: Person, now: float) -> str:
        """A code for what `person` agreed to."""
        name = self._random()
        code = self._secret("code", name)
        self._grants[name] = _Grant(asked, person, now, code, now + CODE_SECONDS)
        while len(self._grants) > MAX_GRANTS:
            self._grants.popitem(last=False)
        return code

    def redeem(self, code: str, *, redirect_uri: str, verifier: str, now: float) -> Issued:
        """The code's tokens. A code is spent by any attempt, a wrong one too. Raises GrantError."""
        name, grant = self._moved_by("code", code, now)
        challenge = encode_base64url(sha256(verifier.encode()).digest())
        problem = ""
        if redirect_uri != grant.asked.redirect_uri:
            problem = "redirect_uri is not the one that the code was sent to"
        elif not hmac.compare_digest(challenge, grant.asked.code_challenge):
            problem = "code_verifier does not fit the code challenge"
        if problem:
            del self._grants[name]
            raise GrantError(problem)
        return self._issue(name, grant, grant.asked.nonce, now)

    def refresh(self, token: str, now: float) -> Issued:
        """New tokens for a refresh token, which is thereby spent. Raises GrantError."""
        name, grant = self._moved_by("refresh", token, now)
        return self._issue(name, grant, None, now)

    def whose(self, access_token: str, now: float) -> Issued | None:
        """Whom an access token is for; None if it is unknown, replaced, or over."""
        grant = self._grants.get(_name_in("access", access_token))
        if grant is None or now >= grant.access_ends_at or not _same(access_token, grant.access_token):
            return None
        return Issued(grant.person, grant.asked.scopes, None, grant.authenticated_at, access_token, "")

    def _moved_by(self, kind: str, secret: str, now: float) -> tuple[str, _Grant]:
        name = _name_in(kind, secret)
        grant = self._grants.get(name)
        if grant is None:
            raise GrantError(f"the {_WORDS[kind]} is not known, or its grant has ended")
        if not _same(secret, grant.secret):
            del self._grants[name]
            raise GrantError(f"the {_WORDS[kind]} was used before; everything that came of it has ended")
        if now >= grant.ends_at:
            del self._grants[name]
            raise GrantError(f"the {_WORDS[kind]} has expired")
        return name, grant

    def _issue(self, name: str, grant: _Grant, nonce: str | None, now: float) -> Issued:
        grant.secret, grant.ends_at = self._secret("refresh", name), now + REFRESH_SECONDS
        grant.access_token, grant.access_ends_at = self._secret("access", name), now + ACCESS_SECONDS
        return Issued(grant.person, grant.asked.scopes, nonce, grant.authenticated_at, grant.access_token, grant.secret)

    def _secret(self, kind: str, name: str) -> str:
        return f"{kind}.{name}.{self._random()}"


_WORDS = {"code": "code", "refresh": "refresh token"}


def _name_in(kind: str, secret: str) -> str:
    """The grant that a secret of this kind is of; nothing where it is of another kind."""
    parts = secret.split(".")
    return parts[1] if len(parts) == 3 and parts[0] == kind else ""


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
