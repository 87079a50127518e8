"""One direction of a WebSocket connection: frames, messages, Close; what messages mean is read by a `Content`. RFC
6455.

Left to others: the handshake (proxy), frames (frames.py), channels (channels.py), the SPDY of a tunnel (spdy.py).
Nothing that follows a Close is passed on (§5.5.1, §1.4: it is discarded).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from recordings.streams.events import Closing, Discarded, Event, Side
from recordings.streams.fault import Fault, StreamFaultError
from recordings.streams.frames import Control, FrameReader, Head, Opcode, Part, Payload, unmasked
from recordings.streams.held import Held

CLOSE_CODES = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)})
"""RFC 6455 §7.4 and the registry it founded: what may stand in a frame (1004 to 1006 and 1015 may not)."""

TOO_LARGE = frozenset({Fault.FRAME_TOO_LARGE, Fault.HELD_TOO_LONG, Fault.HEADER_LIMIT, Fault.STREAM_LIMIT})


class Content(Protocol):
    """What reads the messages of one direction; `understood` counts the payload bytes that may go on."""

    opcode: Opcode
    """What it is written as."""
    opcodes: frozenset[Opcode]
    """What its messages may come as."""
    fragments: bool
    understood: int

    @property
    def midway(self) -> bool:
        """Whether something has begun and not ended."""
        ...

    def take(self, data: bytes) -> None:
        """Read the next bytes of a message."""
        ...

    def end_of_message(self) -> None:
        """A message has ended."""
        ...


class WebSocketWire:
    """Reads what one side sends."""

    def __init__(self, side: Side, content: Content, emit: Callable[[Event], None]) -> None:
        self._side = side
        self._content = content
        self._emit = emit
        self._frames = FrameReader(masked=side is Side.CLIENT)
        self._held = Held()
        self._final = True
        self._closed = False
        self._inside = False
        """Whether some of a frame's payload has come and not all of it."""
        self._head = b""
        """That of a frame of which no payload has come."""

    @property
    def midway(self) -> bool:
        """Whether what has been read ends inside something, so that it is cut off if nothing follows."""
        return not self._closed and (self._frames.midway or self._content.midway or bool(self._held))

    def feed(self, data: bytes) -> None:
        """Read the next bytes. Raises StreamFaultError."""
        if self._closed:
            self._discard(len(data))
            return
        left = len(data) + self._frames.waiting
        for part in self._frames.feed(data):
            left -= len(part.raw)
            if self._take(part):
                self._closed = True
                self._discard(left)
                return

    def release(self) -> bytes:
        """Return the bytes that may go on."""
        return self._held.release(self._content.understood)

    def check(self) -> None:
        """Raise StreamFaultError when too many bytes wait; to be called after `release`."""
        self._held.check()

    def farewell(self, fault: Fault | None, mask: bytes) -> bytes:
        """Return a Close that ends this direction after what was released, or nothing where no frame can stand.

        Without a fault it is 1001, going away. `mask` is four unpredictable bytes for a frame in the client's name
        (§5.3).
        """
        is_between = self._held.begins_with_lead if self._held else not self._inside
        if self._closed or not is_between:
            return b""
        body = _close_code(fault).to_bytes(2) + (fault.value.encode() if fault else b"")
        if self._side is Side.SERVER:
            return bytes((0x88, len(body))) + body
        return bytes((0x88, 0x80 | len(body))) + mask + unmasked(body, mask)

    def _take(self, part: Part) -> bool:
        """Return whether the part is a Close."""
        if isinstance(part, Control):
            return self._obey(part)
        if isinstance(part, Head):
            self._begin(part)
        else:
            self._read(part)
        return False

    def _obey(self, control: Control) -> bool:
        closes = control.opcode is Opcode.CLOSE
        if closes:
            self._emit(_closing(self._side, control.data))
        self._held.framing(control.raw)
        return closes

    def _begin(self, head: Head) -> None:
        if head.opcode is not Opcode.CONTINUATION and head.opcode not in self._content.opcodes:
            spoken = " or ".join(sorted(opcode.name for opcode in self._content.opcodes))
            raise StreamFaultError(Fault.MESSAGE_TYPE, f"{head.opcode.name} where {spoken or 'nothing'} is spoken")
        if not (head.final or self._content.fragments):
            raise StreamFaultError(Fault.FRAGMENTATION, "the server would read each fragment as a message of its own")
        self._final = head.final
        if head.length:
            self._head = head.raw
            return
        self._end_of_frame()
        self._held.framing(head.raw)

    def _read(self, payload: Payload) -> None:
        self._held.payload(payload.raw, self._head)
        self._head, self._inside = b"", True
        self._content.take(payload.data)
        if payload.ends:
            self._inside = False
            self._end_of_frame()

    def _end_of_frame(self) -> None:
        if self._final:
            self._content.end_of_message()

    def _discard(self, count: int) -> None:
        if count:
            self._emit(Discarded(self._side, count))


def _closing(side: Side, body: bytes) -> Closing:
    """§5.5.1: nothing, or a code and a reason in UTF-8."""
    if not body:
        return Closing(side, None)
    code = int.from_bytes(body[:2])
    if len(body) == 1 or code not in CLOSE_CODES:
        raise StreamFaultError(Fault.CLOSE_PAYLOAD, f"{body[:2].hex()} is no code to close with")
    try:
        return Closing(side, code, body[2:].decode())
    except UnicodeDecodeError:
        raise StreamFaultError(Fault.CLOSE_PAYLOAD, "the reason is not UTF-8") from None


def _close_code(fault: Fault | None) -> int:
    """§7.4.1."""
    if fault is None:
        return 1001
    if fault is Fault.MESSAGE_TYPE:
        return 1003
    return 1009 if fault in TOO_LARGE else 1002
