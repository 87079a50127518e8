"""One client connection of the kube listener: bytes, time and back-pressure; what is done with a request is `journey`.

States: a head is awaited; its journey runs while its body passes; the answer is out and the next head is awaited.
A second request that arrives before the first is answered is not read until then (reading is paused at a bounded
buffer), so no two requests ever share a parser.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Coroutine
from typing import Any, Protocol, cast

from proxy.config import KubeLimits
from proxy.http1 import (
    MAX_HEAD_BYTES,
    Body,
    Malformed,
    RequestHead,
    head_end,
    hopeless,
    parse_request_head,
    request_body,
)
from proxy.outbox import Outbox
from proxy.received import buffer, received
from proxy.relay import Relay
from proxy.streams.stream_relay import StreamRelay

BODY_SECONDS = 60.0
"""Without a byte of a body that was announced."""
STALL_SECONDS = 600.0
"""For a client to take more of an answer. A watch or a log may stand still for ever, in a pager."""
LINGER_SECONDS = 2.0
"""For the client to read an answer and close; as long as a slow link takes for both, twice."""
MAX_EARLY_BYTES = 64 * 1024
"""Bytes kept while a journey has not yet asked for them; then reading pauses."""


class ConnectionOwner(Protocol):
    """What a connection needs of the listener."""

    loop: asyncio.AbstractEventLoop
    draining: bool
    limits: KubeLimits
    outbox: Outbox

    def opened(self, connection: KubeConnection) -> None: ...
    def closed(self, connection: KubeConnection) -> None: ...
    def malformed(self, connection: KubeConnection, reason: str) -> bytes: ...
    def journey(self, connection: KubeConnection, head: RequestHead) -> Coroutine[Any, Any, None] | None: ...
    def run(self, connection: KubeConnection, waiting: Coroutine[Any, Any, None]) -> None: ...


class KubeConnection(asyncio.BufferedProtocol):
    """Feeds heads to the journey and its bytes back. `certificate` is the verified client certificate's DER."""

    __slots__ = (
        "_body",
        "_buffer",
        "_closing",
        "_lingering",
        "_owner",
        "_paused",
        "_pending",
        "_relay",
        "_stream",
        "certificate",
        "credential",
        "deadline",
        "head",
        "source",
        "transport",
        "writable",
    )

    def __init__(self, owner: ConnectionOwner, source: str = "") -> None:
        """`source`: the address that the connection is counted under; left out, what the transport says."""
        self._owner = owner
        self.transport: asyncio.Transport | None = None
        self.certificate = b""
        self.credential: Any = None
        self.source = source
        self.head: RequestHead | None = None
        self.deadline = 0.0
        self.writable = True
        self._buffer = b""
        self._body: Body | None = None
        self._relay: Relay | None = None
        self._stream: StreamRelay | None = None
        self._closing = False
        self._lingering = False
        self._paused = False
        self._pending = b""

    # -- asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's TLS transport is no subclass of asyncio.Transport, though it has all of it
        self.transport = cast("asyncio.Transport", transport)
        if not self.source:
            peer = self.transport.get_extra_info("peername")
            self.source = str(peer[0]) if peer else ""
        tls: ssl.SSLObject | None = self.transport.get_extra_info("ssl_object")
        self.certificate = (tls.getpeercert(binary_form=True) or b"") if tls is not None else b""
        self.deadline = self._owner.loop.time() + self._owner.limits.head_timeout
        self._owner.opened(self)

    def get_buffer(self, _size: int) -> memoryview:
        return buffer()

    def buffer_updated(self, count: int) -> None:
        self.data_received(received(count))

    def data_received(self, data: bytes) -> None:
        if self._stream is not None:
            self._stream.client_data(data)
            return
        if self._closing:
            if self._lingering:
                self._drop(data)
            return
        if self._relay is not None and self._body is not None and not self._body.done and not self._buffer:
            self._pass_body(data)
            return
        self._buffer = self._buffer + data if self._buffer else data
        if self.head is None:
            self._next_head()
        elif len(self._buffer) > MAX_EARLY_BYTES:
            self.pause_reading()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, _error: Exception | None) -> None:
        self._closing = True
        self.transport = None
        self._owner.closed(self)
        if self._stream is not None:
            self._stream.client_gone()
        if self._relay is not None:
            self._relay.client_gone()
        # a task, where there is one, runs on: it finds the transport gone, and records how the request ended

    def pause_writing(self) -> None:
        self.writable = False
        if self._stream is not None:
            self._stream.client_writable(writable=False)
        if self._relay is not None:
            if self.body_done and not self._relay.is_endless:
                self.deadline = self._owner.loop.time() + STALL_SECONDS
            self._relay.client_writable(writable=False)

    def resume_writing(self) -> None:
        self.writable = True
        if self._stream is not None:
            self._stream.client_writable(writable=True)
        if self._relay is not None:
            self.answer_goes_on()
            self._relay.client_writable(writable=True)

    # -- heads

    def _next_head(self) -> None:
        end = head_end(self._buffer)
        if not end:
            if why := hopeless(self._buffer):
                self._refuse(why)
            elif self._buffer and self.deadline > (limit := self._owner.loop.time() + self._owner.limits.head_timeout):
                self.deadline = limit
            return
        if end > MAX_HEAD_BYTES:
            self._refuse("the head is over the limit")
            return
        try:
            head = parse_request_head(self._buffer[:end])
        except Malformed as error:
            self._refuse(str(error))
            return
        self._buffer = self._buffer[end:]
        self.head = head
        self._body = request_body(head)
        self.deadline = float("inf")
        waiting = self._owner.journey(self, head)
        if waiting is not None:
            self._owner.run(self, waiting)

    def run(self, waiting: Coroutine[Any, Any, None]) -> None:
        """Go on with the request at hand, without a relay for now."""
        self._relay = None
        self._owner.run(self, waiting)

    def _refuse(self, reason: str) -> None:
        """A constant answer with nothing of the peer's bytes in it, then the end."""
        self._closing = True
        self.write(self._owner.malformed(self, reason))
        self.close()

    # -- bodies

    def begin_body(self, relay: Relay) -> None:
        """From now on the request's body goes to `relay`; what already came first."""
        self._relay = relay
        body, data = self._body, self._buffer
        assert body is not None
        if body.done:
            self._await_answer(relay)
            relay.request_end()
            return
        self.deadline = self._owner.loop.time() + BODY_SECONDS
        if self.head is not None and self.head.fields.expects_continue and not data:
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.resume_reading()
        if data:
            self._buffer = b""
            self._pass_body(data)

    def _pass_body(self, data: bytes) -> None:
        body, relay = self._body, self._relay
        assert body is not None
        assert relay is not None
        try:
            taken = body.feed(data)
        except Malformed as error:
            self._closing = True
            answer = self._owner.malformed(self, str(error))
            if not relay.result.started:
                self.write(answer)
            relay.client_gone(f"the request's body: {error}")
            return
        if taken:
            relay.request_data(data if taken == len(data) else data[:taken])
        if body.done:
            self._buffer = data[taken:]
            self._await_answer(relay)
            relay.request_end()
        else:
            self.deadline = self._owner.loop.time() + BODY_SECONDS

    def _await_answer(self, relay: Relay) -> None:
        endless = relay.is_endless
        self.deadline = float("inf") if endless else self._owner.loop.time() + self._owner.limits.answer_timeout

    def answer_goes_on(self) -> None:
        """More of the API server's answer is here, or will be: its end may take long, silence may not."""
        if self._relay is not None and self.body_done and self.writable:
            self._await_answer(self._relay)

    def expire(self) -> None:
        """The deadline has passed: whoever let it pass is told where that can be, and the record says who it was."""
        relay = self._relay
        if relay is None or relay.done:
            self.abort()
        elif not self.body_done:
            relay.client_gone(f"no byte of the request's body for {BODY_SECONDS:.0f} s")
            self.abort()
        elif not relay.response_seen or self.writable:
            what = "more of the answer" if relay.response_seen else "answer"
            relay.no_answer(f"no {what} for {self._owner.limits.answer_timeout} s")
        else:
            relay.client_gone(f"the client took nothing of its answer for {STALL_SECONDS:.0f} s")
            self.abort()

    # -- streams

    def begin_stream(self, stream: StreamRelay) -> None:
        """From now on every byte goes to `stream`, those that came already first."""
        self._stream = stream
        self.deadline = float("inf")
        data, self._buffer = self._buffer, b""
        if self.transport is None:
            stream.client_gone()
        elif data:
            stream.client_data(data)

    def run_beside(self, waiting: Coroutine[Any, Any, None]) -> None:
        """What a stream has to wait for."""
        self._owner.run(self, waiting)

    def end_stream(self, last_words: bytes) -> None:
        """The stream has ended: say what is left to say, and close."""
        self._stream = None
        if last_words:
            self.write(last_words)
        self.close()

    def end(self) -> None:
        """End what runs here now: a stream is told, anything else is aborted."""
        if self._stream is not None and self._stream.is_open:
            self._stream.cut("the server ends")
        else:
            self.abort()

    @property
    def body_done(self) -> bool:
        return self._body is None or self._body.done

    # -- answers

    def write(self, data: bytes) -> None:
        if self._pending:
            self.flush()
        if self.transport is not None:
            self.transport.write(data)

    def write_all(self, pieces: list[bytes]) -> None:
        """In TLS records of their own, and all at once: the other side is woken once."""
        if self._pending:
            self.flush()
        if self.transport is not None:
            self.transport.writelines(pieces)

    def write_last(self, data: bytes) -> None:
        """The end of an answer leaves at the end of the loop's pass, or before whatever else is written or closed."""
        if not self._pending:
            self._owner.outbox.put(self)
        self._pending += data

    def flush(self) -> None:
        pending, self._pending = self._pending, b""
        if pending and self.transport is not None:
            self.transport.write(pending)

    def pause_reading(self) -> None:
        if self.transport is not None and not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        if self.transport is not None and self._paused:
            self._paused = False
            self.transport.resume_reading()

    def next_request(self, *, keep_alive: bool) -> None:
        """The answer is out. Without `keep_alive`, or with an unread body, the connection ends here."""
        self._relay = None
        if self._closing:
            self.close()
            return
        if not self.body_done:
            self._linger()
            return
        if not keep_alive or self._owner.draining:
            self.close()
            return
        self.head = None
        self._body = None
        self.deadline = self._owner.loop.time() + self._owner.limits.idle_timeout
        self.resume_reading()
        if self._buffer:
            self._next_head()

    def _linger(self) -> None:
        """An answer went out before its request's body was here. The client was told that it is the last, and closes.

        If we did so while it sends, its kernel might drop the answer together with the connection (RFC 9112,
        section 9.6). What still comes of the body is dropped.
        """
        self._closing = self._lingering = True
        self.deadline = self._owner.loop.time() + LINGER_SECONDS
        self.flush()
        self.resume_reading()
        data, self._buffer = self._buffer, b""
        self._drop(data)

    def _drop(self, data: bytes) -> None:
        body = self._body
        assert body is not None
        try:
            body.feed(data)
        except Malformed:
            self.close()
            return
        if body.done:
            self.close()

    def close(self) -> None:
        """Flush, then close."""
        self._closing = True
        self.flush()
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """Close without flushing: a peer that does not read must not hold us."""
        self._closing = True
        self._pending = b""
        if self.transport is not None:
            self.transport.abort()

    @property
    def draining(self) -> bool:
        """No request after this one: the server is ending."""
        return self._owner.draining

    @property
    def idle(self) -> bool:
        return self.head is None

    @property
    def overdue(self) -> str:
        """What the deadline was for, in a word for the log; empty where its passing is nothing to tell."""
        if self._closing:
            return ""
        if self.head is not None:
            return "" if self.body_done else "body_timeout"
        return "head_timeout" if self._buffer else ""
