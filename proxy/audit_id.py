"""Ids of requests: UUID version 7 (RFC 9562 section 5.7), so that they sort by time."""

from __future__ import annotations

RANDOM_BYTES = 10
"""74 of these 80 bits are used."""


def uuid7(now: float, random: bytes) -> str:
    """`now` in seconds since the epoch, ten random bytes → the canonical text, lower case."""
    digits = f"{int(now * 1000):012x}7{random[:2].hex()[1:]}{0x80 | random[2] & 0x3F:02x}{random[3:].hex()}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
