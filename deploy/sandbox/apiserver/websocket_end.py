"""A server's end of a WebSocket: the client's messages in, messages out; pings are answered, a Close too. RFC 6455."""

from __future__ import annotations

from collections.abc import Callable

from recordings.streams.events import Closing, Event, Side
from recordings.streams.fault import Fault, StreamFaultError
from recordings.streams.frames import Control, FrameReader, Head, Opcode
from recordings.streams.websocket import Content

NORMAL = 1000
"""§7.4.1."""
MAX_PIECE = 32 * 1024
"""Bytes of a message: what Kubernetes copies at a time."""


class WebSocketEnd:
    """`content` reads the payloads and emits events into the list that it shares with this."""

    def __init__(self, content: Content, events: list[Event], send: Callable[[bytes], None]) -> None:
        self._content, self._events, self._send = content, events, send
        self._frames = FrameReader(masked=True)
        self._closed = False

    def receive(self, data: bytes) -> list[Event]:
        """What happened; what follows a Close does not count. Raises StreamFaultError."""
        for part in self._frames.feed(data) if not self._closed else ():
            if isinstance(part, Control):
                self._control(part)
                if part.opcode is Opcode.CLOSE:
                    break
            elif isinstance(part, Head):
                if part.opcode is not Opcode.CONTINUATION and part.opcode not in self._content.opcodes:
                    raise StreamFaultError(Fault.MESSAGE_TYPE, part.opcode.name)
                if not part.length:
                    self._content.end_of_message()
            else:
                self._content.take(part.data)
                if part.ends:
                    self._content.end_of_message()
        happened = list(self._events)
        self._events.clear()
        return happened

    def message(self, payload: bytes) -> None:
        """Send one message of the content's type."""
        self._frame(self._content.opcode, payload)

    def close(self) -> None:
        """Once."""
        if not self._closed:
            self._closed = True
            self._frame(Opcode.CLOSE, NORMAL.to_bytes(2))

    def _control(self, control: Control) -> None:
        if control.opcode is Opcode.PING:
            self._frame(Opcode.PONG, control.data)
        elif control.opcode is Opcode.CLOSE:
            self._events.append(Closing(Side.CLIENT, int.from_bytes(control.data[:2]) or None))
            self.close()

    def _frame(self, opcode: Opcode, payload: bytes) -> None:
        """§5.2; a server does not mask."""
        count = len(payload)
        if count < 126:
            length = bytes((count,))
        elif count < 1 << 16:
            length = bytes((126,)) + count.to_bytes(2)
        else:
            length = bytes((127,)) + count.to_bytes(8)
        self._send(bytes((0x80 | opcode,)) + length + payload)
