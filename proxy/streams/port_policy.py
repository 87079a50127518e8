"""Which ports of a pod a port-forward may reach: `forwardPorts` of the roles that allow it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from recordings.streams.events import Event, StreamOpened

if TYPE_CHECKING:
    from proxy.context import RequestContext


class PortRefusedError(Exception):
    """A port that the role leaves out; the message is a sentence for the person."""


def check_port(context: RequestContext, port: int) -> None:
    """Raises PortRefusedError."""
    verdict = context.verdict
    ports = verdict.options.forward_ports if verdict is not None else None
    if ports is not None and port not in ports:
        raise PortRefusedError(f"port {port} may not be forwarded; your role allows {ports} (forwardPorts)")


def check_ports(context: RequestContext, events: Iterable[Event]) -> None:
    """Of what is about to be passed on; a connection's first stream, for errors, names its port too. Raises
    PortRefusedError.
    """
    for event in events:
        if isinstance(event, StreamOpened) and event.port is not None:
            check_port(context, event.port)
