"""A server's end of a WebSocket: what follows a Close does not count, and lengths are those of RFC 6455."""

from __future__ import annotations

import pytest

from deploy.sandbox.apiserver.websocket_end import WebSocketEnd
from recordings.streams.channels import DIALECTS, ChannelReader
from recordings.streams.events import Closing, Event, Role, Side, StreamData
from recordings.streams.frames import FrameReader, Head, Payload


def end() -> tuple[WebSocketEnd, list[bytes]]:
    sent: list[bytes] = []
    events: list[Event] = []
    return WebSocketEnd(
        ChannelReader(Side.CLIENT, DIALECTS["v5.channel.k8s.io"], events.append), events, sent.append
    ), sent


def frame(opcode: int, payload: bytes) -> bytes:
    return bytes((0x80 | opcode, 0x80 | len(payload))) + bytes(4) + payload


def test_messages_are_read_however_they_are_cut() -> None:
    socket, _ = end()
    data = frame(2, b"\0ab") + frame(2, b"\0c")
    happened = [event for byte in data for event in socket.receive(bytes((byte,)))]
    assert b"".join(event.data for event in happened if isinstance(event, StreamData)) == b"abc"


def test_a_close_is_answered_once_and_ends_all() -> None:
    socket, sent = end()
    assert socket.receive(frame(8, b"\x03\xe8") + frame(2, b"\0late")) == [Closing(Side.CLIENT, 1000)]
    assert socket.receive(frame(2, b"\0later")) == []
    socket.close()
    assert sent == [b"\x88\x02\x03\xe8"]


def test_a_message_of_text_is_taken_as_one_of_bytes() -> None:
    socket, _ = end()
    assert [event.data for event in socket.receive(frame(1, b"\0a"))] == [b"a"]


@pytest.mark.parametrize("count", [0, 1, 125, 126, 65535, 65536])
def test_what_is_sent_can_be_read_at_every_length(count: int) -> None:
    socket, sent = end()
    socket.message(bytes(count))
    head, *rest = FrameReader(masked=False).feed(b"".join(sent))
    assert isinstance(head, Head)
    assert (head.length, head.final) == (count, True)
    assert b"".join(part.data for part in rest if isinstance(part, Payload)) == bytes(count)


def test_stdin_is_half_closed_by_its_signal() -> None:
    socket, _ = end()
    (ended,) = socket.receive(frame(2, b"\xff\0"))
    assert getattr(ended, "role", None) is Role.STDIN
