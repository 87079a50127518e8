"""Browsers are not clients of the kube listener, yet would present a certificate without asking (security: B1, B2)."""

from __future__ import annotations

from auth.errors import Reason
from proxy.context import RequestContext
from proxy.status import Refusal


class OriginFilter:
    """Refuses an `Origin` or a `Host` that is none of the listener's configured names.

    The two are never compared with each other: rebinding makes them agree. The official Python client sends an
    `Origin` of its own on WebSockets, which is why its mere presence is no refusal.
    """

    def __init__(self, hosts: frozenset[bytes], origins: frozenset[bytes]) -> None:
        """Lower-case `host[:port]` values, and whole origins such as `https://kube.example.com:8443`."""
        self._hosts = hosts
        self._origins = origins

    def __call__(self, context: RequestContext) -> Refusal | None:
        head = context.head
        if head.host not in self._hosts and head.host.lower() not in self._hosts:
            return Refusal(
                Reason.ORIGIN_REFUSED,
                "this listener is not known by that Host; use the server address that `kwit login` wrote to kubeconfig",
            )
        for name, value in head.headers:
            if name == b"origin" and value.lower() not in self._origins:
                return Refusal(
                    Reason.ORIGIN_REFUSED, "requests that carry a foreign Origin are refused: kubectl sends none"
                )
            if name == b"sec-fetch-site" and value not in (b"none", b"same-origin"):
                return Refusal(Reason.ORIGIN_REFUSED, "requests from web pages are refused: use kubectl")
        return None
