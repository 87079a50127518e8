"""The channels of exec and attach: every dialect, every number, every cut."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.streams.channels import DIALECTS, EXEC, MAX_PORTS, ChannelReader, Layout, port_layout
from recordings.streams.events import Ending, Event, Role, Side, StreamData, StreamEnded, StreamOpened, merged
from recordings.streams.fault import Fault, StreamFaultError
from recordings.streams.frames import Opcode
from tests.recordings.streams.wire import CLIENT, SERVER, bytewise, whole

V5, V4, BASE64 = "v5.channel.k8s.io", "v4.channel.k8s.io", "v4.base64.channel.k8s.io"


def read(
    side: Side, messages: list[bytes], subprotocol: str = V5, cut=whole, layout: Layout = EXEC
) -> tuple[tuple[Event, ...], int, Fault | None]:
    """The events, how many bytes may go on, and the fault if there was one."""
    events: list[Event] = []
    reader = ChannelReader(side, DIALECTS[subprotocol], events.append, layout)
    try:
        for message in messages:
            for piece in cut(message):
                reader.take(piece)
            reader.end_of_message()
    except StreamFaultError as error:
        return merged(events), reader.understood, error.fault
    assert not reader.midway
    return merged(events), reader.understood, None


def both_ways(side: Side, messages: list[bytes], subprotocol: str = V5) -> tuple[tuple[Event, ...], int, Fault | None]:
    heard = read(side, messages, subprotocol)
    assert read(side, messages, subprotocol, bytewise) == heard
    return heard


@pytest.mark.parametrize(
    ("side", "number", "role"),
    [
        (CLIENT, 0, Role.STDIN),
        (SERVER, 1, Role.STDOUT),
        (SERVER, 2, Role.STDERR),
        (SERVER, 3, Role.ERROR),
        (CLIENT, 4, Role.RESIZE),
    ],
)
@pytest.mark.parametrize("subprotocol", sorted(DIALECTS))
def test_the_first_byte_names_the_channel_and_the_rest_belongs_to_it(side, number, role, subprotocol):
    message = bytes((number,)) + b"hello"
    if DIALECTS[subprotocol].base64:
        message = b"%d" % number + b64encode(b"hello")
    assert both_ways(side, [message], subprotocol) == ((StreamData(side, number, role, b"hello"),), len(message), None)


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("subprotocol", sorted(DIALECTS))
def test_every_other_number_is_a_fault(side, subprotocol):
    dialect = DIALECTS[subprotocol]
    allowed = {number + 0x30 * dialect.base64 for number in EXEC.sent_by[side]}
    if dialect.half_close and side is CLIENT:
        allowed.add(255)
    for number in set(range(256)) - allowed:
        assert both_ways(side, [bytes((number,)) + b"AAAA"], subprotocol) == ((), 0, Fault.CHANNEL)


def test_base64_is_spoken_in_text_and_everything_else_in_binary():
    opcodes = {name: ChannelReader(CLIENT, dialect, print).opcode for name, dialect in DIALECTS.items()}
    assert {name for name, opcode in opcodes.items() if opcode is Opcode.TEXT} == {"base64.channel.k8s.io", BASE64}
    assert set(opcodes.values()) == {Opcode.TEXT, Opcode.BINARY}


@pytest.mark.parametrize("dialect", DIALECTS.values())
def test_a_client_may_send_either_as_kubernetes_servers_let_it_and_the_official_python_client_does(dialect):
    assert ChannelReader(CLIENT, dialect, print).opcodes == {Opcode.TEXT, Opcode.BINARY}
    assert ChannelReader(SERVER, dialect, print).opcodes == {dialect.opcode}


def test_only_the_server_may_fragment_because_the_servers_do_not_join():
    assert {side: ChannelReader(side, DIALECTS[V4], print).fragments for side in Side} == {CLIENT: False, SERVER: True}


def test_a_message_of_a_channel_alone_and_one_of_nothing_carry_nothing():
    assert both_ways(SERVER, [b"\x01", b"", b"\x03"]) == ((), 2, None)


@pytest.mark.parametrize("channel", range(5))
def test_v5_half_closes_a_channel_once(channel):
    ended = StreamEnded(CLIENT, channel, EXEC.roles[channel], Ending.FINISHED)
    signal = bytes((255, channel))
    assert both_ways(CLIENT, [signal, signal]) == ((ended,), 4, None)


def test_nothing_may_follow_on_a_channel_that_was_closed():
    ended = StreamEnded(CLIENT, 0, Role.STDIN, Ending.FINISHED)
    assert both_ways(CLIENT, [b"\xff\x00", b"\x04{}", b"\x00x"]) == (
        (ended, StreamData(CLIENT, 4, Role.RESIZE, b"{}")),
        5,
        Fault.CHANNEL,
    )


@pytest.mark.parametrize(("message", "understood"), [(b"\xff", 1), (b"\xff\x05", 1), (b"\xff\xff", 1)])
def test_a_close_signal_names_one_of_the_five_channels(message, understood):
    assert both_ways(CLIENT, [message]) == ((), understood, Fault.CLOSE_SIGNAL)


def test_a_close_signal_has_two_bytes():
    assert both_ways(CLIENT, [b"\xff\x00\x00"]) == ((), 2, Fault.CLOSE_SIGNAL)


@pytest.mark.parametrize("side", list(Side))
def test_before_v5_and_from_the_server_there_is_no_close_signal(side):
    assert both_ways(side, [b"\xff\x00"], V4)[2] is Fault.CHANNEL
    assert both_ways(SERVER, [b"\xff\x00"], V5)[2] is Fault.CHANNEL


@given(st.lists(st.binary(max_size=20), max_size=4), st.integers(1, 7))
def test_base64_is_read_however_it_is_cut(payloads, size):
    messages = [b"1" + b64encode(payload) for payload in payloads]

    def cut(message: bytes) -> list[bytes]:
        return [message[at : at + size] for at in range(0, len(message), size)]

    joined = b"".join(payloads)
    expected = (StreamData(SERVER, 1, Role.STDOUT, joined),) if joined else ()
    assert read(SERVER, messages, BASE64, cut) == (expected, sum(map(len, messages)), None)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        (b"AAA", b""),
        (b"A", b""),
        (b"====", b""),
        (b"A===", b""),
        (b"AB==", b""),  # bits that mean nothing
        (b"AAB=", b""),
        (b"QUJD*AAA", b"ABC"),
        (b"QUJD\nQUJD", b"ABC"),
        (b"QUJD QUJ", b"ABC"),
        (b"QUI=QUJD", b"AB"),
        (b"QUI==", b"AB"),
        (b"QUJD-_-_", b"ABC"),
        (b"QUJDQUJDx", b"ABCABC"),
    ],
)
def test_base64_has_one_way_to_be_written(text, good):
    expected = (StreamData(SERVER, 1, Role.STDOUT, good),) if good else ()
    events, understood, fault = both_ways(SERVER, [b"1" + text], BASE64)
    assert (events, fault) == (expected, Fault.BASE64)
    assert understood == 1 + len(b64encode(good))


@pytest.mark.parametrize("text", [b"****", b"QUI==", b"QUJD*AAA"])
def test_what_is_no_base64_is_not_kept_until_the_message_ends(text):
    reader = ChannelReader(SERVER, DIALECTS[BASE64], lambda _: None)
    with pytest.raises(StreamFaultError):
        reader.take(b"1" + text)


@given(st.sampled_from(sorted(DIALECTS)), st.sampled_from(list(Side)), st.lists(st.binary(max_size=12), max_size=6))
def test_whatever_comes_only_the_declared_error_is_raised(subprotocol, side, messages):
    events, understood, fault = read(side, messages, subprotocol)
    assert understood <= sum(map(len, messages))
    assert read(side, messages, subprotocol, bytewise) == (events, understood, fault)


FORWARD = port_layout((8080, 53))


def forwarded(side: Side, messages: list[bytes], subprotocol: str = V4):
    heard = read(side, messages, subprotocol, layout=FORWARD)
    assert read(side, messages, subprotocol, bytewise, FORWARD) == heard
    return heard


def test_a_port_forward_by_channels_says_its_ports_first():
    messages = [b"\x00\x90\x1f", b"\x01\x90\x1f", b"\x02\x35", b"\x02\x00hello", b"\x00data", b"\x01error"]
    assert forwarded(SERVER, messages) == (
        (
            StreamOpened(0, Role.DATA, 8080, "0"),
            StreamOpened(1, Role.ERROR, 8080, "0"),
            StreamOpened(2, Role.DATA, 53, "1"),
            StreamData(SERVER, 2, Role.DATA, b"hello"),
            StreamData(SERVER, 0, Role.DATA, b"data"),
            StreamData(SERVER, 1, Role.ERROR, b"error"),
        ),
        sum(map(len, messages)),
        None,
    )
    in_base64 = [b"%d" % message[0] + b64encode(message[1:]) for message in messages]
    assert forwarded(SERVER, in_base64, BASE64)[0] == forwarded(SERVER, messages)[0]


def test_a_port_that_was_not_asked_for_is_a_fault():
    assert forwarded(SERVER, [b"\x00\x90\x1e"]) == ((), 2, Fault.PORT)
    assert forwarded(SERVER, [b"\x02\x90\x1f"]) == ((), 2, Fault.PORT)


def test_the_client_sends_on_the_data_channels_and_no_ports():
    assert forwarded(CLIENT, [b"\x00ab", b"\x02c"])[0] == (
        StreamData(CLIENT, 0, Role.DATA, b"ab"),
        StreamData(CLIENT, 2, Role.DATA, b"c"),
    )
    for number in (1, 3, 4, 255):
        assert forwarded(CLIENT, [bytes((number,)) + b"x"]) == ((), 0, Fault.CHANNEL)
    assert forwarded(SERVER, [b"\x04x"]) == ((), 0, Fault.CHANNEL)


def test_the_number_of_ports_is_bounded():
    assert len(port_layout((1,) * MAX_PORTS).roles) == 2 * MAX_PORTS
    for ports in ((), (1,) * (MAX_PORTS + 1)):
        with pytest.raises(ValueError, match="ports; from 1 to 32"):
            port_layout(ports)
