"""What the frames of a SPDY/3.1 connection come to: which streams there are, what they are for, and who may send on
them.

Kubernetes' use of SPDY, not all of it: the client opens every stream and says in the header `streamtype` what it is
for; the server accepts or resets it. Rules that are upheld here (and which Kubernetes' library, spdystream, only half
upholds):

- a stream has one of the roles of the connection's purpose; exec and attach have each role once, a port-forward one
  error and one data stream for each request;
- ids are odd and grow; data flows only on an accepted stream, only in its role's direction, and not after the sender's
  FIN;
- what is still on its way to a stream that is over passes as stray, for the receiver drops it;
- headers come with the opening and the answer only: spdystream hands later ones to a reader that Kubernetes does not
  have, and the stream stands still for ever, so that what follows would be recorded and never received.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from recordings.streams.events import (
    Closing,
    Ending,
    Event,
    Purpose,
    Role,
    Side,
    StrayData,
    StreamData,
    StreamEnded,
    StreamOpened,
)
from recordings.streams.fault import Fault, StreamFaultError
from recordings.streams.frames import Opcode
from recordings.streams.held import Held
from recordings.streams.spdy_frames import (
    DataHead,
    DataPiece,
    Frame,
    FrameReader,
    Goaway,
    Headers,
    RstStream,
    SynReply,
    SynStream,
    WindowUpdate,
)

MAX_OPEN_STREAMS = 2048
"""1,024 connections at once through one port-forward; a stream costs us about 400 bytes. The port-forward of a browser
or a load test reaches hundreds. exec and attach cannot have more than five."""

MAX_REQUEST_CHARACTERS = 20
"""client-go counts requests from 0; twenty digits hold any 64-bit number."""

ROLES = {
    Purpose.EXEC: frozenset({Role.ERROR, Role.STDIN, Role.STDOUT, Role.STDERR, Role.RESIZE}),
    Purpose.PORT_FORWARD: frozenset({Role.ERROR, Role.DATA}),
}

SENDERS = {
    Role.ERROR: frozenset({Side.SERVER}),
    Role.STDIN: frozenset({Side.CLIENT}),
    Role.STDOUT: frozenset({Side.SERVER}),
    Role.STDERR: frozenset({Side.SERVER}),
    Role.RESIZE: frozenset({Side.CLIENT}),
    Role.DATA: frozenset(Side),
}
"""Who may send more than an end on a stream. Kubernetes reads nothing of what the other side sends there."""

_PORT = re.compile(r"[1-9][0-9]{0,4}")
_REQUEST = re.compile(rf"[0-9]{{1,{MAX_REQUEST_CHARACTERS}}}")

CLIENT_PROTOCOL_ERROR = 1
"""GOAWAY's PROTOCOL_ERROR, §2.6.6."""


@dataclass(slots=True)
class _Stream:
    role: Role
    request: str | None
    accepted: bool = False
    finished: set[Side] = field(default_factory=set)


