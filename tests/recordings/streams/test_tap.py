"""Both directions of a conversation: the same events and bytes however it is cut; no byte that is not understood."""

import tracemalloc
from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recordings.streams.channels import DIALECTS
from recordings.streams.events import (
    Closing,
    Ending,
    Event,
    Purpose,
    Role,
    Side,
    StreamData,
    StreamEnded,
    StreamOpened,
    Taken,
    merged,
)
from recordings.streams.fault import Fault, StreamFaultError
from recordings.streams.tap import TUNNEL, Tap, reading_tap, spdy_tap, websocket_tap
from tests.recordings.streams.wire import (
    CLIENT,
    MASK,
    SERVER,
    Blocks,
    Heard,
    Steps,
    as_bytes,
    binary,
    bytewise,
    cut_at,
    data,
    frame,
    goaway,
    ping,
    play,
    play_every_way,
    reset,
    whole,
)

TAPS = {
    "exec": lambda: spdy_tap(Purpose.EXEC),
    "forward": lambda: spdy_tap(Purpose.PORT_FORWARD),
    "tunnel": lambda: websocket_tap(TUNNEL),
    "reading": reading_tap,
    "websocket forward": lambda: websocket_tap("v4.channel.k8s.io", (80,)),
    **{f"websocket {name}": lambda name=name: websocket_tap(name) for name in DIALECTS},
}


def shell() -> Steps:
    """An exec by WebSocket."""
    return [
        (SERVER, binary(SERVER, b"\x01")),
        (CLIENT, binary(CLIENT, b'\x04{"Width":80,"Height":24}\n')),
        (CLIENT, binary(CLIENT, b"\x00ls\n") + frame(9, b"?", mask=MASK)),
        (SERVER, frame(10, b"?") + binary(SERVER, b"\x01a", final=False) + binary(SERVER, b"b\n", opcode=0)),
        (CLIENT, binary(CLIENT, b"\xff\x00")),
        (SERVER, binary(SERVER, b"\x02!") + binary(SERVER, b'\x03{"status":"Success"}') + frame(8, b"\x03\xe8")),
        (CLIENT, frame(8, b"\x03\xe8", mask=MASK)),
    ]


def forward() -> Steps:
    """A port-forward by SPDY."""
    ours, theirs = Blocks(), Blocks()
    return [
        (CLIENT, ours.syn(1, streamtype="error", port="80", requestid="0")),
        (SERVER, theirs.reply(1)),
        (CLIENT, data(1, fin=True) + ours.syn(3, streamtype="data", port="80", requestid="0")),
        (SERVER, theirs.reply(3)),
        (CLIENT, data(3, b"GET / HTTP/1.1\r\n\r\n") + ping(1)),
        (SERVER, ping(1) + data(3, b"HTTP/1.1 200 OK\r\n\r\n", fin=True) + data(1, fin=True)),
        (CLIENT, reset(3) + goaway(0)),
    ]


def tunnelled(steps: Steps, size: int) -> Steps:
    """The same in WebSocket messages of `size` bytes, with a ping and an empty fragment among them."""

    def wrapped(side: Side, step: bytes) -> bytes:
        mask = MASK if side is CLIENT else None
        pieces = [step[at : at + size] for at in range(0, len(step), size)]
        first = frame(2, pieces[0], final=False, mask=mask) + frame(9, b"", mask=mask) + frame(0, b"", mask=mask)
        return first + b"".join(frame(2, piece, mask=mask) for piece in pieces[1:])

    return [(side, wrapped(side, step)) for side, step in steps]


