"""OpenID Connect as values: the provider's metadata, and an ID token verified step by step.

Who fetches them is `auth.connectors`; what the claims mean is `auth.mapping`. Times are compared with the `now` that is
handed in. OpenID Connect Core 1.0, section 3.1.3.7; Discovery 1.0, section 4.3; RFC 9207.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256, sha384, sha512
from typing import Any
from urllib.parse import urlsplit

from auth.jose import KeySet, TokenError, encode_base64url, take_apart, verify
from auth.strict_json import StrictJSONError, parse_object

LEEWAY_SECONDS = 30.0
"""Clocks of a provider and ours, both kept by NTP."""
MAX_TOKEN_AGE_SECONDS = 600.0
"""An ID token is verified seconds after it was made; an older one was kept by somebody."""
MAX_SUBJECT = 255
"""Core 1.0, section 2: `sub` MUST NOT exceed 255 ASCII characters."""
MAX_METADATA_BYTES = 64 * 1024
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

_HASHES = {"256": sha256, "384": sha384, "512": sha512}


@dataclass(frozen=True, slots=True)
class ProviderMetadata:
    """What we use of a discovery document."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    token_auth_methods: tuple[str, ...] = ("client_secret_basic",)
    sends_iss: bool = False
    """`authorization_response_iss_parameter_supported` (RFC 9207): then an answer without `iss` is refused."""


def parse_metadata(data: bytes, issuer: str) -> ProviderMetadata:
    """A discovery document, whose issuer MUST be exactly the one configured. Raises TokenError naming the field."""
    try:
        document = parse_object(data, MAX_METADATA_BYTES)
    except StrictJSONError as error:
        raise TokenError(f"the discovery document of {issuer} cannot be used: {error}") from error
    if document.get("issuer") != issuer:
        raise TokenError(f"the discovery document of {issuer} names another issuer; write that one exactly as it does")
    plain = is_loopback_http(issuer)
    methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    if not isinstance(methods, list) or not all(isinstance(m, str) for m in methods):
        raise TokenError(
            f"the discovery document of {issuer}: token_endpoint_auth_methods_supported is no list of text"
        )
    has_userinfo = document.get("userinfo_endpoint") is not None
    return ProviderMetadata(
        issuer,
        _endpoint(document, "authorization_endpoint", issuer, plain=plain),
        _endpoint(document, "token_endpoint", issuer, plain=plain),
        _endpoint(document, "jwks_uri", issuer, plain=plain),
        _endpoint(document, "userinfo_endpoint", issuer, plain=plain) if has_userinfo else None,
        tuple(methods),
        document.get("authorization_response_iss_parameter_supported") is True,
    )


def is_loopback_http(url: str) -> bool:
    """Plain HTTP to this machine: the demo's provider."""
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname in LOOPBACK


def _endpoint(document: Mapping[str, Any], name: str, issuer: str, *, plain: bool) -> str:
    value = document.get(name)
    where = f"the discovery document of {issuer}: {name}"
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or " " in value:
        raise TokenError(f"{where} is missing or no URL")
    try:
        parts = urlsplit(value)
        secure = value.startswith("https://") or (plain and is_loopback_http(value))
    except ValueError as error:
        raise TokenError(f"{where} is no URL") from error
    if not secure or not parts.hostname or parts.username is not None or parts.fragment:
        raise TokenError(f"{where} must be an https URL without user or fragment")
    return value


def check_response_issuer(metadata: ProviderMetadata, iss: str | None) -> None:
    """RFC 9207, section 2.4: required where announced, compared wherever present. Raises TokenError."""
    if iss is None and not metadata.sends_iss:
        return
    if iss != metadata.issuer:
        raise TokenError("the answer does not come from the provider that was asked")


def verify_id_token(
    token: str,
    keys: KeySet,
    *,
    issuer: str,
    client_id: str,
    nonce: str | None,
    now: float,
    algorithms: Collection[str],
    access_token: str | None = None,
) -> Mapping[str, Any]:
    """The verified claims. `nonce` None only where the token came with a refresh. Raises TokenError, UnknownKeyError.

    1. Three canonical parts, bounded; 2. `alg` as configured, nothing critical, type JWT; 3. the key is the provider's,
    named by `kid`, and fits; 4. the signature; 5. it is an ID token and no other kind of the same issuer;
    6. `iss` exactly; 7. `aud`, `azp`: us and nobody else; 8. `sub`; 9. times against `now`; 10. `nonce`; 11. `at_hash`.
    """
    unverified = take_apart(token, algorithms, types=(None, "jwt"))  # 1, 2
    kid = unverified.header.get("kid")
    if kid is not None and (not isinstance(kid, str) or not kid):
        raise TokenError("the token's `kid` is no text")
    claims = verify(unverified, keys.find(kid, unverified.algorithm).key)  # 3, 4
    # 5. Keycloak's access, refresh and logout tokens share issuer and keys with its ID tokens
    if claims.get("typ", "ID") != "ID" or "events" in claims:
        raise TokenError("it is a token, but no ID token")
    if claims.get("iss") != issuer:  # 6
        raise TokenError("the token's issuer is not the one configured")
    _check_audience(claims, client_id)  # 7
    subject = claims.get("sub")  # 8
    if not isinstance(subject, str) or not subject or len(subject) > MAX_SUBJECT or not subject.isascii():
        raise TokenError(f"the token's `sub` is not text of 1 to {MAX_SUBJECT} ASCII characters")
    if not subject.isprintable() or subject != subject.strip():
        raise TokenError("the token's `sub` has outer blanks or characters that do not print")
    _check_times(claims, now)  # 9
    if nonce is not None:  # 10
        given = claims.get("nonce")
        if not isinstance(given, str) or not hmac.compare_digest(given.encode(), nonce.encode()):
            raise TokenError("the token was not made for this sign-in")
    if access_token is not None and "at_hash" in claims:  # 11
        _check_hash(claims["at_hash"], access_token, unverified.algorithm)
    return claims


def _check_audience(claims: Mapping[str, Any], client_id: str) -> None:
    audience = claims.get("aud")
    if audience not in (client_id, [client_id]):
        # Core allows further audiences that the client trusts; we know of none.
        raise TokenError("the token is not for us alone")
    if "azp" in claims and claims["azp"] != client_id:
        raise TokenError("the token was issued to another client")


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    expires, issued = _time(claims, "exp"), _time(claims, "iat")
    if expires <= now - LEEWAY_SECONDS:
        raise TokenError("the token has expired")
    if issued > now + LEEWAY_SECONDS:
        raise TokenError("the token is from the future: check the clocks of this server and of the provider")
    if issued < now - MAX_TOKEN_AGE_SECONDS:
        raise TokenError("the token was made too long ago: check the clocks of this server and of the provider")
    if expires <= issued:
        raise TokenError("the token ends before it begins")
    if "nbf" in claims and _time(claims, "nbf") > now + LEEWAY_SECONDS:
        raise TokenError("the token is not valid yet")


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 2**40:
        raise TokenError(f"the token's `{name}` is missing or no time")
    return float(value)


def _check_hash(given: object, value: str, algorithm: str) -> None:
    """Core 1.0, section 3.1.3.6: the left half of the hash of the token's own algorithm. EdDSA names none: SHA-512."""
    digest = _HASHES.get(algorithm[-3:], sha512)(value.encode("ascii", "replace")).digest()
    if given != encode_base64url(digest[: len(digest) // 2]):
        raise TokenError("the access token is not the one that this ID token names")