class SpdyStreams:
    """The streams of one connection, as both directions make them."""

    def __init__(self, purpose: Purpose, emit: Callable[[Event], None]) -> None:
        self._purpose = purpose
        self._emit = emit
        self._streams: dict[int, _Stream] = {}
        self._last = 0
        self._used: set[Role] = set()
        self._requests: set[tuple[Role, str]] = set()

    def last(self, side: Side) -> int:
        """Return the highest id of a stream that the other side opened to `side`; 0: none."""
        return self._last if side is Side.SERVER else 0

    def obey(self, side: Side, frame: Frame) -> None:
        """Let a whole control frame of `side` take effect. Raises StreamFaultError."""
        match frame:
            case SynStream():
                self._open(side, frame)
            case SynReply():
                self._accept(side, frame)
            case Headers():
                raise StreamFaultError(Fault.FRAME_TYPE, f"more headers for stream {frame.stream}")
            case RstStream():
                self._reset(side, frame)
            case Goaway():
                self._emit(Closing(side, frame.status))
            case WindowUpdate() if frame.stream:
                self._known(frame.stream)
            case _:
                pass

    def begin_data(self, side: Side, head: DataHead) -> None:
        """Check that `side` may send this frame. Raises StreamFaultError."""
        stream = self._known(head.stream)
        if stream is None:
            return
        if not stream.accepted:
            raise StreamFaultError(Fault.STREAM_STATE, f"data on stream {head.stream}, which was not accepted yet")
        if side in stream.finished:
            raise StreamFaultError(Fault.STREAM_STATE, f"data on stream {head.stream} after the {side} ended it")
        if head.length and side not in SENDERS[stream.role]:
            raise StreamFaultError(Fault.ROLE, f"data from the {side} on {stream.role} stream {head.stream}")

    def data(self, side: Side, number: int, data: bytes) -> None:
        """Pass on a piece of a frame that may be sent."""
        stream = self._streams.get(number)
        self._emit(StreamData(side, number, stream.role, data) if stream else StrayData(side, number, data))

    def end_data(self, side: Side, head: DataHead) -> None:
        """The frame is complete."""
        self._finish_if(side, head.stream, head.fin)

    def _open(self, side: Side, frame: SynStream) -> None:
        number = frame.stream
        if side is Side.SERVER:
            raise StreamFaultError(Fault.STREAM_ID, f"the server opens stream {number}")
        if not number % 2 or number <= self._last:
            raise StreamFaultError(Fault.STREAM_ID, f"{number} after {self._last}")
        if len(self._streams) >= MAX_OPEN_STREAMS:
            raise StreamFaultError(Fault.STREAM_LIMIT, f"{len(self._streams)} streams are open")
        role = self._role(frame.headers.get("streamtype", ""))
        if self._purpose is Purpose.EXEC:
            self._open_once(number, role)
        else:
            self._open_pair(number, role, frame.headers)
        self._last = number
        self._finish_if(side, number, frame.fin)

    def _role(self, text: str) -> Role:
        roles = ROLES[self._purpose]
        if text not in roles:
            raise StreamFaultError(Fault.ROLE, f"streamtype {text[:64]!r}; one of {', '.join(sorted(roles))}")
        return Role(text)

    def _open_once(self, number: int, role: Role) -> None:
        if role in self._used:
            raise StreamFaultError(Fault.ROLE, f"a second stream for {role}")
        self._used.add(role)
        self._streams[number] = _Stream(role, None)
        self._emit(StreamOpened(number, role))

    def _open_pair(self, number: int, role: Role, headers: dict[str, str]) -> None:
        """client-go sends `requestid`; for clients that do not, the servers count from the error stream's own id."""
        port = headers.get("port", "")
        request = headers.get("requestid", str(number if role is Role.ERROR else number - 2))
        if not _PORT.fullmatch(port) or int(port) > 65535 or not _REQUEST.fullmatch(request):
            raise StreamFaultError(Fault.PORT, f"port {port[:64]!r}, request {request[:64]!r}")
        if (role, request) in self._requests:
            raise StreamFaultError(Fault.ROLE, f"a second {role} stream for request {request}")
        self._requests.add((role, request))
        self._streams[number] = _Stream(role, request)
        self._emit(StreamOpened(number, role, int(port), request))

    def _accept(self, side: Side, frame: SynReply) -> None:
        stream = self._known(frame.stream)
        if side is Side.CLIENT:
            raise StreamFaultError(Fault.STREAM_STATE, f"the client answers for stream {frame.stream}")
        if stream is None:
            return
        if stream.accepted:
            raise StreamFaultError(Fault.STREAM_STATE, f"stream {frame.stream} is accepted twice")
        stream.accepted = True
        self._finish_if(side, frame.stream, frame.fin)

    def _reset(self, side: Side, frame: RstStream) -> None:
        stream = self._known(frame.stream)
        if stream is not None:
            self._forget(frame.stream, stream)
            self._emit(StreamEnded(side, frame.stream, stream.role, Ending.RESET, frame.status))

    def _finish_if(self, side: Side, number: int, fin: bool) -> None:
        stream = self._streams.get(number)
        if not fin or stream is None or side in stream.finished:
            return
        stream.finished.add(side)
        self._emit(StreamEnded(side, number, stream.role, Ending.FINISHED))
        if len(stream.finished) == 2:
            self._forget(number, stream)

    def _forget(self, number: int, stream: _Stream) -> None:
        del self._streams[number]
        if stream.request is not None:
            self._requests.discard((stream.role, stream.request))

    def _known(self, number: int) -> _Stream | None:
        """Return the stream, or nothing when it is over. Raises StreamFaultError when it never was."""
        if number > self._last or not number % 2:
            raise StreamFaultError(Fault.STREAM_ID, f"there was no stream {number}")
        return self._streams.get(number)


