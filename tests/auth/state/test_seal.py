from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.identity import LoginID
from auth.secret import Secret
from auth.state.seal import Seal, SealError

SEAL, LOGIN, NONCE = Seal(Secret(b"k" * 32)), LoginID("a" * 26), bytes(12)
SEALED = SEAL.close(Secret(b"refresh-token"), LOGIN, NONCE)


@given(st.binary(max_size=200), st.binary(min_size=12, max_size=12))
def test_what_was_sealed_comes_back(token: bytes, nonce: bytes) -> None:
    assert SEAL.open(SEAL.close(Secret(token), LOGIN, nonce), LOGIN).reveal() == token


def test_the_token_cannot_be_read_in_it() -> None:
    assert b"refresh" not in SEALED


@given(st.integers(0, len(SEALED) - 1), st.integers(1, 255))
def test_a_changed_byte_is_seen(place: int, change: int) -> None:
    spoiled = SEALED[:place] + bytes([SEALED[place] ^ change]) + SEALED[place + 1 :]
    with pytest.raises(SealError):
        SEAL.open(spoiled, LOGIN)


@pytest.mark.parametrize("cut", [0, 1, 5, 13, len(SEALED) - 1])
def test_a_part_of_it_is_refused(cut: int) -> None:
    with pytest.raises(SealError):
        SEAL.open(SEALED[:cut], LOGIN)


def test_it_is_of_no_use_to_another_login_or_key() -> None:
    with pytest.raises(SealError):
        SEAL.open(SEALED, LoginID("b" * 26))
    with pytest.raises(SealError):
        Seal(Secret(b"x" * 32)).open(SEALED, LOGIN)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(SealError):
        Seal(Secret(b"short"))
