"""What: the target as the API server would read it, or a refusal."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from auth.errors import Reason
from proxy.context import RequestContext
from proxy.effects import Effect, effects
from proxy.request_info import RequestInfo, parse
from proxy.status import Refusal
from proxy.target import RefusedTarget, Target, canonical, cut_cluster_prefix

CACHED_TARGETS = 4096
"""Distinct (method, target) pairs kept: 4,096 of about 2 KiB are 8 MiB. Reading is pure, so nothing goes stale."""


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A target as it was read, the cluster that its prefix names, and what the request does. Known by its identity."""

    cluster: str | None
    target: Target
    info: RequestInfo
    effects: tuple[Effect, ...]


@lru_cache(maxsize=CACHED_TARGETS)
def _read(method: str, raw: bytes, content_type: str) -> Reading:
    cluster, rest = cut_cluster_prefix(raw)
    target = canonical(rest)
    info = parse(method, target)
    return Reading(cluster, target, info, effects(info, method, target.query, content_type))


def request_info(context: RequestContext) -> Refusal | None:
    """Sets `reading`, `target`, `info`, `effects`. A cluster prefix is taken off when it names the certificate's."""
    head = context.head
    content_type = b""
    if head.method == "PATCH":
        content_type = head.fields.get(b"content-type") or b""
    try:
        reading = _read(head.method, head.target, content_type.decode())
    except RefusedTarget as error:
        return Refusal(Reason.BAD_REQUEST, f"the request's target is refused: {error}")
    if reading.cluster is not None and reading.cluster != context.credential.cluster:
        return Refusal(
            Reason.WRONG_CLUSTER,
            f"this certificate is for cluster {context.credential.cluster!r} and the address names another; "
            "use the context that `kwit login` wrote for it",
        )
    context.reading = reading
    context.target, context.info, context.effects = reading.target, reading.info, reading.effects
    return None
