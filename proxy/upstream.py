"""The pool of connections to the API servers, and one request sent over one of them.

A connection serves one cluster *and one identity*, one request at a time, and goes back to the pool only after an
answer that ended cleanly: leftovers of one person's answer cannot reach another. No redirect is followed, no proxy of
the environment is used, the certificate is checked against the cluster's own CA. A request is sent once; the one
exception is decided by `proxy.relay`, which alone knows that nothing was answered.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import Protocol, cast

from proxy.http1 import (
    MAX_HEAD_BYTES,
    MAX_INFORMATIONAL,
    Body,
    Malformed,
    ResponseHead,
    UnboundedBody,
    head_end,
    parse_response_head,
    response_body,
)
from proxy.keep_alive import keep_alive
from proxy.outbox import Outbox
from proxy.received import buffer, received
from proxy.streams.tls_stream import TlsStream
from proxy.streams.upstream_stream import UpstreamStream

IDLE_SECONDS = 60.0
"""The API server closes idle connections at 90 s; we close first."""
MAX_IDLE_PER_IDENTITY = 256
"""A client keeps one request under way on each of its connections, and each needs one here; fewer would dial again for
the rest. They close after a minute."""


class Endpoint(Protocol):
    """Where a cluster is and how we prove ourselves to it; made by `proxy.clusters`."""

    @property
    def name(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def host_header(self) -> bytes: ...
    @property
    def path_prefix(self) -> bytes: ...
    @property
    def server_hostname(self) -> str: ...
    def ssl_context(self) -> ssl.SSLContext: ...
    def authorization(self) -> bytes | None: ...


class Exchange(Protocol):
    """What hears of one request's answer. Calls come in this order: head, body*, end; or lost, at any point."""

    def upstream_head(self, head: ResponseHead) -> None: ...
    def upstream_body(self, data: bytes) -> None: ...
    def upstream_end(self, *, reusable: bool) -> None: ...
    def upstream_flush(self) -> None: ...
    def upstream_lost(self, reason: str, *, malformed: bool) -> None: ...
    def upstream_writable(self, *, writable: bool) -> None: ...


