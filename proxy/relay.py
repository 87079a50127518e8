"""One request carried to the API server and its answer back, both bodies streamed, memory bounded.

The last byte of an answer leaves only after `complete` returned: that is where the outcome is recorded, so a person
never holds an answer that the log does not know of. Back-pressure goes both ways: a side that cannot be written stops
the reading of the other.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from proxy import headers
from proxy.body_copy import BodyCopy
from proxy.http1 import ResponseHead
from recordings.audit.policy.level import Level

if TYPE_CHECKING:
    from proxy.connection import KubeConnection
    from proxy.context import RequestContext
    from proxy.upstream import UpstreamConnection


class End(StrEnum):
    """How a relay ended."""

    DONE = "done"
    CLIENT_GONE = "client_gone"
    UPSTREAM_GONE = "upstream_gone"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    UPSTREAM_INVALID = "upstream_invalid"
    LOG_UNAVAILABLE = "log_unavailable"
    STREAM_FAULT = "stream_fault"
    """A side of an upgraded connection sent what cannot be followed."""
    CUT = "cut"
    """We ended a stream, a watch or another answer without end."""


@dataclass(slots=True)
class RelayResult:
    """What the outcome record says of the exchange; sizes are payload bytes without framing where that is known."""

    end: End = End.DONE
    status: int | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    started: bool = False
    sent: bool = False
    """The request was given to a connection to the API server: from then on it may have been carried out."""
    detail: str = ""
    close: bool = False
    """The client was told that this is its connection's last answer."""
    annotations: dict[str, str] = field(default_factory=dict)
    """What its records say of it besides."""
    request_body: BodyCopy | None = None
    response_body: BodyCopy | None = None
    """Copies of what passed, where the audit policy asks for them."""

    @property
    def unanswered(self) -> bool:
        """It was sent, and no answer that we understood has begun."""
        return (
            self.sent
            and self.end is not End.DONE
            and (self.status is None or (self.status == 101 and not self.started))
        )


class RelayOwner(Protocol):
    """What decides around a relay: `journey`."""

    def started(self, relay: Relay) -> None:
        """The first bytes of an answer went out before its end was here."""

    def complete(self, relay: Relay) -> bool:
        """The answer is whole. False: the outcome cannot be recorded, so its last bytes stay here."""

    def ended(self, relay: Relay) -> None:
        """However it ended; called once, last."""


class Relay:
    """An `upstream.Exchange` between two connections."""

    __slots__ = (
        "_held",
        "client",
        "context",
        "done",
        "fresh",
        "owner",
        "response_seen",
        "result",
        "reusable",
        "timer",
        "upstream",
    )

    def __init__(
        self,
        owner: RelayOwner,
        client: KubeConnection,
        context: RequestContext,
        upstream: UpstreamConnection,
        *,
        fresh: bool,
    ) -> None:
        """`fresh`: the upstream connection was made for this."""
        self.owner = owner
        self.client = client
        self.context = context
        self.upstream = upstream
        self.fresh = fresh
        self.result = RelayResult(close=context.head.fields.close or client.draining, sent=True)
        fields, detail = context.head.fields, context.detail
        if (
            detail is not None
            and fields.has_body
            and (detail.level.rank >= Level.REQUEST.rank or _is_workload(context))
        ):
            self.result.request_body = BodyCopy(
                fields.get(b"content-type"), fields.get(b"content-encoding"), chunked=fields.chunked
            )
        self.response_seen = False
        self.reusable = False
        self.done = False
        self.timer: asyncio.TimerHandle | None = None
        self._held: list[bytes] = []
        if not client.writable:
            upstream.pause()

    # -- from the client

    def request_data(self, data: bytes) -> None:
        """Framed bytes of the request's body, already matched."""
        self.result.bytes_in += len(data)
        if self.result.request_body is not None:
            self.result.request_body.feed(data)
        self.upstream.send(data)

    def request_end(self) -> None:
        self.upstream.request_complete()

    def client_writable(self, *, writable: bool) -> None:
        if writable:
            self.upstream.resume()
        else:
            self.upstream.pause()

    def client_gone(self, detail: str = "the client closed the connection") -> None:
        """The client's connection ended: so does the upstream one, at once, for a watch must not linger."""
        self.upstream.abort()
        self._finish(End.CLIENT_GONE, detail)

    def no_answer(self, detail: str) -> None:
        """The API server had time enough to begin its answer, or to go on with it."""
        self.upstream.abort()
        self._finish(End.UPSTREAM_TIMEOUT, detail)

    def cut(self, why: str) -> None:
        """We end it: rights were lost."""
        self.upstream.abort()
        self._finish(End.CUT, why)

    @property
    def is_endless(self) -> bool:
        """A watch, a log that is followed, or something proxied: no time is too long for it."""
        return _is_endless(self.context)

    # -- from upstream

    def upstream_head(self, head: ResponseHead) -> None:
        self.response_seen = True
        self.result.status = head.status
        context = self.context
        if context.detail is not None and context.detail.level is Level.REQUEST_RESPONSE and not _is_endless(context):
            pairs = dict(head.headers)
            self.result.response_body = BodyCopy(
                pairs.get(b"content-type"), pairs.get(b"content-encoding"), chunked=head.chunked
            )
        if (head.content_length is None and not head.chunked) or not self.client.body_done:
            self.result.close = True
        self._held.append(headers.client_head(head, self.context.audit_id.encode(), close=self.result.close))

    def upstream_body(self, data: bytes) -> None:
        self.result.bytes_out += len(data)
        if self.result.response_body is not None:
            self.result.response_body.feed(data)
        self._held.append(data)

    def upstream_end(self, *, reusable: bool) -> None:
        self.reusable = reusable
        self._finish(End.DONE, "")

    def upstream_flush(self) -> None:
        """What arrived in one read and is not the end of the answer goes out at once."""
        if self._held and not self.done:
            if not self.result.started:
                self.result.started = True
                self.owner.started(self)
            self.client.answer_goes_on()
            self.client.write(self._take())

    def upstream_lost(self, reason: str, *, malformed: bool) -> None:
        self._finish(End.UPSTREAM_INVALID if malformed else End.UPSTREAM_GONE, reason)

    def upstream_writable(self, *, writable: bool) -> None:
        if writable:
            self.client.resume_reading()
        else:
            self.client.pause_reading()

    def _take(self) -> bytes:
        held, self._held = self._held, []
        return held[0] if len(held) == 1 else b"".join(held)

    def _finish(self, end: End, detail: str) -> None:
        if self.done:
            return
        self.done = True
        result = self.result
        result.end, result.detail = end, detail
        if end is End.DONE:
            if not self.owner.complete(self):
                result.end = End.LOG_UNAVAILABLE
            elif self._held:
                self.client.write_last(self._take())
        self.owner.ended(self)


WORKLOADS = frozenset(
    [
        "pods",
        "podtemplates",
        "replicationcontrollers",
        "deployments",
        "daemonsets",
        "statefulsets",
        "replicasets",
        "jobs",
        "cronjobs",
    ]
)
"""What makes pods: their bodies are looked at even where the policy keeps none, for what reaches out of a pod."""


def _is_workload(context: RequestContext) -> bool:
    return context.info is not None and context.info.resource in WORKLOADS


def _is_endless(context: RequestContext) -> bool:
    """A watch or a log that is followed has no body that a record could hold; nor has the API server's own."""
    return context.info is not None and context.info.is_long_running
