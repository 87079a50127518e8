"""A published key is the one that signs: what was written is read by our own reader of key sets."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from auth.jose import parse_jwk
from deploy.sandbox.idp.signing import jwk


def test_an_elliptic_key_is_read_back() -> None:
    for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()):
        key = ec.generate_private_key(curve)
        found = parse_jwk(jwk(key, "k"))
        assert found is not None
        assert (found.kid, found.key) == ("k", key.public_key())


def test_a_coordinate_with_leading_zeros_keeps_its_length() -> None:
    # the private value 379 gives an x whose first byte is zero
    keys = (ec.derive_private_key(number, ec.SECP256R1()) for number in range(1, 1000))
    key = next(key for key in keys if key.public_key().public_numbers().x >> 248 == 0)
    assert len(jwk(key, None)["x"]) == len(jwk(key, None)["y"]) == 43


def test_an_rsa_key_is_read_back() -> None:
    key = rsa.generate_private_key(65537, 2048)
    entry = jwk(key, None, alg="RS256")
    assert (entry["kty"], entry["e"], entry["alg"], "kid" in entry) == ("RSA", "AQAB", "RS256", False)
    found = parse_jwk(entry)
    assert found is not None
    assert found.key == key.public_key()