class UpstreamConnection(asyncio.BufferedProtocol):
    """One TLS connection to an API server, used by one identity, one exchange at a time."""

    __slots__ = (
        "_body",
        "_buffer",
        "_exchange",
        "_informational",
        "_method",
        "_outbox",
        "_pending",
        "_reading",
        "_request_done",
        "_reusable",
        "_socket",
        "_stalled",
        "broken",
        "endpoint",
        "idle_since",
        "key",
        "transport",
        "used",
    )

    def __init__(self, key: PoolKey, outbox: Outbox) -> None:
        self.key = key
        self._outbox = outbox
        self._pending = b""
        self.transport: asyncio.Transport | None = None
        self._socket: asyncio.Transport | None = None
        self.endpoint: Endpoint | None = None
        self.idle_since = 0.0
        self.broken = False
        self.used = False
        self._exchange: Exchange | None = None
        self._buffer = b""
        self._body: Body | None = None
        self._method = ""
        self._informational = 0
        self._reading = True
        self._request_done = False
        self._reusable = False
        self._stalled = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = self._socket = cast("asyncio.Transport", transport)

    async def secure(self, context: ssl.SSLContext, server_hostname: str, loop: asyncio.AbstractEventLoop) -> None:
        """Put TLS between the socket and us. Raises OSError or ssl.SSLError, and the connection is aborted."""
        plain = self.transport
        if plain is None or plain.is_closing():
            self.broken = True
            raise ConnectionResetError("the connection ended before the handshake")
        try:
            self.transport = await loop.start_tls(plain, self, context, server_hostname=server_hostname)
        except BaseException:
            self.broken = True
            plain.abort()
            raise
        if self.broken or self.transport is None:
            plain.abort()
            raise ConnectionResetError("the connection ended in the handshake")

    def start(self, exchange: Exchange, method: str, head: bytes, *, has_body: bool) -> None:
        """Send a head. The exchange hears everything that follows until `upstream_end` or `upstream_lost`."""
        assert self.transport is not None
        assert self._exchange is None
        self._exchange, self._method = exchange, method
        self._body, self._buffer, self._informational = None, b"", 0
        self._request_done = not has_body
        self._pending = head
        self._outbox.put(self)

    def flush(self) -> None:
        """A head leaves at the end of the loop's pass, or right before the first byte of its body."""
        pending, self._pending = self._pending, b""
        if pending and self.transport is not None and not self.broken:
            self.transport.write(pending)

    def send(self, data: bytes) -> None:
        """More of the request's body."""
        if self._pending:
            self.flush()
        if self.transport is not None and not self.broken:
            self.transport.write(data)

    def request_complete(self) -> None:
        """The request's body is all sent; only now can the connection be used again."""
        self._request_done = True

    def pause(self) -> None:
        """Take nothing more from the socket. What TLS has already taken is still delivered, one read of it at most:
        were TLS itself paused, uvloop's would drop that when the other side closes.
        """
        if self._reading and self._socket is not None and not self.broken:
            self._reading = False
            self._socket.pause_reading()

    def resume(self) -> None:
        if not self._reading and self._socket is not None and not self.broken:
            self._reading = True
            self._socket.resume_reading()

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        self.broken = True
        self._exchange = None
        if self.transport is not None:
            self.transport.abort()

    def pause_writing(self) -> None:
        self._stalled = True
        if self._exchange is not None:
            self._exchange.upstream_writable(writable=False)

    def resume_writing(self) -> None:
        self._stalled = False
        if self._exchange is not None:
            self._exchange.upstream_writable(writable=True)

    def get_buffer(self, _size: int) -> memoryview:
        return buffer()

    def buffer_updated(self, count: int) -> None:
        self.data_received(received(count))

    def data_received(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:  # bytes nobody asked for: whatever they are, this connection is spent
            self.abort()
            return
        try:
            self._feed(exchange, data)
        except Malformed as error:
            self.abort()
            exchange.upstream_lost(str(error), malformed=True)
            return
        exchange.upstream_flush()

    def _feed(self, exchange: Exchange, data: bytes) -> None:
        while self._body is None:
            self._buffer = self._buffer + data if self._buffer else data
            end = head_end(self._buffer)
            if not end:
                if len(self._buffer) > MAX_HEAD_BYTES:
                    raise Malformed("an answer's head over the limit")
                return
            if end > MAX_HEAD_BYTES:
                raise Malformed("an answer's head over the limit")
            head = parse_response_head(self._buffer[:end], self._method)
            data, self._buffer = self._buffer[end:], b""
            if head.status < 200:
                self._informational_head(head)
                continue
            self._body = response_body(head)
            self._reusable = not head.close
            exchange.upstream_head(head)
        body = self._body
        if not body.done:
            taken = body.feed(data)
            if taken:
                exchange.upstream_body(data if taken == len(data) else data[:taken])
            data = data[taken:]
        if body.done:
            if data:
                raise Malformed("bytes behind the end of an answer")
            self._finish(exchange)

    def _informational_head(self, head: ResponseHead) -> None:
        """100 and 103 are for hops; 101 nobody asked for is an attack or a fault (security: U1)."""
        self._informational += 1
        if head.status == 101 or self._informational > MAX_INFORMATIONAL:
            raise Malformed("an upgrade or a flood of 1xx that nobody asked for")

    def _finish(self, exchange: Exchange) -> None:
        # what answers before it has read the request is not waited for
        reusable = self._reusable and self._request_done and not self._stalled and not self.broken
        self._exchange = None
        self.used = True
        if not reusable:
            self.broken = True
        exchange.upstream_end(reusable=reusable)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        exchange, self._exchange = self._exchange, None
        self.broken = True
        self.transport = self._socket = None
        if exchange is None:
            return
        body = self._body
        if error is None and isinstance(body, UnboundedBody):
            exchange.upstream_end(reusable=False)
            exchange.upstream_flush()
            return
        exchange.upstream_lost("the connection to the API server ended", malformed=False)


PoolKey = tuple[str, int, tuple[str, str]]
"""(cluster, id of its settings, identity key). A connection holds its settings, so that no others get their id."""


class UpstreamPool:
    """Idle connections by cluster and identity. Open ones are bounded by the client connections that use them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, connect_seconds: float) -> None:
        """`connect_seconds`: for TCP and TLS together."""
        self._loop = loop
        self._connect_seconds = connect_seconds
        self._outbox = Outbox(loop)
        self._idle: dict[PoolKey, deque[UpstreamConnection]] = {}

    def take(self, key: PoolKey) -> UpstreamConnection | None:
        """An idle connection that looks alive, or None: then `connect`."""
        idle = self._idle.get(key)
        while idle:
            connection = idle.pop()
            if not connection.broken and connection.transport is not None and not connection.transport.is_closing():
                return connection
        return None

    async def connect(self, endpoint: Endpoint, key: PoolKey) -> UpstreamConnection:
        """A new connection. Raises OSError, ssl.SSLError or TimeoutError, which say why not."""
        async with asyncio.timeout(self._connect_seconds):
            connection = await self._open(endpoint, key)
        connection.endpoint = endpoint
        return connection

    async def _open(self, endpoint: Endpoint, key: PoolKey) -> UpstreamConnection:
        context, name = endpoint.ssl_context(), endpoint.server_hostname
        transport, connection = await self._loop.create_connection(
            lambda: UpstreamConnection(key, self._outbox), endpoint.host, endpoint.port
        )
        keep_alive(transport.get_extra_info("socket"))
        await connection.secure(context, name, self._loop)
        return connection

    async def connect_stream(self, endpoint: Endpoint) -> UpstreamStream:
        """A connection for one upgrade, never pooled. Raises as `connect`."""
        async with asyncio.timeout(self._connect_seconds):
            return await self._open_stream(endpoint)

    async def _open_stream(self, endpoint: Endpoint) -> UpstreamStream:
        context, name = endpoint.ssl_context(), endpoint.server_hostname
        transport, stream = await self._loop.create_connection(
            lambda: TlsStream(context, name, self._loop), endpoint.host, endpoint.port
        )
        keep_alive(transport.get_extra_info("socket"))
        try:
            await stream.ready
        except BaseException:
            stream.abort()
            raise
        return stream

    def give_back(self, connection: UpstreamConnection, now: float) -> None:
        """Keep a connection whose last answer ended cleanly; `now` is monotonic."""
        idle = self._idle.get(connection.key)
        if idle is None:
            idle = self._idle[connection.key] = deque()
        if connection.broken or connection.transport is None or len(idle) >= MAX_IDLE_PER_IDENTITY:
            connection.abort()
            return
        connection.idle_since = now
        connection.resume()
        idle.append(connection)

    def sweep(self, now: float) -> None:
        """Close what has been idle too long; called every few seconds."""
        for key, idle in list(self._idle.items()):
            while idle and (idle[0].broken or now - idle[0].idle_since > IDLE_SECONDS):
                idle.popleft().abort()
            if not idle:
                del self._idle[key]

    def close(self) -> None:
        """Abort every idle connection."""
        for idle in self._idle.values():
            for connection in idle:
                connection.abort()
        self._idle.clear()
