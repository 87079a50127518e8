"""The channels of exec and attach inside WebSocket messages: the first byte of a message names one, the rest belongs to
it.

One direction at a time. The roles are fixed by number (k8s.io/apimachinery remotecommand): 0 stdin, 1 stdout, 2 stderr,
3 error, 4 resize; v5 adds 255, with which a client half-closes a channel. The base64 dialects write the number as a
digit and the rest in base64, in text messages.

Kubernetes' own servers read each *frame* of a client as a message of its own (golang.org/x/net/websocket ignores FIN),
every client joins fragments. So a fragmented message from the client would have two meanings, and is a fault
(`tests/vectors/streams/fragments.json` holds what a server made of one).
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from dataclasses import dataclass

from recordings.streams.events import Ending, Event, Role, Side, StreamData, StreamEnded, StreamOpened
from recordings.streams.fault import Fault, StreamFaultError
from recordings.streams.frames import Opcode

CLOSE_SIGNAL = 255

DATA_OPCODES = frozenset({Opcode.TEXT, Opcode.BINARY})
"""Of a client: Kubernetes' servers read the payload and do not look whether it came as text or binary, and the official
Python client sends what is typed as text."""

_QUADS = re.compile(rb"(?:[A-Za-z0-9+/]{4})*")
_LAST_QUAD = re.compile(rb"[A-Za-z0-9+/]{2}(?:[A-Za-z0-9+/]|=)=")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a subprotocol writes channels."""

    half_close: bool = False
    base64: bool = False

    @property
    def opcode(self) -> Opcode:
        return Opcode.TEXT if self.base64 else Opcode.BINARY


@dataclass(frozen=True, slots=True)
class Layout:
    """Which channels there are, what they are for, and who sends on them.

    The servers drop what the other side sends; a recording must not show what was dropped. With `ports` it is a
    port-forward of the time before the tunnel: channels 2i and 2i+1 are data and error of port i, and the server's
    first two bytes on each are its port, little-endian.
    """

    roles: tuple[Role, ...]
    sent_by: dict[Side, frozenset[int]]
    ports: tuple[int, ...] = ()


EXEC = Layout(
    roles=(Role.STDIN, Role.STDOUT, Role.STDERR, Role.ERROR, Role.RESIZE),
    sent_by={Side.CLIENT: frozenset({0, 4}), Side.SERVER: frozenset({1, 2, 3})},
)

MAX_PORTS = 32
"""Of one such port-forward; the request names them. The channels' digits in base64 stay within ASCII."""


def port_layout(ports: tuple[int, ...]) -> Layout:
    """Return the layout of a port-forward of `ports`, in the order of the request. Raises ValueError for too many."""
    if not 0 < len(ports) <= MAX_PORTS:
        raise ValueError(f"{len(ports)} ports; from 1 to {MAX_PORTS}")
    every = range(2 * len(ports))
    return Layout(
        roles=(Role.DATA, Role.ERROR) * len(ports),
        sent_by={Side.CLIENT: frozenset(every[::2]), Side.SERVER: frozenset(every)},
        ports=ports,
    )


DIALECTS = {
    "": Dialect(),
    "channel.k8s.io": Dialect(),
    "base64.channel.k8s.io": Dialect(base64=True),
    "v4.channel.k8s.io": Dialect(),
    "v4.base64.channel.k8s.io": Dialect(base64=True),
    "v5.channel.k8s.io": Dialect(half_close=True),
}
"""By the subprotocol that the server chose; the empty one is none."""

FORWARDING = frozenset({"", "v4.channel.k8s.io", "v4.base64.channel.k8s.io"})
"""The subprotocols of a port-forward by channels."""


