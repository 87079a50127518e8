"""Claims about the ids of requests and records."""

from __future__ import annotations

from itertools import count
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from proxy.audit_id import BLOCK_BYTES, RANDOM_BYTES, RandomBlock, uuid7

WORD = 4
"""Bytes of the numbers that a source counts up."""


def test_an_id_is_the_one_that_rfc_9562_gives_as_its_example() -> None:
    """Appendix A.6: 0x017F22E279B0 milliseconds, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F."""
    random = bytes.fromhex("0cc318c4dc0c0c07398f")
    assert uuid7(0x017F22E279B0 / 1000, random) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(st.integers(0, (1 << 48) - 1), st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES))
def test_every_id_says_version_7_its_variant_and_keeps_74_random_bits(milliseconds: int, random: bytes) -> None:
    made = uuid7((milliseconds + 0.5) / 1000, random)
    read = UUID(made)
    assert (str(read), read.version, read.variant) == (made, 7, "specified in RFC 4122")
    assert read.int >> 80 == milliseconds
    assert (read.int >> 64) & 0xFFF == int.from_bytes(random[:2], "big") & 0xFFF
    assert read.int & ((1 << 62) - 1) == int.from_bytes(random[2:], "big") & ((1 << 62) - 1)


def test_an_id_of_a_later_millisecond_sorts_behind() -> None:
    assert uuid7(1.000, b"\xff" * RANDOM_BYTES) < uuid7(1.0015, bytes(RANDOM_BYTES))


@given(st.lists(st.integers(0, BLOCK_BYTES // WORD + 2), max_size=20))
def test_a_block_gives_no_byte_twice(counts: list[int]) -> None:
    numbers = count()

    def source(size: int) -> bytes:
        return b"".join(next(numbers).to_bytes(WORD, "big") for _ in range(size // WORD))

    block = RandomBlock(source)
    given_out = b"".join(block(words * WORD) for words in counts)
    assert len(given_out) == sum(counts) * WORD
    words = [given_out[at : at + WORD] for at in range(0, len(given_out), WORD)]
    assert words == sorted(set(words))


def test_a_block_asks_its_source_once_for_many_ids() -> None:
    asked: list[int] = []

    def source(size: int) -> bytes:
        asked.append(size)
        return bytes(size)

    block = RandomBlock(source)
    for _ in range(BLOCK_BYTES // RANDOM_BYTES):
        block(RANDOM_BYTES)
    assert asked == [BLOCK_BYTES]
    block(1)
    assert asked == [BLOCK_BYTES, BLOCK_BYTES]
