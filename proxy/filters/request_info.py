"""What: the target as the API server would read it, or a refusal."""

from __future__ import annotations

from functools import lru_cache

from auth.errors import Reason
from proxy.context import RequestContext
from proxy.effects import Effect, effects
from proxy.request_info import RequestInfo, parse
from proxy.status import Refusal
from proxy.target import RefusedTarget, Target, canonical, cut_cluster_prefix

CACHED_TARGETS = 4096
"""Distinct (method, target) pairs kept: 4,096 of about 2 KiB are 8 MiB. Reading is pure, so nothing goes stale."""


@lru_cache(maxsize=CACHED_TARGETS)
def _read(method: str, raw: bytes, content_type: str) -> tuple[str | None, Target, RequestInfo, tuple[Effect, ...]]:
    cluster, rest = cut_cluster_prefix(raw)
    target = canonical(rest)
    info = parse(method, target)
    return cluster, target, info, effects(info, method, target.query, content_type)


def request_info(context: RequestContext) -> Refusal | None:
    """Sets `target`, `info` and `effects`. The cluster prefix is taken off when it names the certificate's cluster."""
    head = context.head
    content_type = b""
    if head.method == "PATCH":
        content_type = head.get(b"content-type") or b""
    try:
        cluster, target, info, wanted = _read(head.method, head.target, content_type.decode())
    except RefusedTarget as error:
        return Refusal(Reason.BAD_REQUEST, f"the request's target is refused: {error}")
    if cluster is not None and cluster != context.credential.cluster:
        return Refusal(
            Reason.WRONG_CLUSTER,
            f"this certificate is for cluster {context.credential.cluster!r} and the address names another; "
            "use the context that `kwit login` wrote for it",
        )
    context.target, context.info, context.effects = target, info, wanted
    return None