class ChannelReader:
    """Reads one side's messages. `understood` counts the bytes of payload that may go on."""

    def __init__(self, side: Side, dialect: Dialect, emit: Callable[[Event], None], layout: Layout = EXEC) -> None:
        self.opcode = dialect.opcode
        self.opcodes = DATA_OPCODES if side is Side.CLIENT else frozenset({dialect.opcode})
        self.fragments = side is Side.SERVER
        self.understood = 0
        self._side = side
        self._dialect = dialect
        self._layout = layout
        self._unannounced = dict.fromkeys(range(2 * len(layout.ports)) if side is Side.SERVER else (), b"")
        """The channels whose port is not complete yet, with what of it has come."""
        self._emit = emit
        self._channel: int | None = None
        self._closing: int | None = None
        self._closed: set[int] = set()
        self._digits = b""
        self._padded = False

    @property
    def midway(self) -> bool:
        """Whether a message has begun and not ended."""
        return self._channel is not None

    def take(self, data: bytes) -> None:
        """Read the next piece of the message that is open. Raises StreamFaultError."""
        if self._channel is None and data:
            self._channel = self._number(data[0])
            self.understood += 1
            data = data[1:]
        if not data:
            return
        if self._channel == CLOSE_SIGNAL:
            self._take_signal(data)
        elif self._dialect.base64:
            self._take_base64(data)
        else:
            while data and self._channel in self._unannounced:
                self._deliver(data[:1], 1)
                data = data[1:]
            self._deliver(data, len(data))

    def end_of_message(self) -> None:
        """Close the message that is open. Raises StreamFaultError when it must not end here.

        A message without a byte holds no channel and means nothing, to the servers as well.
        """
        if self._channel == CLOSE_SIGNAL:
            self._half_close()
        if self._digits:
            raise StreamFaultError(Fault.BASE64, f"the message ends inside a group of four: {self._digits!r}")
        self._channel, self._padded = None, False

    def _number(self, byte: int) -> int:
        channel = byte - ord("0") if self._dialect.base64 else byte
        if channel == CLOSE_SIGNAL and self._dialect.half_close and self._side is Side.CLIENT:
            return channel
        if channel not in self._layout.sent_by[self._side]:
            raise StreamFaultError(Fault.CHANNEL, f"0x{byte:02x} is no channel of the {self._side}")
        if channel in self._closed:
            raise StreamFaultError(Fault.CHANNEL, f"{channel} was closed by the {self._side}")
        return channel

    def _take_signal(self, data: bytes) -> None:
        if self._closing is None:
            if data[0] >= len(self._layout.roles):
                raise StreamFaultError(Fault.CLOSE_SIGNAL, f"there is no channel {data[0]}")
            self._closing = data[0]
            self.understood += 1
            data = data[1:]
        if data:
            raise StreamFaultError(Fault.CLOSE_SIGNAL, "more than one byte follows it")

    def _half_close(self) -> None:
        channel, self._closing = self._closing, None
        if channel is None:
            raise StreamFaultError(Fault.CLOSE_SIGNAL, "it names no channel")
        if channel not in self._closed:
            self._closed.add(channel)
            self._emit(StreamEnded(self._side, channel, self._layout.roles[channel], Ending.FINISHED))

    def _take_base64(self, data: bytes) -> None:
        """Deliver whole groups of four; what is left waits. A valid beginning is delivered even before a fault."""
        data = self._digits + data
        if self._padded:
            raise StreamFaultError(Fault.BASE64, "something follows the padding")
        whole = _QUADS.match(data)
        assert whole is not None
        end = whole.end()
        if end:
            self._deliver(a2b_base64(data[:end]), end)
        last = _LAST_QUAD.match(data, end)
        if last:
            self._take_last(last.group())
            end = last.end()
        self._digits = data[end:]
        if len(self._digits) >= (1 if last else 4):
            raise StreamFaultError(Fault.BASE64, f"{self._digits[:4]!r}")

    def _take_last(self, quad: bytes) -> None:
        decoded = a2b_base64(quad)
        if b2a_base64(decoded, newline=False) != quad:
            raise StreamFaultError(Fault.BASE64, f"{quad!r} has bits that mean nothing")
        self._padded = True
        self._deliver(decoded, len(quad))

    def _deliver(self, data: bytes, length: int) -> None:
        assert self._channel is not None
        if self._channel in self._unannounced:
            data = self._announce(self._channel, data)
        if data:
            self._emit(StreamData(self._side, self._channel, self._layout.roles[self._channel], data))
        self.understood += length

    def _announce(self, channel: int, data: bytes) -> bytes:
        """Take the port from the server's first bytes on a channel, and return what follows it."""
        came = self._unannounced[channel] + data
        if len(came) < 2:
            self._unannounced[channel] = came
            return b""
        port, asked = int.from_bytes(came[:2], "little"), self._layout.ports[channel // 2]
        if port != asked:
            raise StreamFaultError(Fault.PORT, f"channel {channel} is for port {port}; {asked} was asked for")
        del self._unannounced[channel]
        self._emit(StreamOpened(channel, self._layout.roles[channel], port, str(channel // 2)))
        return came[2:]