CONVERSATIONS = {
    "exec": [
        (CLIENT, Blocks().syn(1, streamtype="stdout")),
        (SERVER, Blocks().reply(1)),
        (SERVER, data(1, b"hello", fin=True)),
    ],
    "forward": forward(),
    "tunnel": tunnelled(forward(), 7),
    "websocket v5.channel.k8s.io": shell(),
    "websocket forward": [
        (SERVER, binary(SERVER, b"\x00P\x00") + binary(SERVER, b"\x01P\x00")),
        (CLIENT, binary(CLIENT, b"\x00hello")),
        (SERVER, binary(SERVER, b"\x00world") + binary(SERVER, b"\x01oops")),
    ],
    "websocket v4.base64.channel.k8s.io": [(SERVER, frame(1, b"1aGVsbG8=")), (CLIENT, frame(1, b"0bHMK", mask=MASK))],
}


def test_a_shell_is_followed_however_it_is_cut():
    steps = shell()
    assert play_every_way(TAPS["websocket v5.channel.k8s.io"], steps) == Heard(
        events=(
            StreamData(CLIENT, 4, Role.RESIZE, b'{"Width":80,"Height":24}\n'),
            StreamData(CLIENT, 0, Role.STDIN, b"ls\n"),
            StreamData(SERVER, 1, Role.STDOUT, b"ab\n"),
            StreamEnded(CLIENT, 0, Role.STDIN, Ending.FINISHED),
            StreamData(SERVER, 2, Role.STDERR, b"!"),
            StreamData(SERVER, 3, Role.ERROR, b'{"status":"Success"}'),
            Closing(SERVER, 1000),
            Closing(CLIENT, 1000),
        ),
        to_server=b"".join(step for side, step in steps if side is CLIENT),
        to_client=b"".join(step for side, step in steps if side is SERVER),
    )


@pytest.mark.parametrize("size", [1, 2, 7, 8, 9, 1000])
def test_a_tunnel_carries_the_same_as_the_connection_would(size):
    plain = play_every_way(TAPS["forward"], forward())
    assert plain.fault is None
    assert StreamOpened(3, Role.DATA, 80, "0") in plain.events
    steps = tunnelled(forward(), size)
    inside = play_every_way(TAPS["tunnel"], steps)
    assert inside == Heard(
        events=plain.events,
        to_server=b"".join(step for side, step in steps if side is CLIENT),
        to_client=b"".join(step for side, step in steps if side is SERVER),
    )


def test_a_tunnel_keeps_back_what_is_not_understood_yet():
    tap = websocket_tap(TUNNEL)
    syn = Blocks().syn(1, streamtype="error", port="80", requestid="0")
    first, second = binary(CLIENT, syn[:20]), binary(CLIENT, syn[20:])
    pings = frame(9, b"", mask=MASK)
    assert tap.feed(CLIENT, first + pings) == Taken()
    assert tap.cut_off(CLIENT)
    assert tap.farewell(SERVER, mask=MASK) == frame(8, b"\x03\xe9", mask=MASK)
    assert tap.feed(CLIENT, second) == Taken((StreamOpened(1, Role.ERROR, 80, "0"),), first + pings + second)
    assert not tap.cut_off(CLIENT)


def test_a_tunnel_tells_its_end_as_a_websocket():
    tap = websocket_tap(TUNNEL)
    assert play(tap, [(CLIENT, binary(CLIENT, data(1, b"x")))]).fault is Fault.STREAM_ID
    assert tap.farewell(CLIENT, mask=MASK) == frame(8, b"\x03\xeastream-id")
    assert tap.farewell(SERVER, mask=MASK) == frame(8, b"\x03\xeastream-id", mask=MASK)


@pytest.mark.parametrize("cut", [whole, bytewise])
def test_a_frame_whose_first_byte_cannot_stand_is_not_begun_so_that_a_close_can_say_why(cut):
    tap = websocket_tap("v5.channel.k8s.io")
    good = binary(CLIENT, b"\x00ls")
    heard = play(tap, [(CLIENT, good + binary(CLIENT, b"\x01forged"))], cut)
    assert (heard.to_server, heard.fault) == (good, Fault.CHANNEL)
    assert tap.farewell(SERVER, mask=MASK) == frame(8, b"\x03\xeachannel", mask=MASK)
    assert tap.farewell(CLIENT, mask=MASK) == frame(8, b"\x03\xeachannel")


