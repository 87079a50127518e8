"""Query parameters that carry credentials, replaced by keyed hashes: equal values can be matched, none can be read.

An exec's `command` is evidence and stays. The key is the installation's, so a hash means nothing elsewhere.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from urllib.parse import unquote_plus

SENSITIVE = (
    "token",
    "access_token",
    "id_token",
    "refresh_token",
    "bearer",
    "authorization",
    "password",
    "passwd",
    "secret",
    "client_secret",
    "api_key",
    "apikey",
    "code",
    "signature",
    "sig",
    "x-amz-signature",
    "x-amz-security-token",
    "x-goog-signature",
)
"""Names, compared in lower case after decoding. Proxied applications take credentials in their queries, too."""
SENSITIVE_ENDS = ("token", "secret", "password", "signature")
HASH_HEX = 24
"""96 bits: enough that two values never meet by chance."""


def redact_uri(uri: str, key: bytes) -> str:
    """The URI with the value of each sensitive parameter as `hmac:<hex>`; everything else byte for byte."""
    path, mark, query = uri.partition("?")
    if not mark:
        return uri
    return path + mark + "&".join(_parameter(part, key) for part in query.split("&"))


def _parameter(part: str, key: bytes) -> str:
    """Semicolons separate for some servers and not for others: from a sensitive name on, all of the part is hashed."""
    pairs = part.split(";")
    for index, pair in enumerate(pairs):
        name, equals, value = pair.partition("=")
        if equals and is_sensitive(name):
            whole = ";".join([value, *pairs[index + 1 :]])
            hashed = f"{name}=hmac:{keyed_hash(unquote_plus(whole), key)}" if whole else pair
            return ";".join([*pairs[:index], hashed])
    return part


def is_sensitive(name: str) -> bool:
    """Whether a parameter of this name, encoded as it may be, carries a credential."""
    plain = unquote_plus(name).strip().lower()
    return plain in SENSITIVE or plain.endswith(SENSITIVE_ENDS)


def keyed_hash(value: str, key: bytes) -> str:
    """HMAC-SHA-256, cut to 96 bits, in hexadecimal."""
    return hmac.new(key, value.encode("utf-8", "surrogatepass"), sha256).hexdigest()[:HASH_HEX]
