"""Fuzz targets: what upgraded connections carry. Each takes any bytes and says in a word what came of them.

A conversation's input is a run of steps: a byte of which the first bit is the sender (1: the client) and the others
the length, 127 meaning all that is left, then so many bytes.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import partial

from proxy.http1 import Malformed, head_end, parse_request_head, parse_response_head
from proxy.request_info import RequestInfo
from proxy.streams.handshake import (
    Carrier,
    Upgrade,
    UpgradeInvalidError,
    UpgradeRefusedError,
    chosen_protocol,
    client_switch,
    read_upgrade,
    upgrade_lines,
)
from proxy.target import RefusedTarget, Target, canonical, query_bool
from recordings.streams import frames, spdy_frames
from recordings.streams.events import Purpose, Side, StrayData, StreamData
from recordings.streams.fault import StreamFaultError
from recordings.streams.header_block import DICTIONARY, MAX_INFLATED_BYTES, MAX_PAIRS, HeaderReader
from recordings.streams.outcome import Ended, OutcomeReader
from recordings.streams.resize import MAX_SIZE_BYTES, ResizeReader, TerminalSize
from recordings.streams.tap import TUNNEL, Tap, reading_tap, spdy_tap, websocket_tap
from tests.recordings.streams.wire import bytewise, cut_at, play

MASK = b"\x01\x02\x03\x04"
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="


def spdy_framer(data: bytes) -> str:
    """Frames of one direction; what they are is the same however they come, and no byte is left out."""
    read, used, fault = _spdy_frames([data])
    assert _spdy_frames([data[at : at + 1] for at in range(len(data))]) == (read, used, fault)
    assert used <= len(data)
    return fault or f"{len(read)} frames"


def _spdy_frames(pieces: list[bytes]) -> tuple[list[object], int, str]:
    reader, read, used = spdy_frames.FrameReader(), [], 0
    payload = 0
    try:
        for piece in pieces:
            for frame, length in reader.feed(piece):
                used += length
                if isinstance(frame, spdy_frames.DataPiece):
                    payload += length
                    read = [*read[:-1], read[-1] + frame.data] if isinstance(read[-1], bytes) else [*read, frame.data]
                else:
                    read.append(frame)
    except StreamFaultError as error:
        return read, used, str(error.fault)
    return read, used, ""


def header_block(data: bytes) -> str:
    """Blocks of one connection: lengths of two bytes before each; the first byte says whether they are folded here."""
    fold = bool(data[:1]) and data[0] & 1
    deflater = zlib.compressobj(9, zlib.DEFLATED, 15, 9, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)
    reader, at, count = HeaderReader(), 1, 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 2])
        block = data[at + 2 : at + 2 + length]
        at += 2 + length
        if fold:
            block = deflater.compress(block) + deflater.flush(zlib.Z_SYNC_FLUSH)
        try:
            pairs = reader.read(block)
        except StreamFaultError as error:
            return str(error.fault)
        assert len(pairs) <= MAX_PAIRS
        assert sum(map(len, pairs)) + sum(map(len, pairs.values())) <= MAX_INFLATED_BYTES
        assert all(name == name.lower() and name.isascii() for name in pairs)
        count += 1
    return f"{count} blocks"


def websocket_frames(data: bytes) -> str:
    """Frames of one direction; the first byte says whether the client's."""
    masked, rest = bool(data[:1]) and bool(data[0] & 1), data[1:]
    read, used, fault = _websocket_frames([rest], masked)
    assert _websocket_frames([rest[at : at + 1] for at in range(len(rest))], masked) == (read, used, fault)
    assert rest.startswith(used)
    return fault or f"{len(read)} parts"


def _websocket_frames(pieces: list[bytes], masked: bool) -> tuple[list[object], bytes, str]:
    reader, read, used = frames.FrameReader(masked=masked), [], b""
    try:
        for piece in pieces:
            for part in reader.feed(piece):
                used += part.raw
                if isinstance(part, frames.Payload) and isinstance(read[-1], bytes):
                    read[-1] += part.data
                else:
                    read.append(part.data if isinstance(part, frames.Payload) else part)
    except StreamFaultError as error:
        return read, used, str(error.fault)
    return read, used, ""


