"""The login's private key: made here, kept here, used to ask for certificates and to prove that a call is ours.

The proof is DPoP (RFC 9449, section 4.2) with one claim of ours, `login`.
"""

from __future__ import annotations

import base64
import secrets
from hashlib import sha256

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key

from proxy.cli.client.problem import NotSignedIn


def new_key() -> EllipticCurvePrivateKey:
    return generate_private_key(SECP256R1())


def to_pem(key: EllipticCurvePrivateKey) -> str:
    """In the form of SEC 1 (RFC 5915): Java's clients take a key for RSA's unless its first line says EC, which PKCS #8
    does not; every other reads both.
    """
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode()


def from_pem(pem: str) -> EllipticCurvePrivateKey:
    """In SEC 1's form or, as earlier versions wrote it, in PKCS #8's. Raises NotSignedIn: without the key the login is
    of no use.
    """
    try:
        key = serialization.load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError) as error:
        raise NotSignedIn("the login's key cannot be read; run `kwit login`") from error
    if not isinstance(key, EllipticCurvePrivateKey):
        raise NotSignedIn("the login's key is not of the expected kind; run `kwit login`")
    return key


def public_pem(key: EllipticCurvePrivateKey) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def key_hash(key: EllipticCurvePrivateKey) -> str:
    """Unpadded base64url of the SHA-256 of the SubjectPublicKeyInfo: what the login is bound to."""
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return encode(sha256(der).digest())


def request_pem(key: EllipticCurvePrivateKey) -> str:
    """A certificate request with an empty subject: the server takes nothing from it but the key."""
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def proof(key: EllipticCurvePrivateKey, *, method: str, url: str, login: str, now: float) -> str:
    """A `DPoP` header for one call. `url` is the whole URL without query; `now` by the server's clock."""
    numbers = key.public_key().public_numbers()
    jwk = {"kty": "EC", "crv": "P-256", "x": encode(numbers.x.to_bytes(32)), "y": encode(numbers.y.to_bytes(32))}
    claims = {"htm": method, "htu": url, "iat": int(now), "jti": secrets.token_urlsafe(16), "login": login}
    return jwt.encode(claims, key, algorithm="ES256", headers={"typ": "dpop+jwt", "jwk": jwk})


def encode(data: bytes) -> str:
    """Unpadded base64url (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
