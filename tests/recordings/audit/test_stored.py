"""Claims about a segment's bytes, plain and sealed."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from recordings.audit.stored import Packer, Plain, Sealed, SealedError, open_stored, sealed_path

FRAMES = [b"first\n" * 3, b"s", b"third" * 100]
WHOLE = b"".join(FRAMES)


def packed(frames: list[bytes]) -> bytes:
    packer = Packer()
    return b"".join(packer.add(frame) for frame in frames) + packer.end()


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    path = tmp_path / "1.ndjson.zst"
    path.write_bytes(packed(FRAMES))
    return path


def test_any_stretch_can_be_read(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("log") / "1.ndjson.zst"

    @given(st.lists(st.binary(min_size=1, max_size=9), max_size=9), st.integers(0, 90), st.integers(1, 90))
    def claim(frames: list[bytes], start: int, length: int) -> None:
        path.write_bytes(packed(frames))
        whole = b"".join(frames)
        with open_stored(path) as stored:
            assert stored.size == len(whole)
            got = stored.read(start, length)
            assert whole[start : start + length].startswith(got)
            assert bool(got) == (start < len(whole))

    claim()


def test_other_programs_read_the_exact_bytes(sealed: Path) -> None:
    with zstandard.ZstdDecompressor().stream_reader(sealed.read_bytes(), read_across_frames=True) as reader:
        assert reader.read() == WHOLE


def test_the_form_is_told_by_the_name_and_a_plain_path_finds_what_was_sealed(sealed: Path, tmp_path: Path) -> None:
    plain = tmp_path / "1.ndjson"
    assert sealed_path(plain) == sealed_path(sealed) == sealed
    with open_stored(plain) as stored:
        assert isinstance(stored, Sealed)
    plain.write_bytes(b"x")
    with open_stored(plain) as stored:
        assert isinstance(stored, Plain)
        assert stored.size == 1
        assert stored.read(0, 9) == b"x"


def test_an_empty_segment_is_sealed_like_any(tmp_path: Path) -> None:
    path = tmp_path / "1.ndjson.zst"
    path.write_bytes(packed([]))
    with open_stored(path) as stored:
        assert (stored.size, stored.read(0, 1)) == (0, b"")


def test_every_changed_bit_is_refused_or_changes_nothing(sealed: Path) -> None:
    """Zstandard's frames have a checksum; what is left are bits that mean nothing."""
    good = sealed.read_bytes()
    for bit in range(len(good) * 8):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        sealed.write_bytes(bad)
        try:
            with open_stored(sealed) as stored:
                found = b"".join(
                    stored.read(start, len(frame)) for start, frame in zip((0, 18, 19), FRAMES, strict=True)
                )
        except SealedError:
            continue
        assert found == WHOLE


def test_every_cut_is_refused(sealed: Path) -> None:
    good = sealed.read_bytes()
    for end in range(len(good)):
        sealed.write_bytes(good[:end])
        with pytest.raises(SealedError):
            open_stored(sealed)


@pytest.mark.parametrize("claimed", [0, 1 << 30])
def test_a_frame_that_claims_too_much_or_nothing_is_not_unpacked(sealed: Path, claimed: int) -> None:
    frame = zstandard.ZstdCompressor().compress(bytes(1 << 20))
    table = struct.pack("<II", len(frame), claimed) + struct.pack("<IBI", 1, 0, 0x8F92EAB1)
    sealed.write_bytes(frame + struct.pack("<II", 0x184D2A5E, len(table)) + table)
    with pytest.raises(SealedError, match="empty or too large"):
        open_stored(sealed)


def test_a_frame_that_holds_more_than_the_table_says_is_not_unpacked(sealed: Path) -> None:
    frame = zstandard.ZstdCompressor().compress(bytes(1 << 26))
    table = struct.pack("<II", len(frame), 100) + struct.pack("<IBI", 1, 0, 0x8F92EAB1)
    sealed.write_bytes(frame + struct.pack("<II", 0x184D2A5E, len(table)) + table)
    with open_stored(sealed) as stored, pytest.raises(SealedError, match="not hold what the table says"):
        stored.read(0, 1)
