"""The kube listener: sockets, TLS, limits on connections, drain. What a request becomes is `journey`.

Accepting is done by hand (`sock_accept`, then `connect_accepted_socket`), because only this way a failed handshake is
seen with its reason, counted and recorded; `create_server(ssl=…)` says nothing.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from auth.client_cert import read_credential
from auth.errors import AuthError, Reason
from proxy.audit_id import RANDOM_BYTES, uuid7
from proxy.config import KubeLimits
from proxy.connection import KubeConnection
from proxy.http1 import RequestHead
from proxy.keep_alive import keep_alive
from proxy.metrics import Metrics
from proxy.outbox import Outbox
from proxy.status import Refusal, response

MAX_HANDSHAKES = 512
"""Under way at once: 512 of about 1.5 ms CPU are 0.8 s of work. When one more comes, the oldest is given up: it needed
milliseconds and had longer, so silent clients cannot keep others out."""
BACKLOG = 1024
CUT_SECONDS = 5.0
"""For connections that were aborted to say so: it takes one pass of the loop."""
SWEEP_SECONDS = 1.0
"""How often deadlines of connections are looked at: a deadline is kept to a second."""

NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME (OpenSSL x509_vfy.h): dates are checked at every request, where a sentence can be said."""


def kube_ssl_context(certificate_chain: str, key: str, client_ca_pem: str) -> ssl.SSLContext:
    """TLS 1.3 only, no tickets, http/1.1 only, a client certificate of our CA required.

    `certificate_chain` and `key` are paths of PEM files.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    # every suite of TLS 1.3 will do, and the client knows which one its processor is fast at
    context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(certificate_chain, key)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=client_ca_pem)
    context.verify_flags |= NO_CHECK_TIME
    return context


Journey = Callable[[KubeConnection, RequestHead], Coroutine[Any, Any, None] | None]
Recorded = Callable[[str, str, str], None]
"""(reason, source address, detail): a refusal before authentication, to be rolled up with exact counts."""


class KubeListener:
    """Accepts, hands to `journey`, sweeps deadlines, drains."""

    def __init__(
        self,
        context: ssl.SSLContext,
        journey: Journey,
        *,
        loop: asyncio.AbstractEventLoop,
        installation: str,
        limits: KubeLimits,
        refused: Recorded,
        metrics: Metrics,
        clock: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        self.loop = loop
        self.draining = False
        self.limits = limits
        self.outbox = Outbox(loop)
        self._context = context
        self._journey = journey
        self._installation = installation
        self._refused = refused
        self._metrics = metrics
        self._clock = clock
        self._random = random
        self._connections: set[KubeConnection] = set()
        self._sources: Counter[str] = Counter()
        self._handshakes: dict[asyncio.Task[None], None] = {}
        """The oldest first."""
        self._running: set[asyncio.Task[None]] = set()
        self._accepting: asyncio.Task[None] | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._emptied: asyncio.Event | None = None

    # -- life

    def start(self, listening: socket.socket) -> None:
        """Serve a bound, listening socket; it is set non-blocking and closed at `stop`."""
        listening.setblocking(False)
        self._accepting = self.loop.create_task(self._accept(listening))
        self._sweep()

    async def stop(self) -> None:
        """Accept no more, let running requests end, cut what is left after `limits.drain_timeout`.

        Whatever ran has its outcome in the log when this returns.
        """
        self.draining = True
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.gather(self._accepting, return_exceptions=True)
        self._emptied = asyncio.Event()
        for connection in list(self._connections):
            if connection.idle:
                connection.close()
        await self._empty(self.limits.drain_timeout)
        self.cut()
        await self._empty(CUT_SECONDS)
        if self._sweeper is not None:
            self._sweeper.cancel()
        tasks = [*self._handshakes, *self._running]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _empty(self, seconds: float) -> None:
        """Until no connection is left, or so long."""
        assert self._emptied is not None
        if self._connections:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._emptied.wait()

    def cut(self) -> None:
        """End the drain: what still runs is ended now."""
        for connection in list(self._connections):
            connection.end()

    async def _accept(self, listening: socket.socket) -> None:
        with listening:
            while True:
                try:
                    accepted, _ = await self.loop.sock_accept(listening)
                except OSError as error:  # EMFILE and the like: wait a little instead of spinning
                    self._refused("accept_failed", "", error.strerror or type(error).__name__)
                    await asyncio.sleep(SWEEP_SECONDS)
                    continue
                if len(self._handshakes) >= MAX_HANDSHAKES:
                    next(iter(self._handshakes)).cancel()
                task = self.loop.create_task(self._handshake(accepted))
                self._handshakes[task] = None
                task.add_done_callback(self._handshake_done)

    def _handshake_done(self, task: asyncio.Task[None]) -> None:
        self._handshakes.pop(task, None)

    async def _handshake(self, accepted: socket.socket) -> None:
        source = _source(accepted)
        over = self._over(source)
        if over:
            accepted.close()
            self._refused(over, source, "")
            return
        self._sources[source] += 1
        try:
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            keep_alive(accepted)
            await self.loop.connect_accepted_socket(
                lambda: KubeConnection(self, source),
                accepted,
                ssl=self._context,
                ssl_handshake_timeout=self.limits.handshake_timeout,
            )
        except (OSError, ssl.SSLError, TimeoutError) as error:
            self._handshake_failed(accepted, source, _handshake_reason(error))
        except asyncio.CancelledError:
            self._handshake_failed(accepted, source, "ended" if self.draining else "handshake_given_up")
            raise

    def _handshake_failed(self, accepted: socket.socket, source: str, reason: str) -> None:
        accepted.close()
        self._left(source)
        self._metrics.handshake_failures[reason] += 1
        self._refused(reason, source, "")

    def _over(self, source: str) -> str:
        """Which limit one more connection from there would break, handshakes under way included."""
        if len(self._connections) >= self.limits.connections:
            return "too_many_connections"
        return "too_many_from_source" if self._sources[source] >= self.limits.connections_per_source else ""

    def _sweep(self) -> None:
        self._sweeper = self.loop.call_later(SWEEP_SECONDS, self._sweep)
        now = self.loop.time()
        for connection in [c for c in self._connections if c.deadline < now]:
            if connection.overdue:
                self._refused(connection.overdue, connection.source, "")
            connection.expire()

    # -- ConnectionOwner

    def opened(self, connection: KubeConnection) -> None:
        """Read the certificate once; one that is not ours ends the connection with a Status."""
        self._connections.add(connection)
        self._metrics.connections = len(self._connections)
        try:
            connection.credential = read_credential(connection.certificate, self._installation)
        except AuthError as error:
            self._refused(error.reason.value, connection.source, "")
            connection.write(self._status(Refusal(error.reason, error.message)))
            connection.close()
        if self.draining:
            connection.close()

    def closed(self, connection: KubeConnection) -> None:
        self._connections.discard(connection)
        self._left(connection.source)
        self._metrics.connections = len(self._connections)
        if self._emptied is not None and not self._connections:
            self._emptied.set()

    def _left(self, source: str) -> None:
        self._sources[source] -= 1
        if not self._sources[source]:
            del self._sources[source]

    def malformed(self, connection: KubeConnection, reason: str) -> bytes:
        """Counted and recorded; the answer is constant but for our own sentence."""
        self._metrics.malformed += 1
        self._refused("malformed", connection.source, reason)
        return self._status(Refusal(Reason.BAD_REQUEST, f"the request is not HTTP/1.1 as accepted here: {reason}"))

    def journey(self, connection: KubeConnection, head: RequestHead) -> Coroutine[Any, Any, None] | None:
        return self._journey(connection, head)

    def run(self, connection: KubeConnection, waiting: Coroutine[Any, Any, None]) -> None:
        """A journey that has to wait. Should it fail, which none may, its client is not left waiting."""
        task = self.loop.create_task(waiting)
        self._running.add(task)
        task.add_done_callback(partial(self._ran, connection))

    def _ran(self, connection: KubeConnection, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            connection.abort()
            self.loop.call_exception_handler({"message": "a journey failed", "exception": error, "task": task})

    def _status(self, refusal: Refusal) -> bytes:
        audit_id = uuid7(self._clock(), self._random(RANDOM_BYTES))
        return response(refusal, audit_id.encode(), head_only=False, close=True)


def _source(accepted: socket.socket) -> str:
    try:
        return str(accepted.getpeername()[0])
    except OSError:  # gone before we looked
        return ""


def _handshake_reason(error: Exception) -> str:
    """A word from a closed set: it becomes a metric's label."""
    if isinstance(error, (TimeoutError, ConnectionAbortedError)):  # the latter is what both loops raise
        return "handshake_timeout"
    if isinstance(error, ssl.SSLCertVerificationError):
        return "certificate_not_ours"
    if isinstance(error, ssl.SSLError):
        words = {
            "PEER_DID_NOT_RETURN_A_CERTIFICATE": "no_certificate",
            "HTTP_REQUEST": "plain_http",
            "UNSUPPORTED_PROTOCOL": "old_tls",
            "NO_SHARED_CIPHER": "no_shared_cipher",
            "UNEXPECTED_EOF_WHILE_READING": "client_left",
        }
        return words.get(getattr(error, "reason", None) or "", "handshake_failed")
    return "client_left"


def listen(host: str, port: int) -> socket.socket:
    """A listening socket that other workers may share (SO_REUSEPORT). Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening
