"""The journey of a request, in this order:

origin → who → what → may they → as whom → intent record → upstream → relay → outcome record.

Steps are plain calls (`proxy.filters`); each returns a Refusal to stop. Whatever is not done ends in `_refuse` or
`_answer`, with its record; what is done was recorded by `complete`, before its last byte.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from auth.errors import Reason
from proxy.audit_id import RANDOM_BYTES, uuid7
from proxy.connection import KubeConnection
from proxy.context import RequestContext
from proxy.filters.audit import AuditFilter, may_change
from proxy.headers import head_for_upstream
from proxy.http1 import RequestHead
from proxy.metrics import Metrics
from proxy.object_before import ObjectBefore, is_wanted
from proxy.relay import End, Relay, RelayResult
from proxy.status import Refusal, response, wants_text
from proxy.streams.streaming import Streaming
from proxy.upstream import Endpoint, PoolKey, UpstreamConnection, UpstreamPool
from proxy.upstream_failure import cause, gone, invalid, timed_out, unreachable
from recordings.errors import LogUnavailableError

Step = Callable[[RequestContext], Refusal | None]

STARTED_SECONDS = 1.0
"""An answer that lives longer than this gets a ResponseStarted record."""
SWEPT_AT_ONCE = 1000
"""Watches looked at in one sweep, at 20 µs each; of more, a part, so that nothing else has to wait for long."""
SWEEPS = 4
"""After so many each was looked at: a second for the state to be read and three more are within the five promised."""

LEFT = RelayResult(End.CLIENT_GONE, detail="the client closed the connection")
ENDED = RelayResult(End.CLIENT_GONE, detail="the server ended")


class Journey:
    """Every request passes through `__call__`."""

    def __init__(
        self,
        steps: tuple[Step, ...],
        audit: AuditFilter,
        pool: UpstreamPool,
        *,
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], float],
        random: Callable[[int], bytes],
        metrics: Metrics,
        streaming: Streaming | None = None,
        still: Callable[[RequestContext], Refusal | None] = lambda _: None,
    ) -> None:
        """Without `streaming`, upgrades are refused. `still`: why a request that passed would not pass any more."""
        self._streaming = streaming
        self._steps = steps
        self._audit = audit
        self._pool = pool
        self._loop = loop
        self._clock = clock
        self._random = random
        self._metrics = metrics
        self._still = still
        self._endless: dict[Relay, None] = {}
        self._to_sweep: list[Relay] = []
        self._share = 0
        self._object_before = ObjectBefore(steps, pool, loop=loop, clock=clock)

    def __call__(self, connection: KubeConnection, head: RequestHead) -> Coroutine[Any, Any, None] | None:
        """Begin. What is returned is to be run as a task; None: nothing has to be waited for but the answer."""
        now = self._clock()
        audit_id = uuid7(now, self._random(RANDOM_BYTES))
        context = RequestContext(head, connection.credential, connection.source, now, self._loop.time(), audit_id)
        refusal = self._decide(context)
        if refusal is not None:
            return self._refuse(connection, context, refusal)
        context.detail = self._audit.detail(context)
        if self._audit.waits_for_intent(context):
            return self._after_intent(connection, context)
        return self._exchange(connection, context)

    async def _after_intent(self, connection: KubeConnection, context: RequestContext) -> None:
        try:
            unavailable = await self._audit.intent(context)
        except asyncio.CancelledError:
            self._audit.outcome(context, ENDED)
            raise
        if unavailable is not None:
            await self._refuse(connection, context, unavailable, recorded=True)
            return
        if connection.transport is None:
            self._audit.outcome(context, LEFT)
            return
        if context.upgrade is not None:
            await self._stream(connection, context)
            return
        if is_wanted(context) and not await self._read_before(connection, context):
            return
        dialling = self._exchange(connection, context)
        if dialling is not None:
            await dialling

    async def _read_before(self, connection: KubeConnection, context: RequestContext) -> bool:
        """What the write changes will be known, or why not. False: the client has left meanwhile."""
        try:
            context.before = await self._object_before.read(context)
        except asyncio.CancelledError:
            self._audit.outcome(context, ENDED)
            raise
        if connection.transport is None:
            self._audit.outcome(context, LEFT)
            return False
        return True

    async def _stream(self, connection: KubeConnection, context: RequestContext) -> None:
        assert self._streaming is not None
        try:
            refusal = await self._streaming.run(connection, context)
        except asyncio.CancelledError:
            self._audit.outcome(context, ENDED)
            raise
        if refusal is not None:
            await self._refuse(connection, context, refusal)

    def _decide(self, context: RequestContext) -> Refusal | None:
        unavailable = self._audit.unavailable()
        if unavailable is not None:
            return unavailable
        for step in self._steps:
            refusal = step(context)
            if refusal is not None:
                return refusal
        if context.head.fields.upgrade is None:
            return None
        if self._streaming is None:
            return Refusal(Reason.UPGRADE_UNSUPPORTED, "exec, attach and port-forward are not served here")
        return self._streaming.prepare(context)

    async def _refuse(
        self, connection: KubeConnection, context: RequestContext, refusal: Refusal, *, recorded: bool = False
    ) -> None:
        """Recorded, durably, before it is told; a refusal that cannot be recorded is still a refusal."""
        if not recorded and refusal.reason is not Reason.LOG_UNAVAILABLE:
            unavailable = await self._audit.refused(context, refusal)
            refusal = unavailable or refusal
        fields = context.head.fields
        # what follows a refused upgrade may be meant for the other protocol (security: U5)
        close = refusal.code == 400 or fields.close or fields.upgrade is not None or not connection.body_done
        self._metrics.requests[(context.credential.cluster, refusal.code)] += 1
        connection.write(_refused(refusal, context, close=close))
        connection.next_request(keep_alive=not close)

    def sweep(self) -> None:
        """Cut the watches and followed logs whose request would not pass any more; to be called every second.

        What has an end is left to it: a write that is cut is one of which nobody knows what it did.
        """
        if not self._to_sweep:
            self._to_sweep = list(self._endless)
            self._share = max(SWEPT_AT_ONCE, -(-len(self._to_sweep) // SWEEPS))
        now, self._to_sweep = self._to_sweep[: self._share], self._to_sweep[self._share :]
        for relay in now:
            refusal = None if relay.done else self._still(relay.context)
            if refusal is not None:
                relay.cut(refusal.message)

    # -- upstream

    def _exchange(self, connection: KubeConnection, context: RequestContext) -> Coroutine[Any, Any, None] | None:
        """Send the request over an idle connection; where there is none, dialling is returned, to be run."""
        endpoint, login = context.endpoint, context.login
        assert endpoint is not None
        assert login is not None
        key: PoolKey = (endpoint.name, id(endpoint), login.identity.key)
        upstream = self._pool.take(key)
        if upstream is None:
            return self._dial(connection, context, key)
        self._send(connection, context, upstream, fresh=False)
        return None

    async def _dial(self, connection: KubeConnection, context: RequestContext, key: PoolKey) -> None:
        assert context.endpoint is not None
        try:
            connected = await self._connect(context.endpoint, key)
        except asyncio.CancelledError:
            self._audit.outcome(context, ENDED)
            raise
        if isinstance(connected, RelayResult):
            self._answer(connection, context, connected)
        elif connection.transport is None:
            connected.abort()
            self._answer(connection, context, LEFT)
        else:
            self._send(connection, context, connected, fresh=True)

    def _send(
        self, connection: KubeConnection, context: RequestContext, upstream: UpstreamConnection, *, fresh: bool
    ) -> None:
        head = context.head
        relay = Relay(self, connection, context, upstream, fresh=fresh)
        upstream.start(relay, head.method, head_for_upstream(context), has_body=head.fields.has_body)
        connection.begin_body(relay)

    async def _connect(self, endpoint: Endpoint, key: PoolKey) -> UpstreamConnection | RelayResult:
        try:
            return await self._pool.connect(endpoint, key)
        except TimeoutError:
            return RelayResult(End.UPSTREAM_TIMEOUT, detail="timeout: no connection to the API server in time")
        except OSError as error:
            return RelayResult(End.UPSTREAM_GONE, detail=cause(error))

    # -- what a relay tells (`relay.RelayOwner`)

    def started(self, relay: Relay) -> None:
        relay.timer = self._loop.call_later(STARTED_SECONDS, self._record_start, relay)

    def _record_start(self, relay: Relay) -> None:
        if relay.is_endless:
            self._endless[relay] = None
        with suppress(LogUnavailableError):  # the outcome will say the same, or its last bytes stay here
            self._audit.started(relay.context, relay.result)

    def complete(self, relay: Relay) -> bool:
        return self._audit.outcome(relay.context, relay.result)

    def ended(self, relay: Relay) -> None:
        """Keep or end both connections; a read that met a dying idle connection is sent once more, over a new one."""
        if relay.timer is not None:
            relay.timer.cancel()
            self._endless.pop(relay, None)
        upstream, connection, context, result = relay.upstream, relay.client, relay.context, relay.result
        if relay.reusable:
            self._pool.give_back(upstream, self._loop.time())
        else:
            upstream.abort()
        again = not relay.fresh and not relay.response_seen and context.head.method in ("GET", "HEAD")
        if again and result.end is End.UPSTREAM_GONE:
            connection.run(self._dial(connection, context, upstream.key))
        else:
            self._answer(connection, context, result)

    # -- the end

    def _answer(self, connection: KubeConnection, context: RequestContext, result: RelayResult) -> None:
        """After the relay: keep the connection, or end it with the reason. DONE was recorded before its last byte."""
        code = result.status or 0
        if result.end is End.DONE:
            self._metrics.requests[(context.credential.cluster, code)] += 1
            connection.next_request(keep_alive=not result.close)
            return
        if result.end is End.LOG_UNAVAILABLE:
            connection.abort()  # the last bytes were held back: nobody gets an answer that has no record
            connection.next_request(keep_alive=False)
            return
        self._audit.outcome(context, result)
        if result.end is End.CLIENT_GONE:
            connection.next_request(keep_alive=False)
            return
        if result.started:
            connection.abort()  # a torn answer must look torn
            connection.next_request(keep_alive=False)
            return
        refusal = self._failure(context, result)
        self._metrics.requests[(context.credential.cluster, refusal.code)] += 1
        connection.write(_refused(refusal, context, close=True))
        connection.next_request(keep_alive=False)

    def _failure(self, context: RequestContext, result: RelayResult) -> Refusal:
        cluster, unknown = context.credential.cluster, result.unanswered and may_change(context)
        if result.end is End.UPSTREAM_INVALID:
            return invalid(cluster, result.detail, unknown=unknown)
        if result.end is End.UPSTREAM_TIMEOUT:
            return timed_out(cluster, unknown=unknown)
        return gone(cluster, result.detail) if unknown else unreachable(cluster, result.detail)


def _refused(refusal: Refusal, context: RequestContext, *, close: bool) -> bytes:
    head = context.head
    return response(
        refusal,
        context.audit_id.encode(),
        head_only=head.method == "HEAD",
        close=close,
        text=wants_text(head.target),
    )
