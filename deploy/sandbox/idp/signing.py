"""A public key as a provider publishes it (RFC 7517, RFC 7518 section 6)."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from auth.jose import encode_base64url

_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


def jwk(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, kid: str | None, **more: object) -> dict[str, Any]:
    """The public half of `key`; `kid` None leaves the member out."""
    numbers = key.public_key().public_numbers()
    if isinstance(numbers, rsa.RSAPublicNumbers):
        n, e = (encode_base64url(x.to_bytes((x.bit_length() + 7) // 8)) for x in (numbers.n, numbers.e))
        parts = {"kty": "RSA", "n": n, "e": e}
    else:
        # section 6.2.1.2: the length of a coordinate is the curve's, leading zeros included
        size = (numbers.curve.key_size + 7) // 8
        x, y = (encode_base64url(c.to_bytes(size)) for c in (numbers.x, numbers.y))
        parts = {"kty": "EC", "crv": _CURVES[numbers.curve.name], "x": x, "y": y}
    return {**parts, "use": "sig", **({} if kid is None else {"kid": kid}), **more}
