"""Which containers were added to pods for debugging, so that the attach that follows is told as one story with it."""

from __future__ import annotations

from collections import OrderedDict

MAX_REMEMBERED = 10_000
"""Newest debug containers of a process, some 300 bytes each: 3 MiB."""

Place = tuple[str, str, str, str]
"""(cluster, namespace, pod, container)."""


class DebugContainers:
    """By place, the audit id of the request that made it. What another process saw made is not known here."""

    def __init__(self) -> None:
        self._made: OrderedDict[Place, str] = OrderedDict()

    def made(self, place: Place, audit_id: str) -> None:
        self._made.pop(place, None)
        if len(self._made) >= MAX_REMEMBERED:
            self._made.popitem(last=False)
        self._made[place] = audit_id

    def maker(self, place: Place) -> str | None:
        """The audit id of the request that made this container."""
        return self._made.get(place)
