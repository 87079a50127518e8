"""Kinds of attack on WebSocket frames, on the channels inside, and on what these carry. Security: S5, S6, E3."""

from __future__ import annotations

from collections.abc import Iterator

from recordings.streams.events import Side
from recordings.streams.fault import Fault
from tests.battery.streams.hostile_kind import BOTH, EXEC, WEBSOCKET, C, Kind, Make, Protocol, S, mask, sends
from tests.recordings.streams.wire import CLIENT, MASK, SERVER, data, frame


def frame_kinds() -> Iterator[Kind]:
    """Frames, RFC 6455 section 5."""

    def kind(name: str, fault: Fault, make: Make, sides: tuple[Side, ...] = BOTH) -> Kind:
        return Kind(name, sides, WEBSOCKET, fault, make)

    for bits in range(1, 8):
        yield kind(
            f"reserved bits {bits}",
            Fault.RESERVED_BITS,
            lambda speaker, side, bits=bits: frame(speaker.opcode, b"\0a", mask=mask(side), reserved=bits),
        )
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        yield kind(f"opcode {opcode}", Fault.OPCODE, sends(opcode, b""))
    yield kind("unmasked", Fault.MASKING, lambda speaker, _: frame(speaker.opcode, b"\0a"), C)
    yield kind("masked", Fault.MASKING, lambda speaker, _: frame(speaker.opcode, b"\1a", mask=MASK), S)
    yield kind(
        "a ping masked as it must not be",
        Fault.MASKING,
        lambda _, side: frame(9, mask=MASK if side is SERVER else None),
    )
    for size, length, fault in (
        (2, 5, Fault.LENGTH_FORM),
        (8, 5, Fault.LENGTH_FORM),
        (8, 0xFFFF, Fault.LENGTH_FORM),
        (8, 33 << 20, Fault.FRAME_TOO_LARGE),
        (8, 1 << 32, Fault.FRAME_TOO_LARGE),
        (8, (1 << 63) - 1, Fault.FRAME_TOO_LARGE),
        (8, (1 << 64) - 1, Fault.FRAME_TOO_LARGE),
    ):
        yield kind(
            f"a length of {length} in {size} bytes",
            fault,
            lambda speaker, side, size=size, length=length: (
                bytes((0x80 | speaker.opcode, (0x80 if side is CLIENT else 0) | (126 if size == 2 else 127)))
                + length.to_bytes(size)
                + (mask(side) or b"")
            ),
        )
    for opcode, called in ((8, "Close"), (9, "ping"), (10, "pong")):
        yield kind(f"a {called} of 126 bytes", Fault.CONTROL_FRAME, sends(opcode, bytes(126)))
        yield kind(f"a {called} in fragments", Fault.CONTROL_FRAME, sends(opcode, b"", final=False))
    for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535):
        yield kind(f"a Close of code {code}", Fault.CLOSE_PAYLOAD, sends(8, code.to_bytes(2)))
    yield kind("a Close of one byte", Fault.CLOSE_PAYLOAD, sends(8, b"\3"))
    yield kind("a Close whose reason is no UTF-8", Fault.CLOSE_PAYLOAD, sends(8, b"\x03\xe8\xc3\x28"))
    yield kind("a Close with a surrogate in it", Fault.CLOSE_PAYLOAD, sends(8, b"\x03\xe8\xed\xa0\x80"))
    yield kind("a continuation of nothing", Fault.FRAGMENTATION, sends(0, b"\0a"))
    other_type: Make = lambda speaker, side: frame(3 - speaker.opcode, b"\0a", mask=mask(side))  # noqa: E731 - as the others
    yield kind("the other type of message", Fault.MESSAGE_TYPE, other_type, S)
    yield Kind("the other type of message", C, (Protocol.TUNNEL,), Fault.MESSAGE_TYPE, other_type)
    yield Kind(
        "a fragment of the client",
        C,
        tuple(one for one in WEBSOCKET if one is not Protocol.TUNNEL),
        Fault.FRAGMENTATION,
        lambda speaker, _: frame(speaker.opcode, b"\0a", final=False, mask=MASK),
    )


def base64(text: bytes) -> Make:
    """A message on a channel that this side may use."""
    return lambda _, side: frame(1, (b"0" if side is CLIENT else b"1") + text, mask=mask(side))


