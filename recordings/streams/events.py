"""What happens in an upgraded connection, whichever protocol carries it.

A `stream` is the protocol's own number: a SPDY stream id, or a channel of the WebSocket protocols. What a client can
forge: everything that comes from `Side.CLIENT`; a role says what the client called the stream, not what it holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Side(StrEnum):
    """Who sent it."""

    CLIENT = "client"
    SERVER = "server"

    @property
    def other(self) -> Side:
        return Side.SERVER if self is Side.CLIENT else Side.CLIENT


class Purpose(StrEnum):
    """What the connection was opened for; it decides which streams there may be."""

    EXEC = "exec"
    """exec and attach"""
    PORT_FORWARD = "port-forward"


class Role(StrEnum):
    """What a stream is for: the values of Kubernetes' header `streamType`."""

    ERROR = "error"
    STDIN = "stdin"
    STDOUT = "stdout"
    STDERR = "stderr"
    RESIZE = "resize"
    DATA = "data"


class Ending(StrEnum):
    """How one side ended its half of a stream, or all of it."""

    FINISHED = "finished"
    """Nothing more from this side: SPDY's FIN, or the close signal of v5."""
    RESET = "reset"
    """The stream is over for both sides; what is still on its way is dropped."""


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """The client opened a stream. `port` and `request` only in a port-forward: the two streams of a connection share
    both.
    """

    stream: int
    role: Role
    port: int | None = None
    request: str | None = None


@dataclass(frozen=True, slots=True)
class StreamData:
    """Bytes of a stream, cut anywhere. See `Tap.cut_off` about those of a frame that never ends."""

    side: Side
    stream: int
    role: Role
    data: bytes


@dataclass(frozen=True, slots=True)
class StreamEnded:
    """`code` is the status of a reset."""

    side: Side
    stream: int
    role: Role
    ending: Ending
    code: int | None = None


@dataclass(frozen=True, slots=True)
class StrayData:
    """Bytes for a stream that is over: they were on their way when it ended, and the receiver drops them."""

    side: Side
    stream: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Closing:
    """A side says that it ends the conversation: WebSocket's Close (no code: none was given), SPDY's GOAWAY."""

    side: Side
    code: int | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Discarded:
    """Bytes behind a WebSocket's Close, which nobody reads; they are not passed on."""

    side: Side
    count: int


Event = StreamOpened | StreamData | StreamEnded | StrayData | Closing | Discarded


@dataclass(frozen=True, slots=True)
class Taken:
    """What a piece of one side's bytes came to: events in their order, and the bytes that may go on to the other
    side.
    """

    events: tuple[Event, ...] = ()
    released: bytes = b""


NOTHING = Taken()


def merged(events: list[Event] | tuple[Event, ...]) -> tuple[Event, ...]:
    """Return the same events with neighbouring pieces of one stream joined, so that how the bytes were cut does not
    show.
    """
    out: list[Event] = []
    for event in events:
        last = out[-1] if out else None
        match last, event:
            case StreamData(), StreamData() if (last.side, last.stream) == (event.side, event.stream):
                out[-1] = StreamData(event.side, event.stream, event.role, last.data + event.data)
            case StrayData(), StrayData() if (last.side, last.stream) == (event.side, event.stream):
                out[-1] = StrayData(event.side, event.stream, last.data + event.data)
            case Discarded(), Discarded() if last.side == event.side:
                out[-1] = Discarded(event.side, last.count + event.count)
            case _:
                out.append(event)
    return tuple(out)
