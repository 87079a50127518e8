"""The streams that are open in this process: counted for limits, looked at each second, ended when they must."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from proxy.status import Refusal

if TYPE_CHECKING:
    from proxy.context import RequestContext
    from proxy.streams.stream_relay import StreamRelay

MAX_STREAMS = 10_000
"""In one process; at 150 KiB each that is 1.5 GiB."""


class LiveStreams:
    """Add a stream when its request was decided, remove it when it has ended."""

    def __init__(self, still: Callable[[RequestContext], Refusal | None]) -> None:
        """`still`: why a stream's request would not pass any more; None while it would."""
        self._still = still
        self._live: dict[str, RequestContext] = {}
        self._relays: dict[str, StreamRelay] = {}

    def __len__(self) -> int:
        return len(self._live)

    def __iter__(self) -> Iterator[StreamRelay]:
        return iter(list(self._relays.values()))

    def over(self, context: RequestContext) -> str:
        """Which limit one more stream would break, as a sentence; empty for none."""
        if len(self._live) >= MAX_STREAMS:
            return "too many streams are open; try again later"
        verdict = context.verdict
        limit = verdict.options.max_streams if verdict is not None and not _is_read(context) else None
        if limit is not None and self._of(context) >= limit:
            return f"you may have {limit} streams open at once (maxStreams of your role); close one"
        return ""

    def _of(self, context: RequestContext) -> int:
        """Streams of the same person on the same cluster, whichever login they came with. Watches and logs are none:
        over plain HTTP they have no limit either.
        """
        assert context.login is not None
        who, cluster = context.login.identity.key, context.credential.cluster
        return sum(
            one.login is not None
            and one.login.identity.key == who
            and one.credential.cluster == cluster
            and not _is_read(one)
            for one in self._live.values()
        )

    def add(self, context: RequestContext) -> None:
        """From now on it counts, though it has no relay yet."""
        self._live[context.audit_id] = context

    def joined(self, relay: StreamRelay) -> None:
        self._relays[relay.context.audit_id] = relay

    def remove(self, context: RequestContext) -> None:
        self._live.pop(context.audit_id, None)
        self._relays.pop(context.audit_id, None)

    def sweep(self) -> None:
        """End what may not go on: rights that were lost act within a second here, and within five from anywhere."""
        for relay in self:
            refusal = self._still(relay.context)
            if refusal is not None:
                relay.cut(refusal.message)

    def cut(self, why: str) -> None:
        """End all of them."""
        for relay in self:
            relay.cut(why)


def _is_read(context: RequestContext) -> bool:
    return context.upgrade is not None and context.upgrade.is_read
