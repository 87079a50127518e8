import struct

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from recordings.recorder.chunks import ChunkBuilder, ChunkPacker, moments, span
from recordings.recorder.frames import RecordingDamagedError
from recordings.recorder.moment import Kind, Moment

MOMENTS = st.lists(st.tuples(st.integers(0, 2**45), st.sampled_from(Kind), st.binary(max_size=300)), max_size=20)


def payload(made: list[Moment]) -> bytes:
    builder = ChunkBuilder()
    for moment in made:
        builder.add(moment.at, moment.kind, moment.data)
    return ChunkPacker().packed(*builder.take())


@given(MOMENTS)
def test_what_was_added_comes_back(raw):
    made, at = [], 0
    for delta, kind, data in raw:
        at += delta
        made.append(Moment(at, kind, data))
    packed = payload(made)
    assert list(moments(packed)) == made
    if made:
        assert span(packed)[:2] == (made[0].at, made[-1].at)


def test_a_builder_is_empty_again_once_it_was_taken():
    builder = ChunkBuilder()
    builder.add(5, Kind.STDIN, b"x")
    assert len(builder) == 4
    builder.take()
    assert len(builder) == 0
    builder.add(9, Kind.STDIN, b"y")
    assert list(moments(ChunkPacker().packed(*builder.take()))) == [Moment(9, Kind.STDIN, b"y")]


@given(st.binary(max_size=200))
def test_bytes_that_are_no_chunk_are_damage_and_nothing_else(data):
    with pytest.raises(RecordingDamagedError):
        list(moments(data))


@given(MOMENTS.filter(bool), st.data())
def test_a_chunk_that_is_cut_is_damage(raw, data):
    packed = payload([Moment(2**46, kind, text) for _, kind, text in raw])
    with pytest.raises(RecordingDamagedError):
        list(moments(packed[: data.draw(st.integers(0, len(packed) - 1))]))


@pytest.mark.parametrize("told", [0, 100, 512 * 1024])
def test_a_chunk_that_unfolds_to_more_than_it_says_is_not_unfolded(told, monkeypatch):
    reserved = []

    class Watched(zstandard.ZstdDecompressor):
        def decompress(self, data, **rest):
            reserved.append(data)
            return super().decompress(data, **rest)

    bomb = zstandard.ZstdCompressor().compress(bytes(1 << 20))
    monkeypatch.setattr(zstandard, "ZstdDecompressor", Watched)
    with pytest.raises(RecordingDamagedError, match="something else than it says"):
        list(moments(struct.pack("<QQI", 0, 0, told) + bomb))
    assert reserved == []
