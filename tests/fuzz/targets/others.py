"""Fuzz targets: our readers beside those of others, where these are installed (`requirements.lock`)."""

from __future__ import annotations

from collections.abc import Callable

from recordings.streams.fault import StreamFaultError
from recordings.streams.frames import Control, FrameReader, Head, Payload

Read = list[tuple[int, bool, bytes]]
"""(opcode, whether final, payload) of whole frames."""


def ours(data: bytes, *, masked: bool) -> tuple[Read, bool]:
    """(frames up to a Close, whether all was understood)."""
    read: Read = []
    head, payload = None, b""
    try:
        for part in FrameReader(masked=masked).feed(data):
            match part:
                case Control():
                    read.append((part.opcode, True, part.data))
                    if part.opcode == 8:
                        return read, True
                case Head():
                    head, payload = part, b""
                case Payload():
                    payload += part.data
            if head is not None and len(payload) == head.length:
                read.append((head.opcode, head.final, payload))
                head = None
    except StreamFaultError:
        return read, False
    return read, True


def against_websockets(data: bytes) -> str:
    """websockets reads every frame that we read; the first byte says whether the client's."""
    from websockets.exceptions import ProtocolError
    from websockets.frames import Frame
    from websockets.streams import StreamReader

    masked, rest = bool(data[:1]) and bool(data[0] & 1), data[1:]
    read, _ = ours(rest, masked=masked)
    stream = StreamReader()
    stream.feed_data(rest)
    stream.feed_eof()
    theirs: Read = []
    while len(theirs) < len(read):
        reading = Frame.parse(stream.read_exact, mask=masked, max_size=None)
        try:
            next(reading)
        except StopIteration as done:
            theirs.append((done.value.opcode, done.value.fin, bytes(done.value.data)))
        except (ProtocolError, EOFError) as error:
            raise AssertionError(f"only we read frame {len(theirs) + 1}") from error
    assert theirs == read
    return f"{len(read)} frames"


def against_wsproto(data: bytes) -> str:
    """wsproto reads every frame that we read; the first byte says whether the client's."""
    from wsproto.frame_protocol import FrameProtocol, Opcode, ParseFailed

    masked, rest = bool(data[:1]) and bool(data[0] & 1), data[1:]
    read, _ = ours(rest, masked=masked)
    if any(opcode == 1 or (opcode == 8 and payload) for opcode, _, payload in read):
        return "not compared"  # it reads text and codes of a Close, which we do elsewhere
    reader = FrameProtocol(client=not masked, extensions=[])
    reader.receive_bytes(rest)
    theirs: Read = []
    payload, opcode = b"", 0
    try:
        for frame in reader.received_frames():
            if len(theirs) >= len(read):
                break
            if frame.opcode in {Opcode.CLOSE, Opcode.PING, Opcode.PONG}:
                theirs.append((int(frame.opcode), True, b"" if frame.opcode is Opcode.CLOSE else bytes(frame.payload)))
                continue
            if isinstance(frame.payload, str):
                return "not compared"
            payload += bytes(frame.payload)
            if frame.frame_finished:
                theirs.append((int(frame.opcode), frame.message_finished, payload))
                payload = b""
    except ParseFailed:
        assert len(theirs) >= len(read), (theirs, read)
    message = 0
    for at, (opcode, final, body) in enumerate(read):
        message = opcode if opcode in {1, 2} else message
        shown = message if opcode == 0 else opcode  # it gives a continuation the opcode of its message
        assert theirs[at] == (shown, final, body)
    return f"{len(read)} frames"


TARGETS: dict[str, Callable[[bytes], str]] = {
    "websockets": against_websockets,
    "wsproto": against_wsproto,
}
