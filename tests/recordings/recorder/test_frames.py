import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.recorder.frames import MAGIC, START, FrameKind, RecordingDamagedError, frame_at, frames, sealed


def file_of(*payloads: tuple[FrameKind, bytes]) -> bytes:
    data, digest = MAGIC, START
    for kind, payload in payloads:
        frame, digest = sealed(digest, kind, payload)
        data += frame
    return data


FILE = file_of((FrameKind.HEAD, b"{}"), (FrameKind.CHUNK, b"abc"), (FrameKind.FOOTER, b""))


def read(data: bytes):
    """(what was read before anything was wrong, where that was)."""
    found = []
    try:
        found.extend((frame.kind, frame.payload) for frame in frames(io.BytesIO(data)))
    except RecordingDamagedError as error:
        return found, error.offset
    return found, None


@given(st.lists(st.tuples(st.sampled_from(FrameKind), st.binary(max_size=50)), max_size=5))
def test_frames_come_back_as_they_were_sealed(payloads):
    assert read(file_of(*payloads)) == (payloads, None)


def test_a_file_that_is_cut_anywhere_gives_its_whole_frames():
    whole, _ = read(FILE)
    ends = [len(MAGIC)] + [frame.end for frame in frames(io.BytesIO(FILE))]
    for size in range(len(MAGIC), len(FILE)):
        count = sum(end <= size for end in ends) - 1
        assert read(FILE[:size]) == (whole[:count], None if size in ends else ends[count])


def test_every_bit_that_is_flipped_is_found():
    for position in range(len(FILE)):
        for bit in range(8):
            changed = bytearray(FILE)
            changed[position] ^= 1 << bit
            assert read(bytes(changed))[1] is not None


def test_a_frame_that_is_taken_out_or_moved_is_found():
    (head, chunk, footer) = list(frames(io.BytesIO(FILE)))
    parts = [FILE[frame.offset : frame.end] for frame in (head, chunk, footer)]
    for order in ((0, 2), (0, 2, 1), (1, 0, 2), (0, 1, 1, 2), (1, 2)):
        assert read(MAGIC + b"".join(parts[number] for number in order))[1] is not None


def test_a_frame_is_read_by_its_place():
    head, chunk, _ = list(frames(io.BytesIO(FILE)))
    assert frame_at(io.BytesIO(FILE), chunk.offset, head.digest) == chunk
    with pytest.raises(RecordingDamagedError, match="digest"):
        frame_at(io.BytesIO(FILE), chunk.offset, START)


@given(st.binary(max_size=300).filter(lambda data: not data.startswith(MAGIC)))
def test_other_bytes_are_no_recording(data):
    assert read(data) == ([], 0)
