"""Image, node and access to it of the pod that a recording is of, asked of the API server once the stream runs.

The question is a request of the person who has the stream: it passes the same steps, so whoever may not read the pod
learns nothing by it, and has a record of its own, which says for what it was asked. Nothing waits for the answer; what
is not known when a recording is sealed is not in it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from proxy.audit_id import RANDOM_BYTES, uuid7
from proxy.body_copy import BodyCopy
from proxy.context import RequestContext
from proxy.filters.audit import AuditFilter
from proxy.headers import head_for_upstream
from proxy.http1 import ResponseHead, parse_request_head
from proxy.relay import End, RelayResult
from proxy.status import Refusal
from proxy.upstream import PoolKey, UpstreamConnection, UpstreamPool
from recordings.audit.bodies.host_access import HOST_ACCESS, host_access

ANSWER_SECONDS = 5.0
"""For the API server to say what a pod is; the stream goes on meanwhile."""
MAX_BODY_BYTES = 2 * 1024 * 1024
"""An object is at most 1.5 MiB in etcd."""
ASKED_FOR = "kubewitness.dev/asked-for"
"""In the record of such a question: the request of the stream. The person did not ask it, we did."""
IMAGE, NODE = "kubewitness.dev/image", "kubewitness.dev/node"
MAX_FACT_CHARS = 512
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_LISTS = ("containers", "initContainers", "ephemeralContainers")
_STATUSES = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
_DEFAULT = "kubectl.kubernetes.io/default-container"


@dataclass(frozen=True, slots=True)
class PodFacts:
    """Empty text where it is not known. `image` has the digest that runs, where the node told it."""

    image: str = ""
    node: str = ""
    host_access: tuple[str, ...] = ()
    """As `recordings.audit.bodies.host_access` names it."""

    def annotations(self) -> dict[str, str]:
        all_of_them = {IMAGE: self.image, NODE: self.node, HOST_ACCESS: ",".join(self.host_access)}
        return {key: value for key, value in all_of_them.items() if value}


UNKNOWN = PodFacts()


class PodReader:
    """`steps` are the journey's, from who to as whom."""

    def __init__(
        self,
        steps: Sequence[Callable[[RequestContext], Refusal | None]],
        pool: UpstreamPool,
        audit: AuditFilter,
        *,
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        self._steps, self._pool, self._audit = steps, pool, audit
        self._loop, self._clock, self._random = loop, clock, random
        self._open: dict[str, _Answer] = {}
        """By the stream's audit id."""

    def forget(self, stream: RequestContext) -> None:
        """The stream has ended: nobody waits for what is still asked."""
        answer = self._open.pop(stream.audit_id, None)
        if answer is not None:
            answer.stop(End.CLIENT_GONE)

    async def read(self, stream: RequestContext) -> PodFacts:
        """What there is to know of the pod of this exec or attach. Raises nothing for what can go wrong outside."""
        context = self._question(stream)
        if context is None or any(step(context) is not None for step in self._steps):
            return UNKNOWN
        context.detail = self._audit.detail(context)
        if self._audit.waits_for_intent(context) and await self._audit.intent(context) is not None:
            return UNKNOWN
        result = RelayResult(End.CLIENT_GONE, annotations={ASKED_FOR: stream.audit_id})
        answer = self._open[stream.audit_id] = _Answer()
        timer = self._loop.call_later(ANSWER_SECONDS, answer.stop, End.UPSTREAM_TIMEOUT)
        try:
            await self._ask(context, answer)
            result.end, result.status, result.bytes_out = answer.end, answer.status, answer.size
        except TimeoutError:
            result.end = End.UPSTREAM_TIMEOUT
        except OSError:
            result.end = End.UPSTREAM_GONE
        finally:
            timer.cancel()
            self._open.pop(stream.audit_id, None)
            self._audit.outcome(context, result)
        assert stream.target is not None
        is_known = result.end is End.DONE and result.status == 200
        return facts_of(answer.body(), stream.target.first("container") or "") if is_known else UNKNOWN

    def _question(self, stream: RequestContext) -> RequestContext | None:
        info = stream.info
        assert info is not None
        if not (_NAME.fullmatch(info.namespace) and _NAME.fullmatch(info.name)):
            return None
        line = f"GET /api/v1/namespaces/{info.namespace}/pods/{info.name} HTTP/1.1"
        head = parse_request_head(
            f"{line}\r\nHost: kwit\r\nUser-Agent: kwit\r\nAccept: application/json\r\n\r\n".encode()
        )
        now = self._clock()
        audit_id = uuid7(now, self._random(RANDOM_BYTES))
        return RequestContext(head, stream.credential, stream.source, now, self._loop.time(), audit_id)

    async def _ask(self, context: RequestContext, answer: _Answer) -> None:
        """Raises OSError."""
        endpoint, login = context.endpoint, context.login
        assert endpoint is not None
        assert login is not None
        key: PoolKey = (endpoint.name, id(endpoint), login.identity.key)
        connection = self._pool.take(key) or await self._pool.connect(endpoint, key)
        answer.connection = connection
        try:
            connection.start(answer, context.head.method, head_for_upstream(context), has_body=False)
            await answer.ended.wait()
        except BaseException:
            connection.abort()
            raise
        if answer.is_reusable:
            self._pool.give_back(connection, self._loop.time())
        else:
            connection.abort()


class _Answer:
    """An `upstream.Exchange` that keeps the body."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self.end = End.DONE
        self.status: int | None = None
        self.size = 0
        """Of the body as it came, in bytes."""
        self._copy: BodyCopy | None = None
        self.is_reusable = False
        self.connection: UpstreamConnection | None = None

    def upstream_head(self, head: ResponseHead) -> None:
        self.status = head.status
        pairs = dict(head.headers)
        self._copy = BodyCopy(pairs.get(b"content-type"), pairs.get(b"content-encoding"), chunked=head.chunked)

    def body(self) -> bytes:
        """What the answer holds, without its framing; nothing where it is over what a record may hold."""
        return (self._copy.body().payload or b"") if self._copy is not None else b""

    def upstream_body(self, data: bytes) -> None:
        self.size += len(data)
        if self._copy is not None:
            self._copy.feed(data)
        if self.size > MAX_BODY_BYTES and self.connection is not None:
            self.connection.abort()
            self.upstream_lost("an answer over the limit", malformed=True)

    def upstream_end(self, *, reusable: bool) -> None:
        self.is_reusable = reusable
        self.ended.set()

    def upstream_flush(self) -> None:
        pass

    def upstream_lost(self, reason: str, *, malformed: bool) -> None:
        del reason
        self.end = End.UPSTREAM_INVALID if malformed else End.UPSTREAM_GONE
        self.ended.set()

    def stop(self, why: End) -> None:
        """It is not waited for any longer."""
        if not self.ended.is_set():
            self.end = why
            self.ended.set()

    def upstream_writable(self, *, writable: bool) -> None:
        pass


def facts_of(body: bytes, container: str) -> PodFacts:
    """Of a pod's JSON; `container` empty: the one that the kubelet takes, which is the first, or what kubectl takes."""
    try:
        pod = orjson.loads(body)
    except orjson.JSONDecodeError:
        return UNKNOWN
    spec, status = _object(pod, "spec"), _object(pod, "status")
    if not container:
        container = _text(_object(pod, "metadata", "annotations"), _DEFAULT) or _text(
            next(iter(_named(spec, _LISTS[:1])), {}), "name"
        )
    image = next((_text(one, "image") for one in _named(spec, _LISTS) if one.get("name") == container), "")
    runs = next((_text(one, "imageID") for one in _named(status, _STATUSES) if one.get("name") == container), "")
    digest = runs.rpartition("@")[2] if "@" in runs else ""
    if image and digest and "@" not in image:
        image = f"{image}@{digest}"
    return PodFacts(image[:MAX_FACT_CHARS], _text(spec, "nodeName")[:MAX_FACT_CHARS], host_access(pod))


def _object(value: object, *path: str) -> dict[str, Any]:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _named(value: dict[str, Any], lists: Sequence[str]) -> list[dict[str, Any]]:
    found = [value.get(key) for key in lists]
    return [one for some in found if isinstance(some, list) for one in some if isinstance(one, dict)]


def _text(value: dict[str, Any], key: str) -> str:
    found = value.get(key)
    return found if isinstance(found, str) else ""
