"""Messages of a watch or a log over a WebSocket: the server tells, the client has nothing to say.

Their content is not read, as it is not over plain HTTP. That the client's side holds control frames alone is what
matters: nothing that a server behind the API server could take for a request passes there.
"""

from __future__ import annotations

from recordings.streams.events import Side
from recordings.streams.frames import Opcode


class Messages:
    """Implements `websocket.Content`: any message of the server, none of the client."""

    opcode = Opcode.TEXT
    fragments = True

    def __init__(self, side: Side) -> None:
        self.opcodes = frozenset((Opcode.TEXT, Opcode.BINARY)) if side is Side.SERVER else frozenset[Opcode]()
        self.understood = 0
        self._inside = False

    @property
    def midway(self) -> bool:
        """Whether a message has begun and not ended."""
        return self._inside

    def take(self, data: bytes) -> None:
        """Count the next bytes of a message."""
        self.understood += len(data)
        self._inside = True

    def end_of_message(self) -> None:
        self._inside = False
