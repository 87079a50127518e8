"""The kernel asks now and then whether a peer is still there.

Nothing is held open for one that vanished without a word, above all no watch.
"""

from __future__ import annotations

import socket
from typing import Protocol

IDLE_SECONDS = 60
INTERVAL_SECONDS = 15
PROBES = 4
"""A laptop that was shut, or a machine that lost power, is noticed after two minutes. Go's defaults need as long."""

_TIMES = {"TCP_KEEPIDLE": IDLE_SECONDS, "TCP_KEEPINTVL": INTERVAL_SECONDS, "TCP_KEEPCNT": PROBES}
_KNOWN = tuple((getattr(socket, name), value) for name, value in _TIMES.items() if hasattr(socket, name))
"""Not every system has each of them."""


class Socket(Protocol):
    """A socket, or what a loop shows in its place."""

    def setsockopt(self, level: int, option: int, value: int, /) -> None: ...


def keep_alive(connected: Socket) -> None:
    """For a TCP socket. Raises OSError where the connection is gone already."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KNOWN:
        connected.setsockopt(socket.IPPROTO_TCP, option, value)
