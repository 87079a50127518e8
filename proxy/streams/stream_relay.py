"""One upgraded connection: what each side sends is understood, recorded, and only then passed on.

Before the 101 it waits for the server's answer; an answer that is no upgrade is passed on as what it is, and both
connections end. In strict mode bytes leave only once the recording that holds them is on the disk. Whatever ends the
stream ends it once: `StreamOwner.stream_ended` hears how.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from proxy import headers
from proxy.http1 import (
    MAX_HEAD_BYTES,
    Body,
    Malformed,
    ResponseHead,
    UnboundedBody,
    head_end,
    parse_response_head,
    response_body,
)
from proxy.relay import End, RelayResult
from proxy.streams.handshake import Upgrade, UpgradeInvalidError, chosen_protocol, client_switch
from proxy.streams.port_policy import PortRefusedError, check_ports
from recordings.recorder.recorder import Recorder, RecordingFailedError, RecordingLimitError
from recordings.streams.events import Event, Role, Side, StreamData, StreamOpened, Taken
from recordings.streams.fault import StreamFaultError
from recordings.streams.outcome import Ended, Outcome, OutcomeReader
from recordings.streams.tap import Tap

if TYPE_CHECKING:
    from proxy.connection import KubeConnection
    from proxy.context import RequestContext
    from proxy.streams.upstream_stream import UpstreamStream

PIECE_BYTES = 64 * 1024
"""Fed to the decoders at once: what they hold back is bounded by it."""
MAX_EARLY_BYTES = 64 * 1024
"""From the client before the 101; a client has no reason to send any."""
MAX_REFUSAL_BYTES = 64 * 1024
"""Of the body of an answer that is no upgrade: a Status is under 1 KiB."""
MAX_BACKLOG_BYTES = 1 << 20
"""Taken by the recorder and not written yet; then both sides are not read until it is."""
MAX_HELD_BYTES = 256 * 1024
"""Waiting for the disk in strict mode; then the side that sent it is not read."""
CUT_OFF = "kubewitness.dev/cut-off"
"""Whose last frame never ended: the recording holds what came of it, the other side never took it in."""
UNDELIVERED = "kubewitness.dev/undelivered"
"""Bytes that a strict recording may hold and that never left for that side: the stream ended before they could."""
MAX_PORTS_NAMED = 16
"""Different ports of a port-forward that its record names."""


class _Phase(Enum):
    ASKED = auto()
    REFUSED = auto()
    STREAM = auto()
    ENDED = auto()


@dataclass(slots=True)
class StreamCounts:
    """The connections through a port-forward, and how many of them to which port."""

    connections: int = 0
    ports: Counter[int] = field(default_factory=Counter)


class StreamOwner(Protocol):
    """What decides around a stream: `proxy.streams.streaming`."""

    def run_for(self, stream: StreamRelay, waiting: Coroutine[Any, Any, None]) -> None: ...
    def stream_begun(self, stream: StreamRelay) -> None:
        """The client is about to get its 101."""

    def stream_ended(self, stream: StreamRelay) -> None:
        """Called once, last."""


class StreamRelay:
    """Joins a client's connection and an upstream one."""

    __slots__ = (
        "_answer",
        "_buffer",
        "_held",
        "_held_bytes",
        "_outcome",
        "_paused",
        "_phase",
        "_random",
        "_refusal",
        "_storing",
        "_tap",
        "_to_end",
        "client",
        "context",
        "counts",
        "owner",
        "recorder",
        "result",
        "timer",
        "upgrade",
        "upstream",
        "why",
    )

    def __init__(
        self,
        owner: StreamOwner,
        client: KubeConnection,
        context: RequestContext,
        *,
        upgrade: Upgrade,
        upstream: UpstreamStream,
        recorder: Recorder | None,
        random: Callable[[int], bytes],
    ) -> None:
        self.owner = owner
        self.client = client
        self.context = context
        self.upgrade = upgrade
        self.upstream = upstream
        self.recorder = recorder
        self.result = RelayResult(close=True, sent=True)
        self.counts = StreamCounts()
        self.why = ""
        """Our own reason for the end, where it was ours."""
        self.timer: Any = None
        self._random = random
        self._phase = _Phase.ASKED
        self._answer = b""
        self._buffer = b""
        self._tap: Tap | None = None
        self._refusal: Body | None = None
        self._outcome: OutcomeReader | None = None
        self._held: list[tuple[Side, bytes]] = []
        self._held_bytes = 0
        self._storing = False
        self._to_end: Callable[[], None] | None = None
        self._paused: dict[Side, set[str]] = {Side.CLIENT: set(), Side.SERVER: set()}
        upstream.owner = self
        if recorder is not None:
            recorder.on_failure(self._recording_failed)

    @property
    def is_open(self) -> bool:
        """Both sides have their 101."""
        return self._phase is _Phase.STREAM

    @property
    def answered(self) -> bool:
        """Bytes of an answer, or of the stream, went to the client."""
        return self._refusal is not None or self.result.started

    @property
    def outcome(self) -> Outcome:
        """How the command ended, as far as it was told."""
        if self._outcome is None:
            return Outcome(Ended.UNKNOWN)
        return self._outcome.outcome(ended=self.result.end is End.DONE)

    # -- from the client (`KubeConnection`)

    def client_data(self, data: bytes) -> None:
        if self._phase is _Phase.STREAM:
            self._pass(Side.CLIENT, [data])
        elif self._phase is _Phase.ASKED:
            self._buffer_early(data)

    def client_gone(self) -> None:
        self._end(End.CLIENT_GONE if self._is_unfinished() else End.DONE, "the client closed the connection")

    def client_writable(self, *, writable: bool) -> None:
        self._gate(Side.SERVER, "client", stop=not writable)

    # -- from upstream

    def upstream_data(self, pieces: list[bytes]) -> None:
        left = iter(pieces)
        while self._phase is _Phase.ASKED and (piece := next(left, None)) is not None:
            self._read_head(piece)
        rest = list(left)
        if self._phase is _Phase.STREAM:
            self._pass(Side.SERVER, rest)
        elif self._phase is _Phase.REFUSED:
            self._pass_refusal(b"".join(rest))

    def upstream_lost(self) -> None:
        if self._phase is _Phase.STREAM and self._is_unfinished():
            self.why = "the API server ended the stream and did not say how the command ended"
            self._end(End.DONE, self.why)
        elif self._phase is _Phase.STREAM or (
            self._phase is _Phase.REFUSED and isinstance(self._refusal, UnboundedBody)
        ):
            self._end(End.DONE, "")
        else:
            self._end(End.UPSTREAM_GONE, "the connection to the API server ended")

    def upstream_writable(self, *, writable: bool) -> None:
        self._gate(Side.CLIENT, "upstream", stop=not writable)

    # -- the answer

    def _buffer_early(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > MAX_EARLY_BYTES:
            self.client.pause_reading()

    def _read_head(self, data: bytes) -> None:
        self._answer += data
        end = head_end(self._answer)
        if end > MAX_HEAD_BYTES or (not end and len(self._answer) > MAX_HEAD_BYTES):
            self._invalid("an answer's head over the limit")
        if not end or self._phase is _Phase.ENDED:
            return
        answer, self._answer = self._answer, b""
        try:
            head = parse_response_head(answer[:end], self.context.head.method)
            self._answered(head, answer[end:])
        except (Malformed, UpgradeInvalidError) as error:
            self._invalid(str(error))

    def _answered(self, head: ResponseHead, rest: bytes) -> None:
        self.result.status = head.status
        if head.status >= 400:
            self._refused(head, rest)
            return
        chosen = chosen_protocol(self.upgrade, head)
        self._tap = self.upgrade.tap(chosen)
        if self.upgrade.is_recorded:
            self._outcome = OutcomeReader(chosen)
        self.owner.stream_begun(self)
        self._phase = _Phase.STREAM
        self.result.started = True
        self.client.write(client_switch(self.upgrade, chosen, self.context.audit_id.encode()))
        early, self._buffer = self._buffer, b""
        if not self._paused[Side.CLIENT]:
            self.client.resume_reading()
        if early:
            self._pass(Side.CLIENT, [early])
        if rest and self._phase is _Phase.STREAM:
            self._pass(Side.SERVER, [rest])

    def _refused(self, head: ResponseHead, rest: bytes) -> None:
        """An answer like any other, and the last one of both connections (security: U5)."""
        self._phase = _Phase.REFUSED
        self._refusal = response_body(head)
        self.client.write(headers.client_head(head, self.context.audit_id.encode(), close=True))
        self._pass_refusal(rest)

    def _pass_refusal(self, data: bytes) -> None:
        body = self._refusal
        assert body is not None
        try:
            taken = body.feed(data)
        except Malformed as error:
            self._invalid(str(error))
            return
        self.result.bytes_out += taken
        if self.result.bytes_out > MAX_REFUSAL_BYTES:
            self._invalid("an answer to an upgrade over the limit")
            return
        if taken:
            self.client.write(data[:taken])
        if body.done:
            self._end(End.DONE, "")

    def no_answer(self) -> None:
        """The server had time enough."""
        if self._phase is _Phase.ASKED:
            self._end(End.UPSTREAM_TIMEOUT, "no answer to the upgrade in time")

    def _invalid(self, why: str) -> None:
        self._end(End.UPSTREAM_INVALID, why)

    # -- the stream

    def _pass(self, side: Side, pieces: list[bytes]) -> None:
        if self._tap is None:
            self._count(side, sum(map(len, pieces)))
            self._send(side.other, pieces)
            return
        leaving: list[bytes] = []
        ending: Callable[[], None] | None = None
        try:
            for piece in pieces:
                self._follow(self._tap, side, piece, leaving)
        except RecordingFailedError as error:
            ending = partial(self._recording_failed, error)
        except (RecordingLimitError, PortRefusedError) as error:
            ending = partial(self.cut, str(error))
        except StreamFaultError as error:
            ending = partial(self.fault, side, str(error))
        self._release(side.other, leaving)
        if ending is not None:
            ending()

    def _follow(self, tap: Tap, side: Side, piece: bytes, leaving: list[bytes]) -> None:
        """Decode and record a piece, and add what of it may go on. Raises the reason why the stream has to end."""
        released: list[bytes] = []
        try:
            for at in range(0, len(piece), PIECE_BYTES):
                self._feed(tap, side, piece[at : at + PIECE_BYTES], released)
        finally:
            if any(released):
                leaving.append(b"".join(released))

    def _feed(self, tap: Tap, side: Side, part: bytes, released: list[bytes]) -> None:
        try:
            taken = tap.feed(side, part)
        except StreamFaultError as error:
            self._record(side, error.taken, released)
            raise
        self._record(side, taken, released)

    def _record(self, side: Side, taken: Taken, released: list[bytes]) -> None:
        check_ports(self.context, taken.events)
        if self.recorder is not None:
            self._take(side, taken.events)
        self._note(taken.events)
        self._count(side, len(taken.released))
        released.append(taken.released)
        if self.recorder is not None and self.recorder.backlog > MAX_BACKLOG_BYTES:
            self._wait_for_disk()

    def _take(self, side: Side, events: tuple[Event, ...]) -> None:
        """Raises StreamFaultError for what the recorder cannot make sense of: a size of a terminal that is none."""
        assert self.recorder is not None
        try:
            self.recorder.take(events)
        except StreamFaultError as error:
            if self._tap is not None:
                self._tap.refuse(side, error)
            raise

    def _note(self, events: tuple[Event, ...]) -> None:
        for event in events:
            match event:
                case StreamData(side=Side.SERVER, role=Role.ERROR):
                    if self._outcome is not None:
                        self._outcome.feed(event.data)
                case StreamOpened(role=Role.DATA, port=int() as port):
                    self.counts.connections += 1
                    if port in self.counts.ports or len(self.counts.ports) < MAX_PORTS_NAMED:
                        self.counts.ports[port] += 1
                case _:
                    pass

    def _count(self, side: Side, size: int) -> None:
        if side is Side.CLIENT:
            self.result.bytes_in += size
        else:
            self.result.bytes_out += size

    def _release(self, to: Side, pieces: list[bytes]) -> None:
        if not pieces:
            return
        if self.recorder is None or not self.recorder.head.strict:
            self._send(to, pieces)
            return
        self._held += ((to, piece) for piece in pieces)
        self._held_bytes += sum(map(len, pieces))
        if self._held_bytes > MAX_HELD_BYTES:
            for side in Side:
                self._gate(side, "held", stop=True)
        if not self._storing:
            self._storing = True
            self.owner.run_for(self, self._store())

    async def _store(self) -> None:
        """Strict: what is held leaves once it is on the disk; what comes meanwhile leaves together, after the next."""
        assert self.recorder is not None
        while self._held:
            count = len(self._held)
            try:
                await self.recorder.stored()
            except RecordingFailedError as error:
                self._recording_failed(error)
            if self._phase is _Phase.ENDED:
                break
            leaving = self._held[:count]
            del self._held[:count]
            self._held_bytes -= sum(len(piece) for _, piece in leaving)
            for to in Side:
                self._send(to, [piece for side, piece in leaving if side is to])
            for side in Side:
                self._gate(side, "held", stop=self._held_bytes > MAX_HELD_BYTES)
        self._storing = False
        if self._to_end is not None:
            self._to_end()

    def _send(self, to: Side, pieces: list[bytes]) -> None:
        """Each piece in TLS records of its own."""
        if not pieces:
            return
        if to is Side.CLIENT:
            self.client.write_all(pieces)
        else:
            self.upstream.write(b"".join(pieces))

    # -- back-pressure

    def _wait_for_disk(self) -> None:
        assert self.recorder is not None
        if "disk" in self._paused[Side.CLIENT]:
            return
        for side in Side:
            self._gate(side, "disk", stop=True)
        self.recorder.when_drained(self._disk_is_free)

    def _disk_is_free(self) -> None:
        for side in Side:
            self._gate(side, "disk", stop=False)

    def _gate(self, side: Side, reason: str, *, stop: bool) -> None:
        """A side is read while there is no reason not to."""
        reasons = self._paused[side]
        before = bool(reasons)
        (reasons.add if stop else reasons.discard)(reason)
        if bool(reasons) is before or self._phase is _Phase.ENDED:
            return
        if side is Side.CLIENT:
            (self.client.pause_reading if reasons else self.client.resume_reading)()
        else:
            (self.upstream.pause if reasons else self.upstream.resume)()

    # -- the end

    def fault(self, side: Side, what: str) -> None:
        """A side sent what cannot be followed: both are told, in the protocol's own way where there is one."""
        self.why = f"the {side} sent what cannot be followed: {what}"
        self._end(End.STREAM_FAULT, self.why, farewell=True)

    def cut(self, why: str) -> None:
        """We end it: rights were lost, a limit was reached, the server ends."""
        self.why = why
        self._end(End.CUT, why, farewell=True)

    def _recording_failed(self, error: RecordingFailedError) -> None:
        """What is held never leaves: nobody gets what is not kept."""
        self._to_end = None
        self.why = f"it can no longer be recorded: {error}"
        self._end(End.CUT, self.why, farewell=True)

    def _is_unfinished(self) -> bool:
        """Whether a client that leaves now leaves something that runs."""
        if self._phase is not _Phase.STREAM or self._outcome is None:
            return self._phase is not _Phase.STREAM
        return self._outcome.outcome(ended=False).ended is Ended.UNKNOWN

    def _end(self, end: End, detail: str, *, farewell: bool = False) -> None:
        if self._phase is _Phase.ENDED or self._to_end is not None:
            return
        if self._storing and end is End.DONE:
            self._to_end = lambda: self._end_now(end, detail, farewell=farewell)  # what is held leaves before
            return
        self._end_now(end, detail, farewell=farewell)

    def _end_now(self, end: End, detail: str, *, farewell: bool) -> None:
        phase, self._phase, self._to_end = self._phase, _Phase.ENDED, None
        self.result.end, self.result.detail = end, detail
        if phase is _Phase.STREAM and self._tap is not None and end is not End.STREAM_FAULT:
            midway = [side for side in Side if self._tap.cut_off(side)]
            if midway:
                self.result.annotations[CUT_OFF] = ",".join(midway)
        undelivered = Counter[Side]()
        for to, data in self._held:
            undelivered[to] += len(data)
        if undelivered:
            self.result.annotations[UNDELIVERED] = ",".join(f"{to}={size}" for to, size in sorted(undelivered.items()))
        if farewell and phase is _Phase.STREAM and self._tap is not None:
            for side in Side:
                if side not in undelivered:  # it could stand in the middle of a frame
                    self._send(side, list(filter(None, [self._tap.farewell(side, mask=self._random(4))])))
        self.upstream.close()
        self.owner.stream_ended(self)