def test_what_is_refused_behind_the_decoder_is_told_where_bytes_were_not_withheld():
    tap = websocket_tap("v5.channel.k8s.io")
    tap.feed(CLIENT, binary(CLIENT, b"\x04nonsense"))
    tap.refuse(CLIENT, StreamFaultError(Fault.RESIZE, "no size"))
    assert tap.farewell(CLIENT, mask=MASK) == frame(8, b"\x03\xearesize")
    assert tap.farewell(SERVER, mask=MASK) == b""
    with pytest.raises(StreamFaultError):
        tap.feed(SERVER, b"")


def test_a_frame_that_was_begun_is_not_ended_by_us():
    tap = websocket_tap("v4.base64.channel.k8s.io")
    heard = play(tap, [(SERVER, frame(1, b"1YQ==!"))])
    assert (heard.to_client, heard.fault) == (frame(1, b"1YQ==!")[:-1], Fault.BASE64)
    assert tap.farewell(CLIENT, mask=MASK) == b""


def test_an_unknown_subprotocol_has_no_tap():
    for name in ("v6.channel.k8s.io", "v5.base64.channel.k8s.io", "v2.portforward.k8s.io", "portforward.k8s.io"):
        with pytest.raises(KeyError):
            websocket_tap(name)
    for name in ("v5.channel.k8s.io", "channel.k8s.io", TUNNEL):
        with pytest.raises(KeyError):
            websocket_tap(name, (80,))


def test_a_port_forward_by_channels_is_followed_however_it_is_cut():
    heard = play_every_way(TAPS["websocket forward"], CONVERSATIONS["websocket forward"])
    assert (heard.events, heard.fault) == (
        (
            StreamOpened(0, Role.DATA, 80, "0"),
            StreamOpened(1, Role.ERROR, 80, "0"),
            StreamData(CLIENT, 0, Role.DATA, b"hello"),
            StreamData(SERVER, 0, Role.DATA, b"world"),
            StreamData(SERVER, 1, Role.ERROR, b"oops"),
        ),
        None,
    )


def test_what_was_understood_before_a_fault_is_told_and_nothing_after_it():
    tap = websocket_tap("v5.channel.k8s.io")
    good = binary(SERVER, b"\x01a")
    with pytest.raises(StreamFaultError) as raised:
        tap.feed(SERVER, good + frame(3) + good)
    assert raised.value.fault is Fault.OPCODE
    assert raised.value.taken == Taken((StreamData(SERVER, 1, Role.STDOUT, b"a"),), good)
    for side in Side:
        with pytest.raises(StreamFaultError) as again:
            tap.feed(side, good)
        assert (again.value.fault, again.value.taken) == (Fault.OPCODE, Taken())


def test_a_large_payload_passes_as_it_arrives():
    tap = websocket_tap("v5.channel.k8s.io")
    head, piece = b"\x82\x7f" + (1 + 30 * 1024 * 1024).to_bytes(8) + b"\x01", bytes(64 * 1024)
    assert tap.feed(SERVER, head).released == head
    tracemalloc.start()
    try:
        for _ in range(480):
            taken = tap.feed(SERVER, piece)
            assert taken.released == piece
            assert taken.events == (StreamData(SERVER, 1, Role.STDOUT, piece),)
        assert tracemalloc.get_traced_memory()[1] < 1024 * 1024
    finally:
        tracemalloc.stop()
    assert not tap.cut_off(SERVER)


def test_what_waits_is_bounded_whatever_is_sent_behind_it():
    """A SPDY frame that never ends inside a WebSocket, with pings, empty messages and single bytes."""
    start = binary(CLIENT, b"\x80\x03\x00\x04\x00\x00\xff\x00")
    for filler in (frame(9, b"", mask=MASK), binary(CLIENT, b""), binary(CLIENT, b"x")):
        tap = websocket_tap(TUNNEL)
        tap.feed(CLIENT, start)
        heard = play(tap, [(CLIENT, filler * 1000)] * 100)
        assert heard.fault in {Fault.HELD_TOO_LONG, Fault.FRAME_LENGTH}


