"""One direction of a WebSocket: what goes on, what closes it, what ends it."""

import pytest

from recordings.streams.channels import DIALECTS, ChannelReader
from recordings.streams.events import Closing, Discarded, Event, Role, Side, StreamData, merged
from recordings.streams.fault import Fault, StreamFaultError
from recordings.streams.held import MAX_HELD_BYTES
from recordings.streams.websocket import WebSocketWire
from tests.recordings.streams.wire import CLIENT, MASK, SERVER, binary, frame


def wire(side: Side, subprotocol: str = "v5.channel.k8s.io") -> tuple[WebSocketWire, list[Event]]:
    events: list[Event] = []
    return WebSocketWire(side, ChannelReader(side, DIALECTS[subprotocol], events.append), events.append), events


def fault_of(side: Side, data: bytes, subprotocol: str = "v5.channel.k8s.io") -> Fault:
    with pytest.raises(StreamFaultError) as raised:
        wire(side, subprotocol)[0].feed(data)
    return raised.value.fault


def out(data: bytes) -> StreamData:
    return StreamData(SERVER, 1, Role.STDOUT, data)


def test_what_is_understood_goes_on_unchanged():
    one, events = wire(SERVER)
    sent = binary(SERVER, b"\x01a") + frame(9, b"?") + binary(SERVER, b"\x01b")
    one.feed(sent)
    assert one.release() == sent
    assert merged(events) == (out(b"ab"),)


def test_a_message_in_fragments_from_the_server_is_one_message():
    one, events = wire(SERVER)
    sent = (
        frame(2, b"", final=False)
        + frame(0, b"\x01a", final=False)
        + frame(10)
        + frame(0, b"\x01b")
        + binary(SERVER, b"\x01c")
    )
    one.feed(sent)
    assert one.release() == sent
    assert merged(events) == (out(b"a\x01bc"),)


def test_a_message_in_fragments_from_the_client_would_be_two_to_the_server_and_is_a_fault():
    one, events = wire(CLIENT)
    first = binary(CLIENT, b"\x00echo ", final=False)
    with pytest.raises(StreamFaultError) as raised:
        one.feed(first + binary(CLIENT, b"\x00rm -r x", opcode=0))
    assert raised.value.fault is Fault.FRAGMENTATION
    assert (one.release(), events) == (b"", [])


def test_what_a_client_types_as_text_is_read_and_goes_on_as_text():
    one, events = wire(CLIENT)
    sent = binary(CLIENT, b"\x00ls\n", opcode=1)
    one.feed(sent)
    assert one.release() == sent
    assert merged(events) == (StreamData(CLIENT, 0, Role.STDIN, b"ls\n"),)


def test_text_of_the_server_has_no_place_among_binary_messages_nor_binary_among_text():
    assert fault_of(SERVER, frame(1, b"\x01a")) is Fault.MESSAGE_TYPE
    assert fault_of(SERVER, frame(2, b"1YQ=="), "v4.base64.channel.k8s.io") is Fault.MESSAGE_TYPE


def test_base64_that_is_not_complete_stays():
    one, events = wire(SERVER, "v4.base64.channel.k8s.io")
    sent = frame(1, b"1QUJDQUI=")
    one.feed(sent[:-2])
    assert one.release() == sent[:7]
    assert one.midway
    one.feed(sent[-2:])
    assert one.release() == sent[7:]
    assert merged(events) == (out(b"ABCAB"),)
    assert not one.midway


def test_an_empty_last_fragment_ends_the_message_as_well():
    one, events = wire(SERVER)
    sent = frame(2, b"\x01a", final=False) + frame(0, b"") + binary(SERVER, b"\x02b")
    one.feed(sent)
    assert one.release() == sent
    assert merged(events) == (out(b"a"), StreamData(SERVER, 2, Role.STDERR, b"b"))
    other, _ = wire(SERVER, "v4.base64.channel.k8s.io")
    with pytest.raises(StreamFaultError) as raised:
        other.feed(frame(1, b"1QU", final=False) + frame(0, b""))
    assert raised.value.fault is Fault.BASE64
    assert other.release() == frame(1, b"1QU", final=False)[:-2]


