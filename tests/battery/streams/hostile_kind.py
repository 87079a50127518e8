"""What hostile streams are made of: protocols, places, who writes their good beginnings, and a kind of attack."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from recordings.streams.events import Side
from recordings.streams.fault import Fault
from tests.recordings.streams.wire import CLIENT, MASK, SERVER, Blocks, data, frame, ping

Steps = list[tuple[Side, bytes]]


class Protocol(StrEnum):
    V5 = "v5.channel.k8s.io"
    V4 = "v4.channel.k8s.io"
    V1 = "channel.k8s.io"
    BASE64 = "v4.base64.channel.k8s.io"
    FORWARD = "v4.channel.k8s.io for ports"
    TUNNEL = "SPDY/3.1+portforward.k8s.io"
    SPDY_EXEC = "SPDY exec"
    SPDY_FORWARD = "SPDY port-forward"


class Position(StrEnum):
    FIRST = "first"
    OPENED = "opened"
    BEHIND = "in one write behind a good one"
    BYTEWISE = "byte by byte"
    LATER = "after twenty rounds"
    ENDED = "after one stream was ended"


EXEC = (Protocol.V5, Protocol.V4, Protocol.V1, Protocol.BASE64)
WEBSOCKET = (*EXEC, Protocol.FORWARD, Protocol.TUNNEL)
SPDY = (Protocol.TUNNEL, Protocol.SPDY_EXEC, Protocol.SPDY_FORWARD)


@dataclass
class Speaker:
    """Writes a protocol's good beginnings, and keeps the compression of both sides."""

    protocol: Protocol
    blocks: dict[Side, Blocks] = field(default_factory=lambda: {side: Blocks() for side in Side})
    opened: int = 0
    """The highest stream."""

    @property
    def opcode(self) -> int:
        """Of messages."""
        return 1 if self.protocol is Protocol.BASE64 else 2

    def message(self, side: Side, channel: int, payload: bytes) -> bytes:
        """A good message of a WebSocket protocol with channels."""
        mask = MASK if side is CLIENT else None
        if self.protocol is Protocol.BASE64:
            return frame(1, b"%d" % channel + b64encode(payload), mask=mask)
        return frame(2, bytes((channel,)) + payload, mask=mask)

    def wrapped(self, side: Side, raw: bytes) -> bytes:
        """SPDY bytes as they travel."""
        if self.protocol is Protocol.TUNNEL:
            return frame(2, raw, mask=MASK if side is CLIENT else None)
        return raw

    def opening(self) -> Steps:
        """Everything is open, and each side has said something."""
        if self.protocol in EXEC:
            return [(SERVER, self.message(SERVER, 1, b"$ ")), (CLIENT, self.message(CLIENT, 0, b"ls\n"))]
        if self.protocol is Protocol.FORWARD:
            ports = [(SERVER, self.message(SERVER, at, (80).to_bytes(2, "little"))) for at in (0, 1)]
            return [*ports, (CLIENT, self.message(CLIENT, 0, b"GET"))]
        return [*self._spdy_opening(), *self.round()]

    def _spdy_opening(self) -> Steps:
        steps: Steps = []
        exec_names = ("error", "stdin", "stdout", "resize")
        names = exec_names if self.protocol is Protocol.SPDY_EXEC else ("error", "data")
        for number, name in enumerate(names):
            stream = 2 * number + 1
            more = {} if self.protocol is Protocol.SPDY_EXEC else {"port": "80", "requestid": "0"}
            opening = self.blocks[CLIENT].syn(stream, streamtype=name, **more)
            steps += [(CLIENT, self.wrapped(CLIENT, opening))]
            steps += [(SERVER, self.wrapped(SERVER, self.blocks[SERVER].reply(stream)))]
            self.opened = stream
        return steps

    def round(self) -> Steps:
        """Both sides say something more."""
        if self.protocol in EXEC:
            return [(CLIENT, self.message(CLIENT, 0, b"x")), (SERVER, self.message(SERVER, 1, b"y"))]
        if self.protocol is Protocol.FORWARD:
            return [(CLIENT, self.message(CLIENT, 0, b"x")), (SERVER, self.message(SERVER, 0, b"y"))]
        down = 5 if self.protocol is Protocol.SPDY_EXEC else 3
        return [
            (CLIENT, self.wrapped(CLIENT, data(3, b"x"))),
            (SERVER, self.wrapped(SERVER, data(down, b"y"))),
            (CLIENT, self.wrapped(CLIENT, ping(1))),
        ]

    def ending(self) -> Steps:
        """The client has ended a stream that no kind uses."""
        if self.protocol is Protocol.V5:
            return [(CLIENT, frame(2, b"\xff\x03", mask=MASK))]
        if self.protocol in SPDY:
            return [(CLIENT, self.wrapped(CLIENT, data(1, fin=True)))]
        return [(CLIENT, frame(9, b"?", mask=MASK)), (SERVER, frame(10, b"?"))]

    def before(self, position: Position) -> Steps:
        """What was said until then."""
        if position is Position.FIRST:
            return []
        steps = self.opening()
        if position is Position.LATER:
            for _ in range(20):
                steps += self.round()
        elif position is Position.ENDED:
            steps += self.ending()
        return steps

    def good(self, side: Side) -> bytes:
        """A last good piece of this side."""
        return b"".join(piece for sender, piece in self.round() if sender is side)


Make = Callable[[Speaker, Side], bytes]


@dataclass(frozen=True)
class Kind:
    """`most`: of its bytes may go on, none by default; `whole`: it can go on in full, its sense being the fault.
    `is_late`: what it carries is looked at behind the decoder, so it goes on as far as it came in earlier pieces.
    """

    name: str
    sides: tuple[Side, ...]
    protocols: tuple[Protocol, ...]
    fault: Fault
    make: Make
    most: int = 0
    whole: bool = False
    is_late: bool = False
    is_inside: bool = False
    """It needs open streams."""
    opens: int = 0
    """The stream that it opens itself."""


BOTH = (CLIENT, SERVER)
C, S = (CLIENT,), (SERVER,)


def mask(side: Side) -> bytes | None:
    return MASK if side is CLIENT else None


def sends(opcode: int, payload: bytes = b"", **more: Any) -> Make:
    """A WebSocket frame as this side must mask it."""
    return lambda _, side: frame(opcode, payload, mask=mask(side), **more)


def carried(raw: bytes) -> Make:
    """SPDY bytes."""
    return lambda speaker, side: speaker.wrapped(side, raw)
