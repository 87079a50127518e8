"""Refusals before anybody is known, counted exactly and written as few records: a flood must not become the log.

A count is kept for each reason and source network (an IPv4 /24, an IPv6 /64: what one party is usually given). Past
`MAX_ROWS` networks further ones are counted under `*`, each reason by itself, so that totals stay exact.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from recordings.audit.encode import rfc3339

FLUSH_SECONDS = 10.0
"""A count is written at most this late."""
FLUSH_COUNT = 1_000
"""Or when so many refusals were counted: a crash loses fewer than these."""
MAX_ROWS = 200
"""Rows of one record: 200 of some 80 bytes stay far under a record's cap, and an attacker with more networks than
that is not told apart by network anyway."""
ELSEWHERE = "*"


@dataclass(slots=True)
class Rollup:
    """Add each refusal; when `due`, take the body of one `refusals.rollup` record."""

    total: int = 0
    since: float = 0.0
    counts: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, reason: str, source: str, now: float) -> None:
        """One more. `source`: the peer's address as text."""
        if self.total == 0:
            self.since = now
        key = (reason, network(source))
        if key not in self.counts and len(self.counts) >= MAX_ROWS:
            key = (reason, ELSEWHERE)
        self.counts[key] = self.counts.get(key, 0) + 1
        self.total += 1

    def due(self, now: float) -> bool:
        """Also when the clock went back: a count must not wait for the time to come again."""
        return self.total >= FLUSH_COUNT or (self.total > 0 and not 0 <= now - self.since < FLUSH_SECONDS)

    def take(self, now: float) -> dict[str, Any] | None:
        """The body of the record, and counting begins again; None if there was nothing. The largest come first."""
        if self.total == 0:
            return None
        rows = sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))
        body = {
            "counts": [{"reason": reason, "source": source, "count": count} for (reason, source), count in rows],
            "total": self.total,
            "since": rfc3339(self.since),
            "until": rfc3339(now),
        }
        self.total, self.since = 0, 0.0
        self.counts = {}
        return body


@lru_cache(maxsize=1024)
def network(source: str) -> str:
    """The network of an address; a text that is no address counts as elsewhere."""
    try:
        address = ip_address(source.partition("%")[0])
    except ValueError:
        return ELSEWHERE
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(ip_network(f"{address}/{24 if address.version == 4 else 64}", strict=False))
