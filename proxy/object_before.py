"""The object as it is right before a write, where the audit policy wants to know what the write changes.

One GET of ours, as the person: it passes the same steps as if they had asked for it, so nothing is read that they may
not read, and it goes out under their own impersonation. It is asked once the intent of the write is on the disk, has
half a second, and whatever becomes of it, the write goes on; what is not known is said in the record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from proxy.body_copy import BodyCopy
from proxy.context import RequestContext
from proxy.headers import head_for_upstream
from proxy.http1 import ResponseHead, parse_request_head
from proxy.status import Refusal
from proxy.upstream import PoolKey, UpstreamConnection, UpstreamPool
from recordings.audit.bodies.body import MAX_BODY_BYTES, Body
from recordings.audit.policy.level import Level

SECONDS = 0.5
"""For all of it, a new connection included. A get takes an API server some milliseconds; who waits for a write does not
notice half a second that is lost while the API server is in trouble."""
_VERBS = frozenset(("update", "patch", "delete"))
_SUBRESOURCES = frozenset(("", "status", "scale"))
"""Those that can be read under the path by which they are written."""
SUFFIX = ".before"
"""Behind the write's audit id it is that of the read, so whoever finds it in the API server's own log knows what it was
for: it has no record of its own here. An API server takes 64 characters.
"""
AGENT = b"kubewitness (what a write changes)"


class Unknown(StrEnum):
    """Why the object before is not known; part of the log's format."""

    NOT_ALLOWED = "not-allowed"
    """The person may not read it: a role, or the cluster, says so."""
    NO_ANSWER = "no-answer"
    """The API server did not answer in time, or not with the object."""
    TOO_LARGE = "too-large"


@dataclass(frozen=True, slots=True)
class Before:
    """`body` is of a 200; `is_new`: there was no such object."""

    body: Body | None = None
    is_new: bool = False
    unknown: Unknown | None = None


def is_wanted(context: RequestContext) -> bool:
    """Whether the object before this write is to be read: it is one named object, and is really written."""
    detail, info, target = context.detail, context.info, context.target
    return (
        detail is not None
        and detail.level is Level.REQUEST_RESPONSE
        and info is not None
        and info.is_resource_request
        and info.verb in _VERBS
        and bool(info.name)
        and info.subresource in _SUBRESOURCES
        and target is not None
        and not any(key == "dryRun" for key, _ in target.query)
        and context.head.fields.upgrade is None
    )


class ObjectBefore:
    """Reads it. `steps`: those of the journey."""

    def __init__(
        self,
        steps: tuple[Callable[[RequestContext], Refusal | None], ...],
        pool: UpstreamPool,
        *,
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], float],
    ) -> None:
        self._steps = steps
        self._pool = pool
        self._loop = loop
        self._clock = clock

    async def read(self, write: RequestContext) -> Before:
        """What a GET of the object that `write` names says now. Never raises but for being cancelled."""
        head, audit_id = parse_request_head(_head(write)), write.audit_id + SUFFIX
        context = RequestContext(head, write.credential, write.source, self._clock(), self._loop.time(), audit_id)
        if any(step(context) is not None for step in self._steps):
            return Before(unknown=Unknown.NOT_ALLOWED)
        try:
            async with asyncio.timeout(SECONDS):
                return await self._asked(context)
        except (TimeoutError, OSError):
            return Before(unknown=Unknown.NO_ANSWER)

    async def _asked(self, context: RequestContext) -> Before:
        """Raises OSError, TimeoutError. A kept connection that has just died is no answer; a new one may give it."""
        endpoint, login = context.endpoint, context.login
        assert endpoint is not None
        assert login is not None
        key: PoolKey = (endpoint.name, id(endpoint), login.identity.key)
        kept = self._pool.take(key)
        if kept is not None:
            before = await self._answer(context, kept)
            if before is not None:
                return before
        before = await self._answer(context, await self._pool.connect(endpoint, key))
        return before or Before(unknown=Unknown.NO_ANSWER)

    async def _answer(self, context: RequestContext, upstream: UpstreamConnection) -> Before | None:
        """None where the connection ended before an answer had begun."""
        collected = _Collected(self._loop.create_future())
        try:
            upstream.start(collected, "GET", head_for_upstream(context), has_body=False)
            await collected.ended
        finally:
            if collected.is_reusable:
                self._pool.give_back(upstream, self._loop.time())
            else:
                upstream.abort()
        return collected.before()


def _head(write: RequestContext) -> bytes:
    """The GET as the person might have sent it: their target without its query, and whom they ask as."""
    fields = write.head.fields
    lines = [b"GET ", write.head.target.partition(b"?")[0], b" HTTP/1.1\r\nHost: ", fields.host]
    lines += (b"\r\nUser-Agent: ", AGENT, b"\r\nAccept: application/json")
    for name, value in fields.headers:
        if name.startswith(b"impersonate-"):
            lines += (b"\r\n", name, b": ", value)
    return b"".join((*lines, b"\r\n\r\n"))


class _Collected:
    """An `upstream.Exchange` that keeps the answer, up to what a record holds."""

    def __init__(self, ended: asyncio.Future[None]) -> None:
        self.ended = ended
        self.is_reusable = self.is_whole = False
        self._status = 0
        self._size = 0
        self._copy: BodyCopy | None = None

    def before(self) -> Before | None:
        if self._copy is None:
            return None
        if self._size > MAX_BODY_BYTES:
            return Before(unknown=Unknown.TOO_LARGE)
        if self._status == 404:
            return Before(is_new=True)
        if self._status != 200 or not self.is_whole:
            refused = self._status in (401, 403)
            return Before(unknown=Unknown.NOT_ALLOWED if refused else Unknown.NO_ANSWER)
        return Before(self._copy.body())

    def upstream_head(self, head: ResponseHead) -> None:
        pairs = dict(head.headers)
        self._status = head.status
        self._copy = BodyCopy(pairs.get(b"content-type"), pairs.get(b"content-encoding"), chunked=head.chunked)

    def upstream_body(self, data: bytes) -> None:
        assert self._copy is not None
        self._copy.feed(data)
        self._size += len(data)
        if self._size > MAX_BODY_BYTES:
            self._end()  # who waits aborts the connection: the rest is not read

    def upstream_end(self, *, reusable: bool) -> None:
        self.is_whole, self.is_reusable = True, reusable
        self._end()

    def upstream_flush(self) -> None:
        pass

    def upstream_lost(self, reason: str, *, malformed: bool) -> None:
        del reason, malformed
        self._end()

    def upstream_writable(self, *, writable: bool) -> None:
        pass

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)