def channel_kinds() -> Iterator[Kind]:
    """Forged and unknown channels, the close signal of v5, base64 that is not."""
    plain = (Protocol.V5, Protocol.V4, Protocol.V1)
    for side, numbers in ((CLIENT, (1, 2, 3, 5, 48, 127, 254)), (SERVER, (0, 4, 5, 48, 127, 254, 255))):
        for number in numbers:
            yield Kind(f"channel {number}", (side,), plain, Fault.CHANNEL, sends(2, bytes((number, 97))))
    yield Kind("a close signal that is not spoken", C, (Protocol.V4, Protocol.V1), Fault.CHANNEL, sends(2, b"\xff\x00"))
    for number in (1, 3, 4, 5, 64, 255):
        yield Kind(
            f"channel {number} of a port-forward", C, (Protocol.FORWARD,), Fault.CHANNEL, sends(2, bytes((number, 97)))
        )
    for number in (4, 5, 255):
        yield Kind(
            f"channel {number} of a port-forward", S, (Protocol.FORWARD,), Fault.CHANNEL, sends(2, bytes((number, 97)))
        )
    for byte in (b"\0", b"5", b"a", b"\xff", b"/", b":"):
        yield Kind(f"channel {byte!r} in base64", BOTH, (Protocol.BASE64,), Fault.CHANNEL, sends(1, byte + b"YQ=="))
    yield Kind(
        "a close signal of no channel", C, (Protocol.V5,), Fault.CLOSE_SIGNAL, sends(2, b"\xff"), most=7, whole=True
    )
    yield Kind("a close signal of channel 5", C, (Protocol.V5,), Fault.CLOSE_SIGNAL, sends(2, b"\xff\x05"), most=7)
    yield Kind("a close signal of channel 255", C, (Protocol.V5,), Fault.CLOSE_SIGNAL, sends(2, b"\xff\xff"), most=7)
    yield Kind(
        "a close signal of two channels", C, (Protocol.V5,), Fault.CLOSE_SIGNAL, sends(2, b"\xff\x00\x04"), most=8
    )
    texts = {
        "a character that is none": b"YW!h",
        "a blank": b"YW h",
        "a line feed": b"YWJj\nYWJj",
        "letters for URLs": b"-_-_",
        "padding first": b"=YWJ",
        "three of padding": b"Y===",
        "bits that mean nothing": b"YR==",
        "a NUL": b"\0\0\0\0",
        "more behind the padding": b"YQ==YWJj",
        "padding and more of it": b"YQ====",
        "bytes over 0x7F": b"\xff\xfe\xfd\xfc",
    }
    for name, text in texts.items():
        yield Kind(
            f"base64 with {name}",
            BOTH,
            (Protocol.BASE64,),
            Fault.BASE64,
            base64(text),
            most=12,
        )
    for length in (1, 2, 3, 5):
        yield Kind(
            f"base64 of {length} digits",
            BOTH,
            (Protocol.BASE64,),
            Fault.BASE64,
            base64(b"Y" * length),
            most=12,
        )


def resize_kinds() -> Iterator[Kind]:
    """Sizes of a terminal that are none."""
    bad = {
        "no JSON": b"nonsense",
        "a list": b"[80,24]",
        "a number": b"80 ",
        "negative": b'{"Width":-1,"Height":24}',
        "too wide": b'{"Width":65536,"Height":24}',
        "a fraction": b'{"Width":1.5,"Height":24}',
        "a text": b'{"Width":"80","Height":24}',
        "true": b'{"Width":true,"Height":24}',
        "null": b'{"Width":null,"Height":2}',
        "no height": b'{"Width":80}',
        "more": b'{"Width":80,"Height":24,"Depth":1}',
        "lower case": b'{"width":80,"height":24}',
        "twice": b'{"Width":80,"Width":81,"Height":24}',
        "nested": b'{"Width":{"a":1},"Height":24}',
        "empty": b"{}",
        "no UTF-8": b'{"Width":80,"Height":\xff}',
        "a number of 200 digits": b'{"Width":' + b"9" * 200 + b',"Height":1}',
        "endless": b"{" + b"a" * 300,
        "NaN": b'{"Width":NaN,"Height":24}',
        "an escape": b'{"Width":80,"Height":\x1b[2J}',
        "a flood and then nonsense": b'{"Width":80,"Height":24}' * 200 + b"]",
    }
    for name, text in bad.items():
        yield Kind(
            f"a size with {name}",
            C,
            EXEC,
            Fault.RESIZE,
            lambda speaker, side, text=text: speaker.message(side, 4, text),
            is_late=True,
        )
        yield Kind(
            f"a size with {name}",
            C,
            (Protocol.SPDY_EXEC,),
            Fault.RESIZE,
            lambda _, side, text=text: data(7, text),
            is_late=True,
            is_inside=True,
        )