def test_base64_that_ends_too_early_does_not_go_on():
    one, events = wire(SERVER, "v4.base64.channel.k8s.io")
    with pytest.raises(StreamFaultError):
        one.feed(frame(1, b"1QUJDQU"))
    assert one.release() == frame(1, b"1QUJDQU")[:-2]
    assert events == [out(b"ABC")]
    assert one.farewell(Fault.BASE64, MASK) == b""


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("code", [*range(1000, 1004), *range(1007, 1015), 3000, 4999])
def test_a_close_goes_on_with_its_code_and_reason(side, code):
    one, events = wire(side)
    sent = frame(8, code.to_bytes(2) + "schön".encode(), mask=MASK if side is CLIENT else None)
    one.feed(sent)
    assert one.release() == sent
    assert events == [Closing(side, code, "schön")]


def test_a_close_may_say_nothing():
    one, events = wire(SERVER)
    one.feed(frame(8))
    assert (one.release(), events) == (frame(8), [Closing(SERVER, None)])


@pytest.mark.parametrize(
    "body",
    [b"\x03", *(code.to_bytes(2) for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535)), b"\x03\xe8\xff"],
)
def test_a_close_with_a_code_that_may_not_be_sent_or_a_broken_reason_is_a_fault(body):
    assert fault_of(SERVER, frame(8, body)) is Fault.CLOSE_PAYLOAD


@pytest.mark.parametrize("cut", [0, 1, 4, 5, 9])
def test_nothing_behind_a_close_goes_on_wherever_it_is_cut(cut):
    one, events = wire(SERVER)
    closing, behind = frame(8, b"\x03\xe8"), b"GET / HTTP/1.1\r\n\r\n"
    sent = binary(SERVER, b"\x01a") + closing + behind
    released = b""
    for piece in (sent[:cut], sent[cut:], b"more"):
        one.feed(piece)
        released += one.release()
    assert released == binary(SERVER, b"\x01a") + closing
    assert merged(events) == (out(b"a"), Closing(SERVER, 1000), Discarded(SERVER, len(behind) + 4))
    assert not one.midway


def test_too_much_behind_something_unfinished_is_a_fault():
    one, _ = wire(SERVER, "v4.base64.channel.k8s.io")
    one.feed(frame(1, b"1QU", final=False))
    one.feed(frame(9, bytes(120)) * (MAX_HELD_BYTES // 122))
    one.release()
    one.check()
    one.feed(frame(9, bytes(120)))
    one.release()
    with pytest.raises(StreamFaultError) as raised:
        one.check()
    assert raised.value.fault is Fault.HELD_TOO_LONG


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (None, 1001),
        (Fault.OPCODE, 1002),
        (Fault.MESSAGE_TYPE, 1003),
        (Fault.FRAME_TOO_LARGE, 1009),
        (Fault.HELD_TOO_LONG, 1009),
    ],
)
def test_the_end_is_told_with_the_code_of_the_fault(fault, code):
    reason = fault.value.encode() if fault else b""
    assert wire(SERVER)[0].farewell(fault, MASK) == frame(8, code.to_bytes(2) + reason)
    assert wire(CLIENT)[0].farewell(fault, MASK) == frame(8, code.to_bytes(2) + reason, mask=MASK)


def test_the_end_is_told_only_where_a_frame_may_stand():
    one, _ = wire(SERVER)
    sent = binary(SERVER, b"\x01abc")
    one.feed(sent[:1])
    one.release()
    assert one.farewell(None, MASK) != b""
    one.feed(sent[1:4])
    one.release()
    assert one.farewell(None, MASK) == b""
    one.feed(sent[4:])
    one.release()
    assert one.farewell(None, MASK) != b""
    one.feed(binary(SERVER, b""))
    one.release()
    assert one.farewell(None, MASK) != b""
    one.feed(frame(8))
    assert one.farewell(None, MASK) == b""
