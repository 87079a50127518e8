"""SPDY frames: vectors, every way of cutting them, every field written wrongly."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.streams import spdy_frames
from recordings.streams.fault import Fault, StreamFaultError
from recordings.streams.spdy_frames import (
    MAX_CONTROL_BYTES,
    DataHead,
    DataPiece,
    Frame,
    FrameReader,
    Goaway,
    Headers,
    Ping,
    RstStream,
    Settings,
    SynReply,
    SynStream,
    WindowUpdate,
)
from tests.recordings.streams.wire import Blocks, bytewise, control, data, goaway, ping, reset

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/streams/spdy.json").read_text(encoding="utf-8"))
MANY = (1 << 10, 1 << 16, (1 << 24) - 1, 1 << 31, (1 << 32) - 1)


def read(pieces: list[bytes]) -> list[tuple[Frame, int]]:
    reader = FrameReader()
    return [frame for piece in pieces for frame in reader.feed(piece)]


def frames(sent: bytes) -> list[Frame]:
    """The frames, after a look that cuts do not matter as long as no data frame is among them."""
    got = read([sent])
    if not any(isinstance(frame, DataPiece) for frame, _ in got):
        assert read(bytewise(sent)) == got
    assert sum(length for _, length in got) == len(sent)
    return [frame for frame, _ in got]


def fault_of(sent: bytes) -> Fault:
    with pytest.raises(StreamFaultError) as raised:
        read([sent])
    with pytest.raises(StreamFaultError) as again:
        read(bytewise(sent))
    assert again.value.fault is raised.value.fault
    return raised.value.fault


def named(frame: Frame) -> dict[str, object]:
    fields = {name: getattr(frame, name) for name in frame.__slots__}
    return {"frame": type(frame).__name__} | {
        name: value.decode() if isinstance(value, bytes) else value for name, value in fields.items()
    }


@pytest.mark.parametrize("direction", VECTORS, ids=[vector["of"] for vector in VECTORS])
def test_the_vectors_are_read_as_they_say(direction):
    sent = bytes.fromhex("".join(frame["hex"] for frame in direction["frames"]))
    expected = [part for frame in direction["frames"] for part in frame["parts"]]
    assert [named(frame) for frame in frames(sent)] == expected


def test_every_kind_of_frame_is_read():
    blocks = Blocks()
    sent = [
        (blocks.syn(1, streamtype="error"), SynStream(1, False, {"streamtype": "error"})),
        (blocks.reply(3, fin=True), SynReply(3, True, {})),
        (blocks.more(5, a="b"), Headers(5, False, {"a": "b"})),
        (reset(7, 11), RstStream(7, 11)),
        (
            control(4, bytes.fromhex("00000002 01000004 00000064 00000007 00010000"), flags=1),
            Settings(((1, 4, 100), (0, 7, 65536))),
        ),
        (ping(0xFFFFFFFF), Ping(0xFFFFFFFF)),
        (goaway(9, 2), Goaway(9, 2)),
        (control(9, bytes.fromhex("000000007fffffff")), WindowUpdate(0, 0x7FFFFFFF)),
        (data(3, b""), DataHead(3, False, 0)),
        (data(3, b"", fin=True), DataHead(3, True, 0)),
    ]
    assert frames(b"".join(wire for wire, _ in sent)) == [frame for _, frame in sent]


def test_data_passes_as_it_arrives():
    reader, sent = FrameReader(), data(3, b"0123456789", fin=True)
    assert list(reader.feed(sent[:7])) == []
    assert reader.midway
    assert list(reader.feed(sent[7:11])) == [(DataHead(3, True, 10), 8), (DataPiece(b"012", False), 3)]
    assert list(reader.feed(sent[11:17])) == [(DataPiece(b"345678", False), 6)]
    assert reader.midway
    assert list(reader.feed(sent[17:] + ping(1))) == [(DataPiece(b"9", True), 1), (Ping(1), 12)]
    assert not reader.midway


def test_stream_ids_have_31_bits():
    assert frames(data(0x7F000003)) == [DataHead(0x7F000003, False, 0)]
    assert frames(data(0x7F000003, b"x")) == [DataHead(0x7F000003, False, 1), DataPiece(b"x", True)]
    assert frames(data(0x01000000)) == [DataHead(0x01000000, False, 0)]
    assert frames(goaway(0x7F000003)) == [Goaway(0x7F000003, 0)]
    assert frames(control(9, bytes.fromhex("7f00000300000001"))) == [WindowUpdate(0x7F000003, 1)]


@pytest.mark.parametrize("priority", range(0, 256, 16))
def test_a_priority_means_nothing(priority):
    body = b"\0\0\0\1" + bytes(4) + bytes((priority, 0)) + Blocks().raw(b"\0\0\0\0")
    assert frames(control(1, body)) == [SynStream(1, False, {})]


def test_a_data_frame_may_be_as_long_as_can_be_written():
    assert read([b"\0\0\0\3\0\xff\xff\xff"]) == [(DataHead(3, False, 0xFFFFFF), 8)]


@pytest.mark.parametrize("version", [0, 1, 2, 4, 0x7FFF])
def test_only_version_3_is_spoken(version):
    assert fault_of(control(6, b"\0\0\0\1", version=version)) is Fault.VERSION


@pytest.mark.parametrize("kind", [0, 5, 10, 11, 255, 65535])
def test_an_unknown_type_is_a_fault(kind):
    assert fault_of(control(kind, b"\0\0\0\1")) is Fault.FRAME_TYPE


@pytest.mark.parametrize("kind", [1, 2, 3, 4, 6, 7, 8, 9])
def test_flags_that_a_type_does_not_have_are_a_fault(kind):
    allowed = 1 if kind in {1, 2, 4, 8} else 0
    for flags in range(256):
        if flags & ~allowed:
            assert fault_of(control(kind, b"\0\0\0\1", flags=flags)) is Fault.FLAGS
    assert fault_of(b"\0\0\0\3\2\0\0\0") is Fault.FLAGS


@pytest.mark.parametrize("size", [MAX_CONTROL_BYTES + 1, 0xFFFFFF])
@pytest.mark.parametrize("kind", [1, 2, 4, 6, 8])
def test_a_control_frame_is_refused_by_its_head_when_it_is_too_large(kind, size):
    assert fault_of(b"\x80\x03" + kind.to_bytes(2) + b"\0" + size.to_bytes(3)) is Fault.FRAME_TOO_LARGE


def test_the_largest_control_frame_is_read():
    assert MAX_CONTROL_BYTES == 65536
    count = (MAX_CONTROL_BYTES - 4) // 8
    sent = control(4, count.to_bytes(4) + bytes(8 * count))
    assert [frame for frame, _ in read([sent])] == [Settings(((0, 0, 0),) * count)]


@pytest.mark.parametrize("kind", range(1, 10))
def test_a_control_frame_that_is_far_too_long_is_refused_in_our_own_words(kind):
    """As a number, its body would have more digits than Python writes."""
    assert fault_of(control(kind, b"\x7f" * 8000)) is not None


@pytest.mark.parametrize("count", [1, 3, *MANY])
def test_the_number_of_settings_is_what_the_frame_holds(count):
    assert fault_of(control(4, count.to_bytes(4) + bytes(16))) is Fault.FRAME_LENGTH


@pytest.mark.parametrize(
    "sent",
    [
        control(1, b"\0\0\0\1" + bytes(5)),
        control(2, b"\0\0\0"),
        control(8, b"\0\0\0"),
        control(3, b"\0\0\0\1\0\0\1"),
        control(3, b"\0\0\0\1\0\0\0\0\1"),
        control(4, b""),
        control(4, b"\0\0\0\0\0"),
        control(6, b"\0\0\0"),
        control(6, bytes(5)),
        control(6, bytes(4)),
        control(7, b"\0\0\0\1"),
        control(7, bytes(9)),
        control(7, b"\x80" + bytes(7)),
        control(9, bytes(7)),
        control(9, bytes(8)),
        control(9, bytes(4) + b"\x80\0\0\0"),
        control(9, b"\x80\0\0\0\0\0\0\1"),
    ],
)
def test_a_body_has_the_length_and_the_range_of_its_type(sent):
    assert fault_of(sent) in {Fault.FRAME_LENGTH, Fault.STATUS}


@pytest.mark.parametrize("stream", [0, 1 << 31, (1 << 32) - 1])
def test_a_stream_id_has_31_bits_and_is_not_0(stream):
    for sent in (Blocks().syn(stream), Blocks().reply(stream), Blocks().more(stream), reset(stream)):
        assert fault_of(sent) is Fault.STREAM_ID
    assert fault_of(b"\0\0\0\0\0\0\0\0") is Fault.STREAM_ID


@pytest.mark.parametrize("status", range(1, 12))
def test_every_status_of_a_reset_is_read(status):
    assert frames(reset(1, status)) == [RstStream(1, status)]


@pytest.mark.parametrize("status", [0, 12, 0x01000001, 1 << 31])
def test_a_reset_has_one_of_its_statuses(status):
    assert fault_of(reset(1, status)) is Fault.STATUS


def test_a_goaway_has_one_of_its_statuses():
    assert fault_of(goaway(1, 3)) is Fault.STATUS
    assert fault_of(goaway(1, 0x01000000)) is Fault.STATUS


@pytest.mark.parametrize("middle", ["00000001 8000", "01000000 8000", "00000000 0001"])
def test_associated_streams_and_credentials_are_not_spoken(middle):
    body = b"\0\0\0\1" + bytes.fromhex(middle) + Blocks().raw(b"\0\0\0\0")
    assert fault_of(control(1, body)) is Fault.HEADERS


def test_every_decoder_has_the_type_it_is_asked_for():
    assert sorted(spdy_frames._KINDS) == [1, 2, 3, 4, 6, 7, 8, 9]


@given(st.binary(max_size=60))
def test_whatever_comes_only_the_declared_error_is_raised(sent):
    counts = []
    for pieces in ([sent], bytewise(sent)):
        reader, understood = FrameReader(), 0
        try:
            for piece in pieces:
                for _, length in reader.feed(piece):
                    understood += length
        except StreamFaultError:
            pass
        counts.append(understood)
    assert counts[0] == counts[1] <= len(sent)


@given(st.integers(0, 12), st.integers(0, 3), st.binary(max_size=24))
def test_whatever_a_control_frame_holds_only_the_declared_error_is_raised(kind, flags, body):
    with suppress(StreamFaultError):
        read([control(kind, body, flags=flags)])
