"""Both directions of one conversation, decoded as they pass.

Call `feed` with every piece that a side sent, in the order in which the pieces were read, both sides through one tap;
record the events, then send on `released`, and nothing else. On StreamFaultError do the same with its `taken`, then end
both connections; `farewell` gives the protocol's own way to say so, where there is one.
"""

from __future__ import annotations

from typing import Protocol

from recordings.streams.channels import DIALECTS, FORWARDING, ChannelReader, port_layout
from recordings.streams.events import Event, Purpose, Side, Taken
from recordings.streams.fault import Fault, StreamFaultError
from recordings.streams.messages import Messages
from recordings.streams.spdy import SpdyContent, SpdyStreams, SpdyWire
from recordings.streams.websocket import WebSocketWire

TUNNEL = "SPDY/3.1+portforward.k8s.io"
"""The subprotocol of a port-forward inside a WebSocket (the KEP has another name for it, which nobody speaks)."""


class Wire(Protocol):
    """Reads one direction."""

    @property
    def midway(self) -> bool:
        """Whether what has been read ends inside something."""
        ...

    def feed(self, data: bytes) -> None:
        """Read the next bytes. Raises StreamFaultError."""
        ...

    def release(self) -> bytes:
        """Return the bytes that may go on."""
        ...

    def check(self) -> None:
        """Raise StreamFaultError when too many bytes wait; to be called after `release`."""
        ...

    def farewell(self, fault: Fault | None, mask: bytes) -> bytes:
        """Return a frame that ends this direction, or nothing where no frame can stand."""
        ...


class Tap:
    """Follows one conversation. Make it with `spdy_tap`, `websocket_tap` or `reading_tap`."""

    def __init__(self, wires: dict[Side, Wire], events: list[Event]) -> None:
        self._wires = wires
        self._events = events
        self._fault: StreamFaultError | None = None
        self._withheld: Side | None = None

    def feed(self, side: Side, data: bytes) -> Taken:
        """Take what `side` sent next. Raises StreamFaultError, and from then on always."""
        if self._fault:
            raise StreamFaultError(self._fault.fault, self._fault.detail)
        wire, released = self._wires[side], b""
        try:
            wire.feed(data)
            released = wire.release()
            wire.check()
        except StreamFaultError as fault:
            self._fault = fault
            released += wire.release()
            raise StreamFaultError(fault.fault, fault.detail, Taken(self._happened(), released)) from None
        return Taken(self._happened(), released)

    def cut_off(self, side: Side) -> bool:
        """Whether `side` would leave something unfinished if it sent nothing more.

        To be asked when a side has ended, and recorded: the payload of the last frame was told as it came, but
        Kubernetes delivers frames whole, so it never got it.
        """
        return self._wires[side].midway

    def refuse(self, side: Side, error: StreamFaultError) -> None:
        """What `side` sent cannot stand though it was decoded: what was released of it last is not sent on."""
        self._fault, self._withheld = error, side

    def farewell(self, to: Side, *, mask: bytes) -> bytes:
        """Return the frame that tells `to` the end of the conversation, to be sent after all that was released to it.

        Nothing where no frame can stand: in the middle of one, after a Close, behind what was not sent on. After a
        fault it names the fault. `mask` is four unpredictable bytes.
        """
        if self._withheld is to.other:
            return b""
        return self._wires[to.other].farewell(self._fault.fault if self._fault else None, mask)

    def _happened(self) -> tuple[Event, ...]:
        events = tuple(self._events)
        self._events.clear()
        return events


def websocket_tap(subprotocol: str, ports: tuple[int, ...] = ()) -> Tap:
    """Return the tap for what follows a WebSocket handshake in which the server chose `subprotocol` (empty: none).

    `ports` are those that a port-forward's request names, in its order; without any it is an exec, an attach or a
    tunnel. Raises KeyError for a subprotocol that is not spoken for that, ValueError for too many ports: the upgrade
    must have been refused.
    """
    events: list[Event] = []
    if ports:
        return _port_forward(subprotocol, ports, events)
    if subprotocol == TUNNEL:
        streams = SpdyStreams(Purpose.PORT_FORWARD, events.append)
        return Tap({side: WebSocketWire(side, SpdyContent(side, streams), events.append) for side in Side}, events)
    dialect = DIALECTS[subprotocol]
    return Tap(
        {side: WebSocketWire(side, ChannelReader(side, dialect, events.append), events.append) for side in Side}, events
    )


def _port_forward(subprotocol: str, ports: tuple[int, ...], events: list[Event]) -> Tap:
    if subprotocol not in FORWARDING:
        raise KeyError(subprotocol)
    dialect, layout = DIALECTS[subprotocol], port_layout(ports)
    readers = {side: ChannelReader(side, dialect, events.append, layout) for side in Side}
    return Tap({side: WebSocketWire(side, readers[side], events.append) for side in Side}, events)


def reading_tap() -> Tap:
    """Return the tap for a watch or a log over a WebSocket."""
    events: list[Event] = []
    return Tap({side: WebSocketWire(side, Messages(side), events.append) for side in Side}, events)


def spdy_tap(purpose: Purpose) -> Tap:
    """Return the tap for what follows an upgrade to SPDY/3.1."""
    events: list[Event] = []
    streams = SpdyStreams(purpose, events.append)
    return Tap({side: SpdyWire(SpdyContent(side, streams)) for side in Side}, events)