def steps(data: bytes) -> list[tuple[Side, bytes]]:
    """A conversation."""
    found, at = [], 0
    while at < len(data):
        side, length = Side.CLIENT if data[at] & 0x80 else Side.SERVER, data[at] & 0x7F
        end = len(data) if length == 127 else at + 1 + length
        found.append((side, data[at + 1 : end]))
        at = end
    return [step for step in found if step[1]]


def conversation(make: Callable[[], Tap], data: bytes) -> str:
    """Whatever is said, what goes on is the beginning of what came, the same however it was cut; what was told of it
    is no more than that; and what we say at the end stands between frames.
    """
    said = steps(data)
    tap = make()
    heard = play(tap, said)
    assert play(make(), said, bytewise) == heard
    assert play(make(), said, cut_at(2, 5, 9, 17)) == heard
    gone = {Side.CLIENT: heard.to_server, Side.SERVER: heard.to_client}
    for side in Side:
        assert b"".join(piece for sender, piece in said if sender is side).startswith(gone[side])
        told = sum(len(e.data) for e in heard.events if isinstance(e, StreamData | StrayData) and e.side is side)
        assert told <= len(gone[side])
        _check_farewell(tap, side, gone[side])
    if heard.fault is None:
        return f"{len(heard.events)} events"
    try:
        tap.feed(Side.CLIENT, b"\0")
    except StreamFaultError as error:
        assert (error.fault, error.taken.events, error.taken.released) == (heard.fault, (), b"")
    else:
        raise AssertionError("it went on after a fault")
    return str(heard.fault)


def _check_farewell(tap: Tap, side: Side, gone: bytes) -> None:
    last = tap.farewell(side.other, mask=MASK)
    if not last:
        return
    if last[0] == 0x88:
        reader = frames.FrameReader(masked=side is Side.CLIENT)
        *_, close = reader.feed(gone + last)
        assert isinstance(close, frames.Control)
        assert close.opcode is frames.Opcode.CLOSE
    else:
        *_, (goaway, _) = spdy_frames.FrameReader().feed(gone + last)
        assert isinstance(goaway, spdy_frames.Goaway)


def channels(dialects: tuple[str, ...], data: bytes) -> str:
    """A conversation; the first byte chooses the dialect."""
    if not data:
        return "nothing"
    return conversation(partial(websocket_tap, dialects[data[0] % len(dialects)]), data[1:])


def handshake_answer(data: bytes) -> str:
    """What a server answers to an upgrade; the first byte chooses what was asked."""
    asked = (
        Upgrade(Carrier.WEBSOCKET, Purpose.EXEC, ("v5.channel.k8s.io", "v4.channel.k8s.io"), KEY),
        Upgrade(Carrier.SPDY, Purpose.EXEC, ("v4.channel.k8s.io",)),
        Upgrade(Carrier.WEBSOCKET, Purpose.PORT_FORWARD, (TUNNEL,), KEY),
        Upgrade(Carrier.WEBSOCKET, None, (), KEY),
    )[data[0] % 4 if data else 0]
    end = head_end(data[1:])
    if not end:
        return "no head"
    try:
        head = parse_response_head(data[1 : 1 + end], "GET")
        chosen = chosen_protocol(asked, head)
        tap = asked.tap(chosen)
    except (Malformed, UpgradeInvalidError) as error:
        return str(error)
    assert head.status == 101
    assert chosen in asked.offered or (not chosen and not asked.offered)
    assert (tap is None) is (asked.purpose is None)
    switch = client_switch(asked, chosen, b"0190-a")
    assert switch.count(b"\r\n\r\n") == 1
    assert switch.endswith(b"\r\n\r\n")
    return f"upgraded to {chosen}" if chosen else "upgraded"


