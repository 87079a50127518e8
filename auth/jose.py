"""Signed tokens in compact form (RFC 7515) taken apart strictly, and the public keys that may have signed them.

PyJWT verifies the signature and nothing else: what it would let through (a header's own key, non-canonical base64,
duplicate names, `crit`) is refused here before it sees the token, and claims are the caller's.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from jwt.algorithms import get_default_algorithms

from auth.strict_json import StrictJSONError, parse_object

MAX_TOKEN_BYTES = 16 * 1024
"""An ID token with 200 groups has about 10 KiB."""
MAX_JWKS_BYTES = 256 * 1024
MAX_KEYS = 100
"""Providers publish two to six."""
MAX_KID = 256

VerifyingKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey

ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)  # fmt: skip
"""Asymmetric ones. `none` and HS* are not here, so no configuration can name them."""

_CURVES: dict[str, type[ec.EllipticCurve]] = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}
_CURVE_NAMES: dict[str, ec.EllipticCurve] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
}
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")


class TokenError(ValueError):
    """A token or key set that is refused; the message says why and holds nothing of it."""


class UnknownKeyError(TokenError):
    """No key of the set has this `kid`: the set may be out of date."""


@dataclass(frozen=True, slots=True)
class Key:
    """A public key as published. `algorithm` None: any that fits its type."""

    kid: str | None
    algorithm: str | None
    key: VerifyingKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeySet:
    keys: tuple[Key, ...]

    def find(self, kid: str | None, algorithm: str) -> Key:
        """The one key that may have signed. Without a `kid`, there must be exactly one candidate."""
        fitting = [key for key in self.keys if _fits(key, algorithm)]
        if kid is None:
            if len(fitting) != 1:
                raise TokenError("the token names no key, and the provider has several")
            return fitting[0]
        found = [key for key in fitting if key.kid == kid]
        if len(found) == 1:
            return found[0]
        if found or any(key.kid == kid for key in self.keys):
            raise TokenError("the key that the token names does not fit its algorithm, or stands twice in the set")
        raise UnknownKeyError("the token is signed by a key that the provider does not publish")


@dataclass(frozen=True, slots=True)
class Unverified:
    """A token taken apart; nothing in it is true yet."""

    header: Mapping[str, Any]
    payload: bytes
    signature: bytes
    signing_input: bytes
    algorithm: str


def decode_base64url(text: str) -> bytes:
    """Unpadded base64url in its one canonical spelling (RFC 7515, section 2). Raises TokenError."""
    if not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        raise TokenError("a part of the token is not unpadded base64url")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode_base64url(data) != text:
        raise TokenError("a part of the token is not in canonical base64url")
    return data


def encode_base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def take_apart(token: str, algorithms: Collection[str], types: Collection[str | None]) -> Unverified:
    """Form, size and header of a token; `types` are the values of `typ`, lower case, that may stand (None: absent).

    `jwk`, `jku`, `x5u`, `x5c` are never followed: keys come from configuration. Raises TokenError.
    """
    if len(token) > MAX_TOKEN_BYTES or not token.isascii():
        raise TokenError(f"the token is larger than {MAX_TOKEN_BYTES} bytes, or not ASCII")
    parts = token.split(".")
    if len(parts) != 3 or not all(parts):
        raise TokenError("the token has not three parts")
    header = _object(decode_base64url(parts[0]))
    algorithm, typ = header.get("alg"), header.get("typ")
    if not isinstance(algorithm, str) or algorithm not in algorithms or algorithm not in ALGORITHMS:
        raise TokenError("the token's algorithm is not one of those configured")
    if "crit" in header or "b64" in header or "enc" in header or "zip" in header:
        raise TokenError("the token's header asks for an extension that is not known here")
    if (typ.lower() if isinstance(typ, str) else typ) not in types:
        raise TokenError("the token is of another type")
    signature = decode_base64url(parts[2])
    return Unverified(header, decode_base64url(parts[1]), signature, f"{parts[0]}.{parts[1]}".encode(), algorithm)


def verify(token: Unverified, key: VerifyingKey) -> dict[str, Any]:
    """The claims, once the signature holds. Raises TokenError."""
    if not _suits(key, token.algorithm):
        raise TokenError("the key does not fit the token's algorithm")
    if not get_default_algorithms()[token.algorithm].verify(token.signing_input, key, token.signature):
        raise TokenError("the token's signature is wrong")
    return _object(token.payload)


def parse_jwks(data: bytes) -> KeySet:
    """The signing keys of a JWK Set (RFC 7517); encryption, symmetric, private, weak, unknown ones are passed over.

    Raises TokenError when it is no key set, or holds no key that could be used.
    """
    try:
        document = parse_object(data, MAX_JWKS_BYTES)
    except StrictJSONError as error:
        raise TokenError(f"the key set cannot be used: {error}") from error
    entries = document.get("keys")
    if not isinstance(entries, list) or len(entries) > MAX_KEYS:
        raise TokenError(f"the key set has no list `keys` of at most {MAX_KEYS}")
    keys = tuple(key for entry in entries if (key := parse_jwk(entry)) is not None)
    if not keys:
        raise TokenError("the key set holds no key for signatures")
    return KeySet(keys)


def parse_jwk(entry: object) -> Key | None:
    """One key, or None when it is not a public key for signatures that we would trust."""
    if not isinstance(entry, dict) or "d" in entry or entry.get("use", "sig") != "sig":
        return None
    operations, kid, algorithm = entry.get("key_ops"), entry.get("kid"), entry.get("alg")
    if operations is not None and (not isinstance(operations, list) or "verify" not in operations):
        return None
    if not isinstance(kid, str | None) or len(kid or "") > MAX_KID or not isinstance(algorithm, str | None):
        return None
    try:
        public = _public_key(entry)
    except (TokenError, ValueError, TypeError, KeyError):
        return None
    if public is None or (algorithm is not None and not _suits(public, algorithm)):
        return None
    return Key(kid, algorithm, public)


def _public_key(entry: dict[str, Any]) -> VerifyingKey | None:
    kty, crv = entry.get("kty"), entry.get("crv")
    if kty == "RSA":
        n, e = (int.from_bytes(decode_base64url(entry[name])) for name in ("n", "e"))
        strong = 2048 <= n.bit_length() <= 8192 and 3 <= e < 2**32
        return rsa.RSAPublicNumbers(e, n).public_key() if strong else None
    if kty == "EC":
        curve = _CURVE_NAMES[str(crv)]
        x, y = (decode_base64url(entry[name]) for name in ("x", "y"))
        if len(x) != len(y) or len(x) != (curve.key_size + 7) // 8:
            return None
        return ec.EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), curve).public_key()
    if kty == "OKP" and crv == "Ed25519":
        return ed25519.Ed25519PublicKey.from_public_bytes(decode_base64url(entry["x"]))
    if kty == "OKP" and crv == "Ed448":
        return ed448.Ed448PublicKey.from_public_bytes(decode_base64url(entry["x"]))
    return None


def _suits(key: VerifyingKey, algorithm: str) -> bool:
    if isinstance(key, rsa.RSAPublicKey):
        return algorithm[:2] in ("RS", "PS") and algorithm in ALGORITHMS
    if isinstance(key, ec.EllipticCurvePublicKey):
        return algorithm in _CURVES and isinstance(key.curve, _CURVES[algorithm])
    return algorithm == "EdDSA"


def _fits(key: Key, algorithm: str) -> bool:
    return key.algorithm in (None, algorithm) and _suits(key.key, algorithm)


def _object(data: bytes) -> dict[str, Any]:
    try:
        return parse_object(data, MAX_TOKEN_BYTES)
    except StrictJSONError as error:
        raise TokenError(f"the token cannot be read: {error}") from error
