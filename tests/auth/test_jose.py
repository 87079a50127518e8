from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from auth.jose import MAX_KEYS, TokenError, decode_base64url, encode_base64url, parse_jwk, parse_jwks
from tests.auth.connectors.provider import jwk, rsa_key

RSA, EC = rsa_key(), ec.generate_private_key(ec.SECP256R1())
GOOD = jwk(RSA, "a")
WEAK = rsa.generate_private_key(65537, 1024)


@given(st.binary(max_size=64))
def test_base64url_comes_back(data: bytes) -> None:
    assert decode_base64url(encode_base64url(data)) == data


@given(st.text(alphabet="ABYZabyz0189-_", max_size=8))
def test_every_value_has_one_spelling(text: str) -> None:
    try:
        data = decode_base64url(text)
    except TokenError:
        return
    assert encode_base64url(data) == text


@pytest.mark.parametrize("text", ["A", "AB==", "AB=", "A+B/", "AB\n", " AB", "ÄB", "AB.", "AAAAA"])
def test_anything_else_is_no_base64url(text: str) -> None:
    with pytest.raises(TokenError):
        decode_base64url(text)


def test_the_keys_that_sign_are_read() -> None:
    keys = parse_jwks(json.dumps({"keys": [GOOD, jwk(EC, "b", alg="ES256")]}).encode())
    assert [(key.kid, key.algorithm) for key in keys.keys] == [("a", None), ("b", "ES256")]
    assert keys.find("b", "ES256").key == EC.public_key()


@pytest.mark.parametrize(
    "entry",
    [
        None,
        [],
        "key",
        {},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "a"},
        GOOD | {"use": "enc"},
        GOOD | {"use": None},
        GOOD | {"key_ops": ["encrypt"]},
        GOOD | {"key_ops": "verify"},
        GOOD | {"d": "AQAB"},
        GOOD | {"kid": 1},
        GOOD | {"kid": "x" * 257},
        GOOD | {"alg": "HS256"},
        GOOD | {"alg": "none"},
        GOOD | {"alg": "RSA-OAEP"},
        GOOD | {"alg": "RSXXX"},
        GOOD | {"alg": "ES256"},
        GOOD | {"alg": 1},
        GOOD | {"kty": "EC"},
        GOOD | {"n": 1},
        GOOD | {"n": "AQAB"},
        GOOD | {"e": "AQ"},
        GOOD | {"e": "AAAA"},
        GOOD | {"e": GOOD["n"]},
        {k: v for k, v in GOOD.items() if k != "e"},
        jwk(WEAK, "weak"),
        jwk(EC, "b") | {"crv": "P-384"},
        jwk(EC, "b") | {"crv": "secp256k1"},
        jwk(EC, "b") | {"crv": None},
        jwk(EC, "b") | {"x": jwk(EC, "b")["y"]},
        jwk(EC, "b") | {"x": "AA"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"},
        {"kty": "OKP", "crv": "X25519", "x": encode_base64url(bytes(32))},
    ],
)
def test_what_is_no_public_key_for_signatures_is_passed_over(entry: Any) -> None:
    assert parse_jwk(entry) is None
    beside = parse_jwks(json.dumps({"keys": [entry, jwk(EC, "good")]}).encode())
    assert [key.kid for key in beside.keys] == ["good"]


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b"{}",
        b'{"keys":{}}',
        b'{"keys":[]}',
        b'{"keys":[],"keys":[]}',
        json.dumps({"keys": [GOOD] * (MAX_KEYS + 1)}).encode(),
        b'{"keys":["' + b"x" * 300_000 + b'"]}',
    ],
)
def test_what_is_no_key_set_is_an_error(document: bytes) -> None:
    with pytest.raises(TokenError):
        parse_jwks(document)
