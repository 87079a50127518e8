"""Ports that a role lets be forwarded to: ranges, written as `8080` or `9000-9100`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

HIGHEST = 65_535
_RANGE = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")


@dataclass(frozen=True, slots=True, order=True)
class PortRange:
    """Both ends are in it."""

    first: int
    last: int

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


@dataclass(frozen=True, slots=True)
class Ports:
    """Some ports; of no range, none."""

    ranges: tuple[PortRange, ...]

    def __contains__(self, port: int) -> bool:
        return any(one.first <= port <= one.last for one in self.ranges)

    def __str__(self) -> str:
        return ", ".join(map(str, self.ranges)) or "none"

    def common(self, other: Ports) -> Ports:
        """What is in both."""
        return Ports(tuple(sorted(set(_overlaps(self.ranges, other.ranges)))))


def port_range(text: str) -> PortRange:
    """Raises ValueError."""
    match = _RANGE.fullmatch(text)
    first = int(match[1]) if match else 0
    last = int(match[2] or first) if match else 0
    if not 0 < first <= last <= HIGHEST:
        raise ValueError(f"a port from 1 to {HIGHEST}, or a range such as 9000-9100")
    return PortRange(first, last)


def _overlaps(some: Iterable[PortRange], others: tuple[PortRange, ...]) -> Iterator[PortRange]:
    for a in some:
        for b in others:
            first, last = max(a.first, b.first), min(a.last, b.last)
            if first <= last:
                yield PortRange(first, last)