SIDES = st.sampled_from(list(Side))


@settings(max_examples=60)
@given(st.data())
def test_a_damaged_conversation_is_read_alike_however_it_is_cut(data):
    """Mutations of good conversations: never another error than the declared one, and never a difference by the cut."""
    name = data.draw(st.sampled_from(sorted(CONVERSATIONS)))
    steps = [(side, bytearray(step)) for side, step in CONVERSATIONS[name]]
    for _ in range(data.draw(st.integers(1, 3))):
        _, step = data.draw(st.sampled_from(steps))
        at = data.draw(st.integers(0, len(step) - 1))
        match data.draw(st.integers(0, 3)):
            case 0:
                step[at] = data.draw(st.integers(0, 255))
            case 1 if len(step) > 1:
                del step[at]
            case 2:
                step[at:at] = data.draw(st.binary(min_size=1, max_size=3))
            case _:
                step[at] ^= 1 << data.draw(st.integers(0, 7))
    damaged = [(side, bytes(step)) for side, step in steps]
    heard = play(TAPS[name](), damaged)
    assert play(TAPS[name](), damaged, bytewise) == heard
    assert play(TAPS[name](), damaged, cut_at(data.draw(st.integers(1, 40)))) == heard


@settings(max_examples=60)
@given(
    st.sampled_from(sorted(TAPS)), st.lists(st.tuples(st.sampled_from(list(Side)), st.binary(max_size=40)), max_size=6)
)
def test_random_bytes_are_read_alike_however_they_are_cut(name, steps):
    heard = play(TAPS[name](), steps)
    assert play(TAPS[name](), steps, bytewise) == heard
    assert b"".join(step for side, step in steps if side is CLIENT).startswith(heard.to_server)
    assert b"".join(step for side, step in steps if side is SERVER).startswith(heard.to_client)


PAYLOADS = st.lists(st.tuples(SIDES, st.integers(0, 4), st.binary(max_size=30)), max_size=10)


@settings(max_examples=60)
@given(st.sampled_from(sorted(DIALECTS)), PAYLOADS, st.integers(1, 50))
def test_what_an_encoder_writes_is_read_back(subprotocol, sent, size):
    tap, heard, steps = websocket_tap(subprotocol), [], []
    for side, number, payload in sent:
        channel = (0, 4)[number % 2] if side is CLIENT else 1 + number % 3
        if DIALECTS[subprotocol].base64:
            message = frame(1, b"%d" % channel + b64encode(payload), mask=MASK if side is CLIENT else None)
        else:
            message = binary(side, bytes((channel,)) + payload)
        steps.append((side, message))
        heard += [StreamData(side, channel, _role(channel), payload)] * bool(payload)
    played = play(tap, steps, cut_at(size))
    assert played.fault is None
    assert played.events == merged(heard)
    assert played.to_server + played.to_client == b"".join(
        as_bytes(step) for wanted in (CLIENT, SERVER) for side, step in steps if side is wanted
    )


def _role(channel: int) -> Role:
    return (Role.STDIN, Role.STDOUT, Role.STDERR, Role.ERROR, Role.RESIZE)[channel]


def test_a_tap_has_no_memory_of_what_it_has_told():
    tap: Tap = websocket_tap("v4.channel.k8s.io")
    one: tuple[Event, ...] = (StreamData(SERVER, 1, Role.STDOUT, b"a"),)
    assert tap.feed(SERVER, binary(SERVER, b"\x01a")).events == one
    assert tap.feed(SERVER, binary(SERVER, b"\x01a")).events == one
    assert tap.feed(SERVER, b"") == Taken((), b"")
