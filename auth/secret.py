"""Secrets in a type that does not print them."""

from __future__ import annotations

from hashlib import sha256


class Secret:
    """Holds bytes; `repr` and `str` are a fingerprint. `reveal()` is the only way to the value."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        return self._value

    def __repr__(self) -> str:
        return f"<Secret sha256:{sha256(self._value).hexdigest()[:8]}>"

    __str__ = __repr__