class SpdyContent:
    """Reads the SPDY bytes of one side, from a connection of their own or from a WebSocket's messages."""

    opcode = Opcode.BINARY
    opcodes = frozenset({Opcode.BINARY})
    fragments = True
    """Where messages and frames end means nothing in a tunnel: both ends read it as one run of bytes."""

    def __init__(self, side: Side, streams: SpdyStreams) -> None:
        self.understood = 0
        self._side = side
        self._streams = streams
        self._frames = FrameReader()
        self._data: DataHead | None = None

    @property
    def midway(self) -> bool:
        """Whether a frame has begun and not ended."""
        return self._frames.midway

    @property
    def inside_data(self) -> bool:
        """Whether the head of a data frame was understood and not all of its payload."""
        return self._data is not None

    @property
    def last_stream(self) -> int:
        """The last-good-stream-id of a GOAWAY from this side."""
        return self._streams.last(self._side)

    def take(self, data: bytes) -> None:
        """Read the next bytes. Raises StreamFaultError."""
        for frame, length in self._frames.feed(data):
            match frame:
                case DataHead():
                    self._begin(frame)
                case DataPiece():
                    self._continue(frame)
                case _:
                    self._streams.obey(self._side, frame)
            self.understood += length

    def end_of_message(self) -> None:
        """Nothing ends with a message."""

    def _begin(self, head: DataHead) -> None:
        self._streams.begin_data(self._side, head)
        if head.length:
            self._data = head
        else:
            self._streams.end_data(self._side, head)

    def _continue(self, piece: DataPiece) -> None:
        assert self._data is not None
        head = self._data
        self._streams.data(self._side, head.stream, piece.data)
        if piece.ends:
            self._data = None
            self._streams.end_data(self._side, head)


class SpdyWire:
    """One direction of a connection that speaks SPDY itself."""

    def __init__(self, content: SpdyContent) -> None:
        self._content = content
        self._held = Held()

    @property
    def midway(self) -> bool:
        """Whether what has been read ends inside a frame."""
        return self._content.midway

    def feed(self, data: bytes) -> None:
        """Read the next bytes. Raises StreamFaultError."""
        self._held.payload(data)
        self._content.take(data)

    def release(self) -> bytes:
        """Return the bytes that may go on."""
        return self._held.release(self._content.understood)

    def check(self) -> None:
        """A frame that waits is never larger than its own limit."""

    def farewell(self, fault: Fault | None, mask: bytes) -> bytes:  # noqa: ARG002  # only WebSocket masks
        """Return a GOAWAY that ends this direction after what was released, or nothing inside a data frame."""
        if self._content.inside_data:
            return b""
        status = CLIENT_PROTOCOL_ERROR if fault else 0
        return bytes.fromhex("8003000700000008") + self._content.last_stream.to_bytes(4) + status.to_bytes(4)
