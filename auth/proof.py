"""Proof that a call comes from the holder of a login's key: a DPoP proof (RFC 9449, section 4) with a `login` claim.

Pure: what it says is read and its signature checked (`read_proof`), then compared with the call, the login and the
clock (`check_proof`), and its `jti` is remembered (`SeenProofs`). It covers method and URL; the body is TLS's.
"""

from __future__ import annotations

import hmac
import re
from collections import OrderedDict
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from auth.ca import key_hash
from auth.errors import AuthError, Reason
from auth.identity import KeyHash, Login, LoginID
from auth.jose import TokenError, parse_jwk, take_apart, verify

WINDOW_SECONDS = 300.0
"""Clocks of laptops; one that is further off is told the server's time and asks again."""
MAX_PROOF_BYTES = 4096
MAX_PROOFS_PER_LOGIN = 1000
"""Within the window: a hundred clusters, renewed at once, ten times over."""

_LOGIN = re.compile(r"[a-z2-7]{26}")
_JTI = re.compile(r"[A-Za-z0-9_-]{16,64}")


class ClockError(AuthError):
    """The proof's time is too far from ours; the answer carries our time."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a proof says, signed by the key whose hash is `key_hash`. Whose key that is, is not known yet."""

    login_id: LoginID
    key_hash: KeyHash
    method: str
    url: str
    issued_at: float
    jti: str


def read_proof(text: str) -> Proof:
    """Raises AuthError(PROOF_INVALID).

    1. A signed token of type dpop+jwt, ES256, bounded; 2. its header's `jwk` is a public P-256 key;
    3. that key signed it; 4. every claim is there and of its type.
    """
    if len(text) > MAX_PROOF_BYTES:
        raise _invalid("it is too long")
    try:
        unverified = take_apart(text, {"ES256"}, types=("dpop+jwt",))
        key = parse_jwk(unverified.header.get("jwk"))
        if key is None or not isinstance(key.key, ec.EllipticCurvePublicKey):
            raise _invalid("its key is not a public P-256 key")
        claims = verify(unverified, key.key)
    except TokenError as error:
        raise _invalid(str(error)) from error
    method, url, issued, jti, login = (claims.get(name) for name in ("htm", "htu", "iat", "jti", "login"))
    if not isinstance(method, str) or not isinstance(url, str):
        raise _invalid("it names no method and URL")
    if isinstance(issued, bool) or not isinstance(issued, (int, float)) or not 0 < issued < 2**40:
        raise _invalid("it has no time")
    if not isinstance(jti, str) or not _JTI.fullmatch(jti):
        raise _invalid("its `jti` is not 16 to 64 characters of base64url")
    if not isinstance(login, str) or not _LOGIN.fullmatch(login):
        raise _invalid("it names no login")
    return Proof(LoginID(login), key_hash(key.key), method, url, float(issued), jti)


def check_proof(proof: Proof, login: Login | None, *, method: str, url: str, now: float) -> Login:
    """The login whose key signed, for this very call. `url` is ours, without query. Raises AuthError, ClockError.

    The caller MUST then ask whether the login still lives, and `SeenProofs` whether the proof is new.
    """
    if proof.method != method or proof.url != url:
        raise _invalid("it was made for another call")
    if login is None:
        raise AuthError(Reason.LOGIN_UNKNOWN, "this login is not known here; run `kwit login` to sign in again")
    if login.id != proof.login_id or not hmac.compare_digest(login.key_hash.encode(), proof.key_hash.encode()):
        raise _invalid("it is not signed by the login's key")
    if abs(proof.issued_at - now) > WINDOW_SECONDS:
        raise ClockError(
            Reason.PROOF_INVALID, "this machine's clock and the server's are more than five minutes apart; set it right"
        )
    return login


class SeenProofs:
    """The `jti`s of the window, by login.

    Only proofs that `check_proof` admitted may come here, so nobody without a login can fill it.
    """

    def __init__(self) -> None:
        self._seen: dict[LoginID, OrderedDict[str, float]] = {}

    def admit(self, proof: Proof, now: float) -> None:
        """Remember it. Raises AuthError for one seen before, or one too many."""
        seen = self._seen.setdefault(proof.login_id, OrderedDict())
        while seen and next(iter(seen.values())) < now - 2 * WINDOW_SECONDS:
            seen.popitem(last=False)
        if proof.jti in seen:
            raise _invalid("it was used before")
        if len(seen) >= MAX_PROOFS_PER_LOGIN:
            raise AuthError(Reason.LIMIT_EXCEEDED, "too many calls with one login; wait a few minutes")
        seen[proof.jti] = now

    def sweep(self, now: float) -> None:
        """Forget logins that have been silent for the whole window."""
        old = now - 2 * WINDOW_SECONDS
        for login_id in [i for i, seen in self._seen.items() if not seen or next(reversed(seen.values())) < old]:
            del self._seen[login_id]

    def __len__(self) -> int:
        return sum(len(seen) for seen in self._seen.values())


def _invalid(why: str) -> AuthError:
    return AuthError(Reason.PROOF_INVALID, f"the proof of the login's key is refused: {why}; run `kwit login` again")
