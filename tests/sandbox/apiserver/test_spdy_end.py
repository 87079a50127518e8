"""A server's end of SPDY, beside the tap that follows both sides of it: what it sends is understood and allowed."""

from __future__ import annotations

import zlib

import pytest

from deploy.sandbox.apiserver.spdy_end import MAX_PIECE, SpdyEnd
from recordings.streams.events import Event, Purpose, Role, Side, StreamData, merged
from recordings.streams.fault import Fault, StreamFaultError
from recordings.streams.header_block import DICTIONARY
from recordings.streams.tap import spdy_tap


class Pair:
    """An end, and a client whose every byte passes a tap, as does every answer."""

    def __init__(self) -> None:
        self.sent = b""
        self.events: list[Event] = []
        self._tap = spdy_tap(Purpose.EXEC)
        self.end = SpdyEnd(Purpose.EXEC, self._take)
        self._headers = zlib.compressobj(9, zlib.DEFLATED, 15, 9, 0, DICTIONARY)
        self._waiting = b""

    def _take(self, data: bytes) -> None:
        self.sent += data
        self._waiting += data

    def client(self, data: bytes) -> list[Event]:
        self.events += self._tap.feed(Side.CLIENT, data).events
        happened = self.end.receive(data)
        self.hear()
        return happened

    def hear(self) -> None:
        data, self._waiting = self._waiting, b""
        self.events += self._tap.feed(Side.SERVER, data).events

    def open(self, number: int, role: Role) -> None:
        pair = b"".join(len(word).to_bytes(4) + word for word in (b"streamtype", role.encode()))
        block = self._headers.compress((1).to_bytes(4) + pair) + self._headers.flush(zlib.Z_SYNC_FLUSH)
        body = number.to_bytes(4) + bytes(6) + block
        self.client(bytes.fromhex("8003000100") + len(body).to_bytes(3) + body)

    def said(self) -> list[tuple[Role, bytes]]:
        return [
            (event.role, event.data)
            for event in merged(self.events)
            if isinstance(event, StreamData) and event.side is Side.SERVER
        ]


def test_streams_are_accepted_and_written_in_pieces() -> None:
    pair, large = Pair(), bytes(range(256)) * 300
    pair.open(1, Role.ERROR)
    pair.open(3, Role.STDOUT)
    assert (pair.end.stream_of(Role.STDOUT), pair.end.stream_of(Role.STDERR)) == (3, None)
    pair.end.write(3, large)
    pair.end.write(1, b"over")
    pair.hear()
    assert pair.said() == [(Role.STDOUT, large), (Role.ERROR, b"over")]
    assert (3).to_bytes(4) + b"\0" + MAX_PIECE.to_bytes(3) in pair.sent


def test_the_clients_pings_are_answered_and_answers_to_ours_are_not() -> None:
    pair = Pair()
    pair.client(bytes.fromhex("800300060000000400000007") + bytes.fromhex("800300060000000400000008"))
    assert pair.sent == bytes.fromhex("800300060000000400000007")


def test_nothing_is_written_on_a_stream_that_was_ended_or_reset() -> None:
    pair = Pair()
    pair.open(1, Role.STDOUT)
    pair.open(3, Role.ERROR)
    pair.end.end(1)
    pair.client(bytes.fromhex("800300030000000800000003") + (5).to_bytes(4))
    before = len(pair.sent)
    for stream in (1, 3, 5):
        pair.end.write(stream, b"late")
    pair.end.reset(3)
    assert len(pair.sent) == before


def test_the_end_resets_what_is_open_and_says_goodbye() -> None:
    pair = Pair()
    pair.open(1, Role.ERROR)
    before = len(pair.sent)
    pair.end.close()
    pair.hear()
    assert pair.sent[before:].hex() == "80030003000000080000000100000005" + "80030007000000080000000100000000"


def test_what_the_client_may_not_send_is_a_fault() -> None:
    pair = Pair()
    pair.open(1, Role.STDOUT)
    with pytest.raises(StreamFaultError) as caught:
        pair.end.receive((1).to_bytes(4) + b"\0" + (1).to_bytes(3) + b"x")
    assert caught.value.fault is Fault.ROLE
