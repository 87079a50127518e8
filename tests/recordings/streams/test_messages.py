"""Claims about what may be said in a watch over a WebSocket."""

import pytest

from recordings.streams.events import Closing
from recordings.streams.fault import Fault
from recordings.streams.tap import reading_tap
from tests.recordings.streams.wire import CLIENT, MASK, SERVER, Heard, binary, frame, play_every_way

EVENT = b'{"type":"ADDED"}'


def test_whatever_the_server_tells_passes_and_is_no_event():
    told = frame(1, EVENT) + frame(2, b"") + frame(2, EVENT, final=False) + frame(9, b"?") + frame(0, EVENT)
    answered = frame(10, b"?", mask=MASK) + frame(9, mask=MASK)
    steps = [(SERVER, told), (CLIENT, answered), (SERVER, frame(8, b"\x03\xe8")), (CLIENT, frame(8, mask=MASK))]
    assert play_every_way(reading_tap, steps) == Heard(
        events=(Closing(SERVER, 1000), Closing(CLIENT, None)),
        to_server=answered + frame(8, mask=MASK),
        to_client=told + frame(8, b"\x03\xe8"),
    )


@pytest.mark.parametrize("opcode", [1, 2])
def test_a_client_that_says_anything_is_not_passed_on(opcode):
    heard = play_every_way(reading_tap, [(SERVER, frame(1, EVENT)), (CLIENT, binary(CLIENT, b"GET /", opcode=opcode))])
    assert (heard.to_client, heard.to_server, heard.fault) == (frame(1, EVENT), b"", Fault.MESSAGE_TYPE)


def test_what_is_no_frame_is_not_passed_on():
    heard = play_every_way(reading_tap, [(CLIENT, b"GET /api HTTP/1.1\r\n\r\n")])
    assert (heard.to_server, heard.fault) == (b"", Fault.RESERVED_BITS)


def test_a_message_that_never_ends_is_cut_off():
    tap = reading_tap()
    tap.feed(SERVER, frame(1, EVENT, final=False))
    assert (tap.cut_off(SERVER), tap.cut_off(CLIENT)) == (True, False)
    tap.feed(SERVER, frame(0, EVENT))
    assert not tap.cut_off(SERVER)
