"""Claims about reading what is not whole; test_store reads what is."""

import pytest

from recordings.recorder.chunks import ChunkBuilder, ChunkPacker
from recordings.recorder.footer import Footer, footer_payload, head_payload
from recordings.recorder.frames import MAGIC, START, FrameKind, RecordingDamagedError, sealed
from recordings.recorder.moment import Kind, Moment
from recordings.recorder.reader import open_recording
from tests.recordings.recorder.test_store import head

MOMENTS = [Moment(at, Kind.STDOUT, b"%d" % at) for at in (0, 10, 10, 20, 30, 30, 30, 40)]


def chunk(made: list[Moment]) -> bytes:
    builder = ChunkBuilder()
    for moment in made:
        builder.add(moment.at, moment.kind, moment.data)
    return ChunkPacker().packed(*builder.take())


def file_of(*frames: tuple[FrameKind, bytes]) -> bytes:
    data, digest = MAGIC, START
    for kind, payload in frames:
        frame, digest = sealed(digest, kind, payload)
        data += frame
    return data


HEAD = (FrameKind.HEAD, head_payload(head()))
CHUNKS = [(FrameKind.CHUNK, chunk(MOMENTS[start : start + 2])) for start in range(0, 8, 2)]
FOOTER = (FrameKind.FOOTER, footer_payload(Footer("exited", 0, "", "", 0, 9, 55, 4)))
FILE = file_of(HEAD, *CHUNKS, FOOTER)


@pytest.fixture
def read(tmp_path):
    def make(data: bytes):
        path = tmp_path / "x.kwr"
        path.write_bytes(data)
        return open_recording(path)

    return make


@pytest.mark.parametrize("start", [0, 1, 10, 11, 20, 29, 30, 31, 40, 41, 1000])
def test_reading_begins_anywhere(read, start):
    with read(FILE) as reader:
        assert list(reader.moments(start)) == [moment for moment in MOMENTS if moment.at >= start]


def test_a_recording_that_is_cut_anywhere_gives_a_prefix_and_says_so(read):
    head_end = len(file_of(HEAD))
    for size in range(len(FILE)):
        if size < head_end:
            with pytest.raises(RecordingDamagedError):
                read(FILE[:size])
            continue
        with read(FILE[:size]) as reader:
            got = list(reader.moments())
            assert got == MOMENTS[: len(got)]
            assert reader.footer is None
            assert reader.verify() != []
            assert reader.duration == (got[-1].at if got else 0)


def test_a_bit_that_is_flipped_is_found(read):
    for position in range(len(FILE)):
        changed = bytearray(FILE)
        changed[position] ^= 0x10
        try:
            with read(bytes(changed)) as reader:
                assert reader.verify() != []
        except RecordingDamagedError:
            pass


def test_time_that_goes_back_a_wrong_footer_and_what_stands_behind_it_are_found(read):
    with read(file_of(HEAD, CHUNKS[1], CHUNKS[0])) as reader:
        assert "time goes back in it" in reader.verify()
    with read(file_of(HEAD, *CHUNKS[:2], FOOTER)) as reader:
        assert reader.verify() == ["its footer speaks of 4 chunks, and it has 2"]
    with read(file_of(HEAD, *CHUNKS, FOOTER, CHUNKS[0])) as reader:
        assert "something stands behind its footer" in reader.verify()[0]


def test_a_file_without_a_head_is_none(read):
    with pytest.raises(RecordingDamagedError, match="it has no head"):
        read(file_of(*CHUNKS))


def test_chunks_behind_a_frame_of_another_kind_are_read_as_the_others(read):
    with read(file_of(HEAD, (FrameKind.ROWS, b"[]"), CHUNKS[0], (FrameKind.ROWS, b"[]"), CHUNKS[1])) as reader:
        assert [*reader.moments()] == MOMENTS[:4]
        assert reader.duration == MOMENTS[3].at
