"""Writes what the decoders read, and plays a conversation through a tap however it is cut."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

from recordings.streams.events import Event, Side, Taken, merged
from recordings.streams.fault import Fault, StreamFaultError
from recordings.streams.header_block import DICTIONARY
from recordings.streams.tap import Tap

CLIENT, SERVER = Side.CLIENT, Side.SERVER
MASK = b"\x37\xfa\x21\x3d"

Steps = list[tuple[Side, bytes]]


def frame(
    opcode: int, payload: bytes = b"", *, final: bool = True, mask: bytes | None = None, reserved: int = 0
) -> bytes:
    """A WebSocket frame with the shortest length."""
    size, bit = len(payload), 0x80 if mask is not None else 0
    if size < 126:
        length = bytes((bit | size,))
    elif size < 0x10000:
        length = bytes((bit | 126,)) + size.to_bytes(2)
    else:
        length = bytes((bit | 127,)) + size.to_bytes(8)
    body = payload if mask is None else bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
    return bytes((final << 7 | reserved << 4 | opcode,)) + length + (mask or b"") + body


def binary(side: Side, payload: bytes, *, opcode: int = 2, final: bool = True) -> bytes:
    """A frame as `side` must write it."""
    return frame(opcode, payload, final=final, mask=MASK if side is CLIENT else None)


def control(kind: int, body: bytes, flags: int = 0, version: int = 3) -> bytes:
    """A SPDY control frame."""
    return (0x8000 | version).to_bytes(2) + kind.to_bytes(2) + bytes((flags,)) + len(body).to_bytes(3) + body


def data(stream: int, payload: bytes = b"", *, fin: bool = False) -> bytes:
    """A SPDY data frame."""
    return stream.to_bytes(4) + bytes((fin,)) + len(payload).to_bytes(3) + payload


def reset(stream: int, status: int = 5) -> bytes:
    return control(3, stream.to_bytes(4) + status.to_bytes(4))


def ping(number: int) -> bytes:
    return control(6, number.to_bytes(4))


def goaway(last: int, status: int = 0) -> bytes:
    return control(7, last.to_bytes(4) + status.to_bytes(4))


def pairs(headers: Iterable[tuple[str | bytes, str | bytes]]) -> bytes:
    """A header block before compression."""
    texts = [(as_bytes(name), as_bytes(value)) for name, value in headers]
    return len(texts).to_bytes(4) + b"".join(
        len(name).to_bytes(4) + name + len(value).to_bytes(4) + value for name, value in texts
    )


def as_bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


class Blocks:
    """The compression of one direction."""

    def __init__(self) -> None:
        self._deflater = zlib.compressobj(9, zlib.DEFLATED, 15, 9, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)

    def raw(self, block: bytes) -> bytes:
        return self._deflater.compress(block) + self._deflater.flush(zlib.Z_SYNC_FLUSH)

    def syn(self, stream: int, *, fin: bool = False, **headers: str) -> bytes:
        body = stream.to_bytes(4) + bytes(6) + self.raw(pairs(headers.items()))
        return control(1, body, flags=fin)

    def reply(self, stream: int, *, fin: bool = False, **headers: str) -> bytes:
        return control(2, stream.to_bytes(4) + self.raw(pairs(headers.items())), flags=fin)

    def more(self, stream: int, *, fin: bool = False, **headers: str) -> bytes:
        return control(8, stream.to_bytes(4) + self.raw(pairs(headers.items())), flags=fin)


@dataclass(frozen=True)
class Heard:
    """What came of a conversation, with the cuts no longer visible."""

    events: tuple[Event, ...]
    to_server: bytes
    to_client: bytes
    fault: Fault | None = None


def whole(piece: bytes) -> list[bytes]:
    return [piece]


def bytewise(piece: bytes) -> list[bytes]:
    return [piece[at : at + 1] for at in range(len(piece))]


def cut_at(*places: int) -> Callable[[bytes], list[bytes]]:
    def cut(piece: bytes) -> list[bytes]:
        edges = [0, *(place for place in places if place < len(piece)), len(piece)]
        return [piece[start:end] for start, end in pairwise(edges)]

    return cut


def play(tap: Tap, steps: Steps, cut: Callable[[bytes], list[bytes]] = whole) -> Heard:
    """Give the tap each step, cut; stop at a fault."""
    events: list[Event] = []
    released = {CLIENT: b"", SERVER: b""}

    def note(side: Side, taken: Taken) -> None:
        events.extend(taken.events)
        released[side] += taken.released

    fault = None
    for side, piece in ((side, piece) for side, step in steps for piece in cut(step)):
        try:
            note(side, tap.feed(side, piece))
        except StreamFaultError as error:
            note(side, error.taken)
            fault = error.fault
            break
    return Heard(merged(events), released[CLIENT], released[SERVER], fault)


def play_every_way(make: Callable[[], Tap], steps: Steps) -> Heard:
    """Play it whole, byte by byte, and cut once at every place; demand that nobody can tell the difference."""
    heard = play(make(), steps)
    assert play(make(), steps, bytewise) == heard
    for place in range(1, max((len(step) for _, step in steps), default=0)):
        assert play(make(), steps, cut_at(place)) == heard, place
    sent = {side: b"".join(step for sender, step in steps if sender is side) for side in Side}
    assert sent[CLIENT].startswith(heard.to_server)
    assert sent[SERVER].startswith(heard.to_client)
    return heard
