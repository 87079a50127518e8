"""Ids of requests and records: UUID version 7 (RFC 9562 section 5.7), so that they sort by time."""

from __future__ import annotations

from collections.abc import Callable

RANDOM_BYTES = 10
"""74 of these 80 bits are used."""
BLOCK_BYTES = 4000
"""Asked of the kernel at once: 400 ids' worth. A system call for each costs more than all else about an id."""

_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def uuid7(now: float, random: bytes) -> str:
    """`now` in seconds since the epoch, ten random bytes → the canonical text, lower case."""
    time, rest = int(now * 1000).to_bytes(6, "big").hex(), random.hex()
    return f"{time[:8]}-{time[8:]}-7{rest[1:4]}-{_VARIANT[rest[4]]}{rest[5:8]}-{rest[8:]}"


class RandomBlock:
    """Random bytes by the piece out of larger blocks, for ids: no byte is given twice.

    Not for keys. Must not be shared by processes that were forked, which would give the same bytes.
    """

    def __init__(self, source: Callable[[int], bytes]) -> None:
        self._source = source
        self._block = b""
        self._at = 0

    def __call__(self, count: int) -> bytes:
        at = self._at
        piece = self._block[at : at + count]
        if len(piece) < count:
            self._block = self._source(max(BLOCK_BYTES, count))
            at, piece = 0, self._block[:count]
        self._at = at + count
        return piece