def handshake_request(data: bytes) -> str:
    """What a client asks for; what we ask for it has nothing in it that it did not mean."""
    end = head_end(data)
    if not end:
        return "no head"
    try:
        head = parse_request_head(data[:end])
        target = canonical(head.target)
        verb, subresource = _effect(target)
        info = RequestInfo(True, target.path, verb, "api", "", "v1", "d", "pods", subresource, "p")
        upgrade = read_upgrade(head, info, target.query)
    except (Malformed, RefusedTarget, UpgradeRefusedError) as error:
        return str(error)
    lines = upgrade_lines(upgrade)
    again = parse_request_head(b"GET / HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n")
    names = {name for name, _ in again.fields.headers}
    assert names <= {
        b"host", b"connection", b"upgrade", b"sec-websocket-version", b"sec-websocket-key",
        b"sec-websocket-protocol", b"x-stream-protocol-version", b"origin",
    }  # fmt: skip
    assert b"bearer" not in lines.lower()
    assert upgrade.is_read or b"\r\nOrigin:" not in lines
    return f"{upgrade.carrier} for {'reading' if upgrade.is_read else upgrade.purpose}"


def _effect(target: Target) -> tuple[str, str]:
    """Verb and subresource, of a path that may be of anything."""
    parts = target.path.split("/")
    subresource = parts[7] if len(parts) > 7 else "exec"
    if query_bool(target.first("watch")):
        return "watch", ""
    return ("get" if subresource == "log" else "create"), subresource


def resizes(data: bytes) -> str:
    """Sizes of a terminal, cut anywhere."""
    whole, pieces = _resizes([data]), _resizes([data[at : at + 1] for at in range(len(data))])
    assert whole == pieces
    sizes, fault = whole
    assert all(0 <= one.width <= 0xFFFF and 0 <= one.height <= 0xFFFF for one in sizes)
    return fault or f"{len(sizes)} sizes"


def _resizes(pieces: list[bytes]) -> tuple[list[TerminalSize], str]:
    reader, sizes = ResizeReader(), []
    try:
        for piece in pieces:
            sizes += reader.feed(piece)
            assert len(reader._waiting) <= MAX_SIZE_BYTES
    except StreamFaultError as error:
        return [], str(error.fault)  # of one piece, those before the fault are not told
    return sizes, ""


def command_outcome(data: bytes) -> str:
    """How a command ended, as any server may tell it."""
    found = []
    for protocol in ("v5.channel.k8s.io", "channel.k8s.io"):
        reader = OutcomeReader(protocol)
        reader.feed(data[:3])
        reader.feed(data[3:])
        outcome = reader.outcome(ended=True)
        assert outcome.exit_code is None or (outcome.ended is Ended.EXITED and 0 <= outcome.exit_code <= 255)
        found.append(f"{outcome.ended} {outcome.exit_code}")
    return ", ".join(found)


TARGETS: dict[str, Callable[[bytes], str]] = {
    "spdy-framer": spdy_framer,
    "spdy-header-block": header_block,
    "spdy-exec": partial(conversation, partial(spdy_tap, Purpose.EXEC)),
    "spdy-port-forward": partial(conversation, partial(spdy_tap, Purpose.PORT_FORWARD)),
    "websocket-frames": websocket_frames,
    "channels": partial(channels, ("v5.channel.k8s.io", "v4.channel.k8s.io", "channel.k8s.io", "")),
    "channels-base64": partial(channels, ("v4.base64.channel.k8s.io", "base64.channel.k8s.io")),
    "channels-port-forward": partial(conversation, partial(websocket_tap, "v4.channel.k8s.io", (80, 443))),
    "tunnel": partial(conversation, partial(websocket_tap, TUNNEL)),
    "reading": partial(conversation, reading_tap),
    "handshake-answer": handshake_answer,
    "handshake-request": handshake_request,
    "resize": resizes,
    "command-outcome": command_outcome,
}
