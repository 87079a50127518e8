"""Kinds of attack on SPDY frames, on their header blocks, and on streams. Security: S1 to S4."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from recordings.streams.events import Side
from recordings.streams.fault import Fault
from tests.battery.streams.hostile_kind import BOTH, SPDY, C, Kind, Make, Protocol, S, carried
from tests.recordings.streams.wire import CLIENT, control, data, goaway, pairs, ping, reset


def frame_kinds() -> Iterator[Kind]:
    """Frames, SPDY/3 section 2.6."""

    def kind(name: str, fault: Fault, raw: bytes, *, is_inside: bool = False, sides: tuple[Side, ...] = BOTH) -> Kind:
        return Kind(name, sides, SPDY, fault, carried(raw), is_inside=is_inside)

    for version in (0, 1, 2, 4, 0x7FFF):
        yield kind(f"version {version}", Fault.VERSION, control(6, (1).to_bytes(4), version=version))
    for number in (0, 5, 10, 11, 0x7FFF, 0xFFFF):
        yield kind(f"type {number}", Fault.FRAME_TYPE, control(number, b""))
    for number, flags in ((3, 1), (4, 2), (4, 0x80), (6, 1), (7, 1), (9, 1), (2, 2), (2, 0xFF), (8, 2)):
        yield kind(f"flags {flags} of type {number}", Fault.FLAGS, control(number, bytes(8), flags=flags))
    for flags in (2, 4, 0x80, 0xFF):
        yield kind(f"flags {flags} of data", Fault.FLAGS, (3).to_bytes(4) + bytes((flags, 0, 0, 0)))
    for length in (0x10001, 1 << 20, (1 << 24) - 1):
        for number in (1, 2, 4, 8):
            yield kind(
                f"type {number} of {length} bytes",
                Fault.FRAME_TOO_LARGE,
                b"\x80\3" + number.to_bytes(2) + b"\0" + length.to_bytes(3),
            )
    yield kind("data for stream 0", Fault.STREAM_ID, data(0, b"x"))
    for stream in (2, 99, 0x7FFFFFFF):
        yield kind(f"data for stream {stream}", Fault.STREAM_ID, data(stream, b"x"))
        yield kind(f"a reset of stream {stream}", Fault.STREAM_ID, reset(stream))
        yield kind(f"a window update of stream {stream}", Fault.STREAM_ID, control(9, stream.to_bytes(4) + b"\0\0\0\1"))
    for count in (1, 2, 1 << 10, 1 << 16, (1 << 24) - 1, 1 << 31, (1 << 32) - 1):
        yield kind(f"{count} settings in none", Fault.FRAME_LENGTH, control(4, count.to_bytes(4)))
    yield kind("settings of no length", Fault.FRAME_LENGTH, control(4, b"\0\0\0\1"))
    for size in (0, 3, 5, 64):
        yield kind(f"a ping of {size} bytes", Fault.FRAME_LENGTH, control(6, b"\1" * size))
    yield kind("ping 0", Fault.FRAME_LENGTH, ping(0))
    for size in (0, 4, 7, 9):
        yield kind(f"a GOAWAY of {size} bytes", Fault.FRAME_LENGTH, control(7, bytes(size)))
        yield kind(f"a reset of {size} bytes", Fault.FRAME_LENGTH, control(3, b"\0\0\0\1\0\0\0\1\0"[:size]))
        yield kind(f"a window update of {size} bytes", Fault.FRAME_LENGTH, control(9, bytes(size)))
    yield kind("a GOAWAY with the first bit", Fault.FRAME_LENGTH, control(7, b"\x80" + bytes(7)))
    for status in (3, 1 << 31, (1 << 32) - 1):
        yield kind(f"a GOAWAY of status {status}", Fault.STATUS, goaway(0, status))
    for status in (0, 12, (1 << 32) - 1):
        yield kind(f"a reset of status {status}", Fault.STATUS, reset(1, status))
    yield kind("a reset of stream 0", Fault.STREAM_ID, reset(0))
    for delta in (0, 1 << 31, (1 << 32) - 1):
        yield kind(f"a window update by {delta}", Fault.FRAME_LENGTH, control(9, bytes(4) + delta.to_bytes(4)))


def header_kinds() -> Iterator[Kind]:
    """Header blocks, SPDY/3 section 2.6.10: of an opening by the client, of an answer by the server."""

    def syn(side: Side, block: bytes) -> bytes:
        return control(1, (9).to_bytes(4) + bytes(6) + block) if side is CLIENT else control(2, (1).to_bytes(4) + block)

    def folded(name: str, fault: Fault, block: bytes) -> Kind:
        return Kind(
            name,
            BOTH,
            SPDY,
            fault,
            lambda speaker, side: speaker.wrapped(side, syn(side, speaker.blocks[side].raw(block))),
        )

    def unfolded(name: str, fault: Fault, block: bytes) -> Kind:
        return Kind(name, BOTH, SPDY, fault, lambda speaker, side: speaker.wrapped(side, syn(side, block)))

    flush = b"\0\0\xff\xff"
    yield unfolded("an empty block", Fault.COMPRESSION, b"")
    yield unfolded("a block without its flush", Fault.COMPRESSION, b"\x78\xf9\xe3\xc6\xa7\xc2")
    yield unfolded("a block of noise", Fault.COMPRESSION, b"\xde\xad\xbe\xef" * 8 + flush)
    other = zlib.compressobj(zdict=b"another dictionary")
    foreign = other.compress(pairs([])) + other.flush(zlib.Z_SYNC_FLUSH)
    yield Kind(
        "another dictionary",
        BOTH,
        SPDY,
        Fault.COMPRESSION,
        lambda speaker, side: speaker.wrapped(side, syn(side, foreign)),
    )
    for size in (1 << 16, 1 << 18, 8 << 20):
        yield folded(f"a bomb of {size} zeros", Fault.HEADER_LIMIT, b"\0\0\0\1" + bytes(size))
    for count in (101, 1 << 10, 1 << 16, (1 << 24) - 1, 1 << 31, (1 << 32) - 1):
        yield folded(f"{count} pairs", Fault.HEADER_LIMIT, count.to_bytes(4))
    for length in (1 << 10, 1 << 16, (1 << 24) - 1, 1 << 31, (1 << 32) - 1):
        yield folded(f"a name of {length} bytes that are not there", Fault.HEADERS, b"\0\0\0\1" + length.to_bytes(4))
        yield folded(
            f"a value of {length} bytes that are not there", Fault.HEADERS, b"\0\0\0\1\0\0\0\1a" + length.to_bytes(4)
        )
    yield folded("bytes behind the pairs", Fault.HEADERS, pairs([("a", "b")]) + b"!")
    yield folded("a name twice", Fault.HEADERS, pairs([("streamtype", "stdout"), ("streamtype", "stdin")]))
    for name in (
        "",
        "A",
        "streamType",
        "a b",
        "a:b",
        "a\0b",
        "a\r\nb",
        b"\xc3\x28",
        "host",
        "connection",
        "keep-alive",
    ):
        yield folded(f"the name {name!r}", Fault.HEADERS, pairs([(name, "x")]))


def stream_kinds() -> Iterator[Kind]:
    """Streams that there cannot be, and what happens to those that there are."""

    def syn(stream: int, *, fin: bool = False, **headers: str) -> Make:
        return lambda speaker, side: speaker.wrapped(side, speaker.blocks[side].syn(stream, fin=fin, **headers))

    def reply(stream: int) -> Make:
        return lambda speaker, side: speaker.wrapped(side, speaker.blocks[side].reply(stream))

    exec_only, forwards = (Protocol.SPDY_EXEC,), (Protocol.TUNNEL, Protocol.SPDY_FORWARD)
    for stream in (2, 100, 0x7FFFFFFE):
        yield Kind(f"a stream {stream}", C, SPDY, Fault.STREAM_ID, syn(stream, streamtype="error"))
    yield Kind("a stream 0", C, SPDY, Fault.STREAM_ID, syn(0, streamtype="error"))
    for stream in (1, 3):
        yield Kind(f"stream {stream} again", C, SPDY, Fault.STREAM_ID, syn(stream, streamtype="error"), is_inside=True)
        yield Kind(f"stream {stream} accepted again", S, SPDY, Fault.STREAM_STATE, reply(stream), is_inside=True)
        yield Kind(
            f"stream {stream} accepted by the client", C, SPDY, Fault.STREAM_STATE, reply(stream), is_inside=True
        )
        yield Kind(
            f"more headers of stream {stream}",
            BOTH,
            SPDY,
            Fault.FRAME_TYPE,
            lambda speaker, side, stream=stream: speaker.wrapped(side, speaker.blocks[side].more(stream, a="b")),
            is_inside=True,
        )
    for stream in (2, 11):
        yield Kind(f"stream {stream} opened by the server", S, SPDY, Fault.STREAM_ID, syn(stream, streamtype="stdout"))
    yield Kind("an answer for a stream that never was", S, SPDY, Fault.STREAM_ID, reply(77))
    for body in (b"\0\0\0\x09\0\0\0\1\0\0", b"\0\0\0\x09\0\0\0\0\0\1"):
        yield Kind(
            f"an opening with {body.hex()}",
            C,
            SPDY,
            Fault.HEADERS,
            lambda speaker, side, body=body: speaker.wrapped(
                side, control(1, body + speaker.blocks[side].raw(pairs([("streamtype", "stderr")])))
            ),
        )
    for role in ("", "Stdin", "stdin\0stdout", "stdin ", "root", "data", "\u00e9"):
        yield Kind(f"a stream for {role!r}", C, exec_only, Fault.ROLE, syn(9, streamtype=role))
    yield Kind("a stream for nothing", C, SPDY, Fault.ROLE, syn(9))
    for role in ("stdin", "stdout", "Error", "error\0data"):
        yield Kind(f"a stream for {role!r}", C, forwards, Fault.ROLE, syn(9, streamtype=role, port="80", requestid="7"))
    for role in ("stdin", "stdout", "error", "resize"):
        yield Kind(f"a second stream for {role}", C, exec_only, Fault.ROLE, syn(9, streamtype=role), is_inside=True)
    for role in ("error", "data"):
        yield Kind(
            f"a second {role} stream for a request",
            C,
            forwards,
            Fault.ROLE,
            syn(9, streamtype=role, port="80", requestid="0"),
            is_inside=True,
        )
    for port in ("", "0", "65536", "-1", "80 ", "0x50", "080", "\u0668\u0660", "80\x0081"):
        yield Kind(f"port {port!r}", C, forwards, Fault.PORT, syn(9, streamtype="error", port=port, requestid="7"))
    for request in ("", "-1", "a", "1" * 21, "0\x001", "../1"):
        yield Kind(
            f"request {request!r}", C, forwards, Fault.PORT, syn(9, streamtype="error", port="80", requestid=request)
        )
    yield Kind(
        "data before the answer",
        C,
        exec_only,
        Fault.STREAM_STATE,
        lambda speaker, side: speaker.blocks[side].syn(9, streamtype="stderr") + data(9, b"x"),
        most=100,
        opens=9,
    )
    for stream, name in ((1, "error"), (5, "stdout")):
        yield Kind(
            f"data of the client on {name}", C, exec_only, Fault.ROLE, carried(data(stream, b"forged")), is_inside=True
        )
    for stream, name in ((3, "stdin"), (7, "resize")):
        yield Kind(
            f"data of the server on {name}", S, exec_only, Fault.ROLE, carried(data(stream, b"forged")), is_inside=True
        )
    yield Kind(
        "data of the client on an error stream", C, forwards, Fault.ROLE, carried(data(1, b"forged")), is_inside=True
    )
    yield Kind(
        "data behind an end",
        C,
        exec_only,
        Fault.STREAM_STATE,
        carried(data(3, fin=True) + data(3, b"more")),
        most=8,
        is_inside=True,
    )
    yield Kind(
        "data behind an end",
        S,
        exec_only,
        Fault.STREAM_STATE,
        carried(data(5, fin=True) + data(5, b"more")),
        most=8,
        is_inside=True,
    )
    yield Kind(
        "an opening behind a GOAWAY, of an id that was",
        C,
        exec_only,
        Fault.STREAM_ID,
        lambda speaker, side: goaway(0) + speaker.blocks[side].syn(1, streamtype="error"),
        most=16,
        is_inside=True,
    )
