"""Refresh tokens as they are stored: AES-256-GCM under the state key, bound to their login (NIST SP 800-38D)."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from auth.identity import LoginID
from auth.secret import Secret

KEY_BYTES = 32
NONCE_BYTES = 12
"""Random; 2^32 of them under one key are safe, and ten thousand logins re-read every five minutes take 4 years."""

_VERSION = b"\x01"


class SealError(ValueError):
    """Not sealed by this key for this login; the person has to sign in again."""


class Seal:
    """`nonce` is 12 fresh random bytes at every call."""

    def __init__(self, key: Secret) -> None:
        if len(key.reveal()) != KEY_BYTES:
            raise SealError(f"the state key has not {KEY_BYTES} bytes")
        self._cipher = AESGCM(key.reveal())

    def close(self, token: Secret, login_id: LoginID, nonce: bytes) -> bytes:
        return _VERSION + nonce + self._cipher.encrypt(nonce, token.reveal(), _VERSION + login_id.encode())

    def open(self, sealed: bytes, login_id: LoginID) -> Secret:
        """Raises SealError."""
        nonce, data = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        if sealed[:1] != _VERSION or len(nonce) != NONCE_BYTES:
            raise SealError("the stored token is not of a known form")
        try:
            return Secret(self._cipher.decrypt(nonce, data, _VERSION + login_id.encode()))
        except InvalidTag as error:
            raise SealError("the stored token was not sealed by this key for this login") from error
