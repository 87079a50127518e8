"""WebSocket frames: RFC 6455's own examples, every way of cutting them, every way of writing them wrongly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.streams.fault import Fault, StreamFaultError
from recordings.streams.frames import MAX_FRAME_BYTES, Control, FrameReader, Head, Opcode, Part, Payload, unmasked
from tests.recordings.streams.wire import MASK, bytewise, frame


def read(pieces: list[bytes], *, masked: bool = False) -> list[Part]:
    reader = FrameReader(masked=masked)
    return [part for piece in pieces for part in reader.feed(piece)]


def fault_of(data: bytes, *, masked: bool = False) -> Fault:
    with pytest.raises(StreamFaultError) as raised:
        read([data], masked=masked)
    with pytest.raises(StreamFaultError) as again:
        read(bytewise(data), masked=masked)
    assert again.value.fault is raised.value.fault
    return raised.value.fault


@pytest.mark.parametrize(
    ("wire", "masked", "parts"),
    [
        (
            "810548656c6c6f",
            False,
            [Head(bytes.fromhex("8105"), Opcode.TEXT, True, 5), Payload(b"Hello", b"Hello", True)],
        ),
        (
            "818537fa213d7f9f4d5158",
            True,
            [
                Head(bytes.fromhex("818537fa213d"), Opcode.TEXT, True, 5),
                Payload(bytes.fromhex("7f9f4d5158"), b"Hello", True),
            ],
        ),
        (
            "010348656c80026c6f",
            False,
            [
                Head(bytes.fromhex("0103"), Opcode.TEXT, False, 3),
                Payload(b"Hel", b"Hel", True),
                Head(bytes.fromhex("8002"), Opcode.CONTINUATION, True, 2),
                Payload(b"lo", b"lo", True),
            ],
        ),
        ("890548656c6c6f", False, [Control(bytes.fromhex("890548656c6c6f"), Opcode.PING, b"Hello")]),
        (
            "8a8537fa213d7f9f4d5158",
            True,
            [Control(bytes.fromhex("8a8537fa213d7f9f4d5158"), Opcode.PONG, b"Hello")],
        ),
        (
            "827e0100" + "ab" * 256,
            False,
            [Head(bytes.fromhex("827e0100"), Opcode.BINARY, True, 256), Payload(b"\xab" * 256, b"\xab" * 256, True)],
        ),
        (
            "827f0000000000010000" + "cd" * 65536,
            False,
            [
                Head(bytes.fromhex("827f0000000000010000"), Opcode.BINARY, True, 65536),
                Payload(b"\xcd" * 65536, b"\xcd" * 65536, True),
            ],
        ),
    ],
)
def test_the_examples_of_the_rfc_are_read_as_it_says(wire, masked, parts):
    assert read([bytes.fromhex(wire)], masked=masked) == parts


def test_a_payload_passes_as_it_arrives():
    reader = FrameReader(masked=True)
    sent = frame(2, b"0123456789", mask=MASK)
    assert list(reader.feed(sent[:9])) == [Head(sent[:6], Opcode.BINARY, True, 10), Payload(sent[6:9], b"012", False)]
    assert list(reader.feed(sent[9:11])) == [Payload(sent[9:11], b"34", False)]
    assert reader.midway
    assert list(reader.feed(sent[11:])) == [Payload(sent[11:], b"56789", True)]
    assert not reader.midway


def test_control_frames_may_stand_between_fragments_but_not_other_messages():
    sent = frame(1, b"a", final=False) + frame(9, b"?") + frame(0, b"b", final=False) + frame(0, b"")
    assert [part.opcode for part in read([sent]) if not isinstance(part, Payload)] == [1, 9, 0, 0]
    assert fault_of(frame(1, b"a", final=False) + frame(1, b"b")) is Fault.FRAGMENTATION
    assert fault_of(frame(0, b"a")) is Fault.FRAGMENTATION
    assert fault_of(frame(1, b"a") + frame(0, b"b")) is Fault.FRAGMENTATION


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 65537])
def test_every_form_of_length_is_read_wherever_its_head_is_cut(size):
    sent = frame(2, b"x" * size, mask=MASK)
    head = len(sent) - size
    for first in range(head + 1):
        for second in range(first, head + 1):
            parts = read([sent[:first], sent[first:second], sent[second:]], masked=True)
            assert parts[0] == Head(sent[:head], Opcode.BINARY, True, size)
            assert b"".join(part.data for part in parts[1:] if isinstance(part, Payload)) == b"x" * size
            assert b"".join(part.raw for part in parts) == sent


@pytest.mark.parametrize("reserved", range(1, 8))
def test_a_reserved_bit_is_a_fault_because_no_extension_is_spoken(reserved):
    assert fault_of(frame(2, b"x", reserved=reserved)) is Fault.RESERVED_BITS


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
def test_a_reserved_opcode_is_a_fault(opcode):
    assert fault_of(frame(opcode, b"x")) is Fault.OPCODE


def test_the_client_masks_and_the_server_does_not():
    assert fault_of(frame(2, b"x"), masked=True) is Fault.MASKING
    assert fault_of(frame(2, b"x", mask=MASK)) is Fault.MASKING


@pytest.mark.parametrize("opcode", [8, 9, 10])
def test_a_control_frame_is_whole_and_short(opcode):
    assert fault_of(frame(opcode, b"x" * 126)) is Fault.CONTROL_FRAME
    assert fault_of(frame(opcode, b"x", final=False)) is Fault.CONTROL_FRAME
    longest = frame(opcode, b"x" * 125)
    assert read([longest]) == [Control(longest, Opcode(opcode), b"x" * 125)]


@pytest.mark.parametrize(
    ("head", "fault"),
    [
        ("827e0000", Fault.LENGTH_FORM),
        ("827e007d", Fault.LENGTH_FORM),
        ("827f000000000000ffff", Fault.LENGTH_FORM),
        ("827f" + (MAX_FRAME_BYTES + 1).to_bytes(8).hex(), Fault.FRAME_TOO_LARGE),
        ("827f7fffffffffffffff", Fault.FRAME_TOO_LARGE),
        ("827f8000000000000000", Fault.FRAME_TOO_LARGE),
        ("827fffffffffffffffff", Fault.FRAME_TOO_LARGE),
    ],
)
def test_a_length_has_its_shortest_form_and_a_bound(head, fault):
    assert fault_of(bytes.fromhex(head)) is fault


def test_the_largest_frame_may_begin():
    assert MAX_FRAME_BYTES == 33_554_432
    head = b"\x82\x7f" + MAX_FRAME_BYTES.to_bytes(8)
    assert read([head]) == [Head(head, Opcode.BINARY, True, MAX_FRAME_BYTES)]


@given(st.binary(max_size=200), st.binary(min_size=4, max_size=4))
def test_masking_twice_is_nothing(data, key):
    assert unmasked(unmasked(data, key), key) == data
    assert unmasked(data, key) == bytes(byte ^ key[at % 4] for at, byte in enumerate(data))


@given(st.binary(max_size=60), st.booleans())
def test_whatever_comes_only_the_declared_error_is_raised_and_no_byte_is_lost(data, masked):
    for pieces in ([data], bytewise(data)):
        reader = FrameReader(masked=masked)
        seen = b""
        try:
            for piece in pieces:
                for part in reader.feed(piece):
                    seen += part.raw
        except StreamFaultError:
            assert data.startswith(seen)
        else:
            assert seen == data[: len(data) - reader.waiting]
