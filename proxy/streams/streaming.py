"""From an upgrade that may pass to a stream that has ended: its recording, its connection, its records."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from auth.errors import Reason
from proxy.base32_id import base32_id
from proxy.context import RequestContext
from proxy.filters.audit import AuditFilter
from proxy.headers import head_for_upstream
from proxy.metrics import Metrics
from proxy.relay import End, RelayResult
from proxy.status import RETRY_AFTER_SECONDS, Refusal, response
from proxy.streams.handshake import Upgrade, UpgradeRefusedError, read_upgrade, upgrade_lines
from proxy.streams.live_streams import LiveStreams
from proxy.streams.pod_facts import PodReader
from proxy.streams.port_policy import PortRefusedError, check_port
from proxy.streams.stream_relay import StreamRelay
from proxy.streams.upstream_stream import UpstreamStream
from proxy.target import query_bool
from proxy.upstream import Endpoint
from proxy.upstream_failure import LOOK, cause, timed_out, unreachable
from recordings.errors import LogUnavailableError
from recordings.recorder.head import RecordingHead
from recordings.recorder.recorder import Recorder, RecordingFailedError, Sealed
from recordings.recorder.store import RecordingStore
from recordings.streams.outcome import Outcome

if TYPE_CHECKING:
    from proxy.connection import KubeConnection

ANSWER_SECONDS = 60.0
"""For the API server to answer an upgrade: it asks the kubelet, which asks the runtime; client-go waits as long."""
RECORDING = "kubewitness.dev/recording"


class StreamPool(Protocol):
    """Dials for streams (`proxy.upstream`)."""

    async def connect_stream(self, endpoint: Endpoint) -> UpstreamStream: ...


class Streaming:
    """One per process. `prepare` decides, `run` does the rest; it implements `stream_relay.StreamOwner`."""

    def __init__(
        self,
        store: RecordingStore,
        pool: StreamPool,
        audit: AuditFilter,
        *,
        loop: asyncio.AbstractEventLoop,
        random: Callable[[int], bytes],
        metrics: Metrics,
        still: Callable[[RequestContext], Refusal | None],
        pods: PodReader | None = None,
    ) -> None:
        """`still`: why a request that passed once would not pass now. `pods` asks what a recording is of."""
        self._store = store
        self._pool = pool
        self._audit = audit
        self._loop = loop
        self._random = random
        self._metrics = metrics
        self._pods = pods
        self.live = LiveStreams(lambda context: audit.unavailable() or still(context))

    def prepare(self, context: RequestContext) -> Refusal | None:
        """Set `upgrade`, or say why not. Nothing has happened yet."""
        assert context.info is not None
        assert context.target is not None
        try:
            context.upgrade = read_upgrade(context.head, context.info, context.target.query)
        except UpgradeRefusedError as error:
            return Refusal(Reason.BAD_REQUEST, str(error))
        try:
            for port in context.upgrade.ports:
                check_port(context, port)
        except PortRefusedError as error:
            return Refusal(Reason.DENIED, str(error))
        over = self.live.over(context)
        return Refusal(Reason.LIMIT_EXCEEDED, over) if over else None

    async def run(self, connection: KubeConnection, context: RequestContext) -> Refusal | None:
        """Behind the intent: record, dial, ask. A Refusal is still to be told and recorded; None: the stream has its
        own end from here on.
        """
        upgrade, endpoint = context.upgrade, context.endpoint
        assert upgrade is not None
        assert endpoint is not None
        self.live.add(context)
        recorder: Recorder | None = None
        try:
            if upgrade.is_recorded:
                recorder = await self._store.open(self._head(context, upgrade))
            upstream = await self._connect(endpoint)
            if not isinstance(upstream, Refusal):
                self._ask(connection, context, upstream, recorder)
                return None
            refusal = upstream
        except RecordingFailedError as error:
            refusal = Refusal(
                Reason.RECORDING_UNAVAILABLE,
                f"this would be recorded, and recording does not work: {error}; tell your platform team",
                retry_after_seconds=RETRY_AFTER_SECONDS,
            )
        except BaseException:
            await self._drop(context, recorder)
            raise
        await self._drop(context, recorder)
        return refusal

    async def _drop(self, context: RequestContext, recorder: Recorder | None) -> None:
        """There is no stream after all."""
        self.live.remove(context)
        if recorder is not None:
            await self._discard(recorder)

    async def _connect(self, endpoint: Endpoint) -> UpstreamStream | Refusal:
        try:
            return await self._pool.connect_stream(endpoint)
        except TimeoutError:
            return timed_out(endpoint.name)
        except OSError as error:
            return unreachable(endpoint.name, cause(error))

    def _ask(
        self, connection: KubeConnection, context: RequestContext, upstream: UpstreamStream, recorder: Recorder | None
    ) -> None:
        upgrade = context.upgrade
        assert upgrade is not None
        relay = StreamRelay(
            self, connection, context, upgrade=upgrade, upstream=upstream, recorder=recorder, random=self._random
        )
        self.live.joined(relay)
        relay.timer = self._loop.call_later(ANSWER_SECONDS, relay.no_answer)
        upstream.write(head_for_upstream(context, upgrade_lines(upgrade)))
        connection.begin_stream(relay)

    def _head(self, context: RequestContext, upgrade: Upgrade) -> RecordingHead:
        info, login, target, verdict = context.info, context.login, context.target, context.verdict
        assert info is not None
        assert login is not None
        assert target is not None
        options = verdict.options if verdict is not None else None
        identity = login.identity
        tty = query_bool(target.first("tty"))
        prefix = "SPDY/3.1 " if upgrade.carrier == "spdy/3.1" else ""
        return RecordingHead(
            id=base32_id(self._random),
            started=context.received_at,
            cluster=context.credential.cluster,
            namespace=info.namespace,
            pod=info.name,
            subresource=info.subresource,
            audit_id=context.audit_id,
            issuer=identity.issuer,
            subject=identity.subject,
            username=identity.username,
            login=str(context.credential.login_id),
            source=context.source,
            protocol=prefix + ", ".join(upgrade.offered),
            container=target.first("container") or "",
            command=target.all("command"),
            stdin=query_bool(target.first("stdin")),
            tty=tty,
            role=verdict.role if verdict is not None else "",
            strict=options is not None and options.record == "strict",
            hides_input=options is not None and options.hide_unechoed_input and tty,
        )

    # -- StreamOwner

    def run_for(self, stream: StreamRelay, waiting: Coroutine[Any, Any, None]) -> None:
        stream.client.run_beside(waiting)

    def stream_begun(self, stream: StreamRelay) -> None:
        if stream.timer is not None:
            stream.timer.cancel()
        if stream.recorder is not None:
            stream.result.annotations[RECORDING] = stream.recorder.head.id
            if self._pods is not None:
                self.run_for(stream, self._learn(self._pods, stream, stream.recorder))
        with suppress(LogUnavailableError):  # the sweep ends the stream within a second; the outcome is owed
            self._audit.started(stream.context, stream.result)

    async def _learn(self, pods: PodReader, stream: StreamRelay, recorder: Recorder) -> None:
        facts = await pods.read(stream.context)
        recorder.image, recorder.node = facts.image, facts.node
        stream.result.annotations |= facts.annotations()

    def stream_ended(self, stream: StreamRelay) -> None:
        if stream.timer is not None:
            stream.timer.cancel()
        self.run_for(stream, self._finish(stream))

    async def _finish(self, stream: StreamRelay) -> None:
        """Seal the recording, write its records, then let the client go."""
        result, context = stream.result, stream.context
        if self._pods is not None:
            self._pods.forget(context)
        try:
            if stream.recorder is not None:
                await self._seal(stream, stream.recorder)
            if stream.counts.connections:
                ports = ",".join(map(str, sorted(stream.counts.ports)))
                result.annotations |= {
                    "kubewitness.dev/ports": ports,
                    "kubewitness.dev/connections": str(stream.counts.connections),
                }
            result.annotations["kubewitness.dev/duration"] = f"{self._loop.time() - context.started:.3f}"
            self._audit.outcome(context, result)
            self._metrics.requests[(context.credential.cluster, result.status or _failure(result).code)] += 1
        finally:
            self.live.remove(context)
            stream.client.end_stream(_last_words(stream))

    async def _seal(self, stream: StreamRelay, recorder: Recorder) -> None:
        if not stream.result.started:
            await self._discard(recorder)
            return
        try:
            sealed = await recorder.close(stream.outcome, stream.why)
        except RecordingFailedError as error:
            stream.result.annotations["kubewitness.dev/recording-failed"] = str(error)
            return
        _annotate(stream.result, sealed)
        with suppress(LogUnavailableError):  # the outcome, which is owed, holds the digest too
            self._audit.sealed(stream.context, sealed)

    async def _discard(self, recorder: Recorder) -> None:
        """A recording of nothing: the upgrade was refused. Should it not go, it stays, empty."""
        with suppress(RecordingFailedError):
            await recorder.discard()


def _annotate(result: RelayResult, sealed: Sealed) -> None:
    outcome: Outcome = sealed.outcome
    result.annotations |= {
        RECORDING: sealed.id,
        "kubewitness.dev/recording-sha256": sealed.sha256,
        "kubewitness.dev/stdin-bytes": str(sealed.received),
        "kubewitness.dev/output-bytes": str(sealed.sent),
    }
    if outcome.exit_code is not None:
        result.annotations["kubewitness.dev/exit-code"] = str(outcome.exit_code)
    else:
        result.annotations["kubewitness.dev/ended"] = outcome.ended


def _failure(result: RelayResult) -> Refusal:
    if result.end is End.UPSTREAM_TIMEOUT:
        return Refusal(Reason.CLUSTER_TIMEOUT, f"the cluster did not answer the upgrade; {LOOK}")
    if result.end is End.UPSTREAM_GONE:
        return Refusal(Reason.CLUSTER_UNREACHABLE, f"the cluster ended the connection; {LOOK}")
    return Refusal(
        Reason.UPSTREAM_INVALID, f"the cluster's answer to the upgrade is not valid ({result.detail}); {LOOK}"
    )


def _last_words(stream: StreamRelay) -> bytes:
    """What the client has to be told yet: nothing, once it got an answer or has left."""
    if stream.answered or stream.result.end is End.CLIENT_GONE:
        return b""
    return response(_failure(stream.result), stream.context.audit_id.encode(), head_only=False, close=True)
