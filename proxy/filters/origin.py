"""Browsers are not clients of the kube listener, yet would present a certificate without asking (security: B1, B2)."""

from __future__ import annotations

from auth.errors import Reason
from proxy.context import RequestContext
from proxy.http1 import KEPT_FIELDS, Fields
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
        self._passed: set[Fields] = set()

    def __call__(self, context: RequestContext) -> Refusal | None:
        fields = context.head.fields
        if fields in self._passed:
            return None
        refusal = self._look(fields)
        if refusal is None and fields.kept:
            if len(self._passed) >= KEPT_FIELDS:
                self._passed.clear()
            self._passed.add(fields)
        return refusal

    def _look(self, fields: Fields) -> Refusal | None:
        if fields.host not in self._hosts and fields.host.lower() not in self._hosts:
            return Refusal(
                Reason.ORIGIN_REFUSED,
                "this listener is not known by that Host; use the server address that `kwit login` wrote to kubeconfig",
            )
        for name, value in fields.headers:
            if name == b"origin" and value.lower() not in self._origins:
                return Refusal(
                    Reason.ORIGIN_REFUSED, "requests that carry a foreign Origin are refused: kubectl sends none"
                )
            if name == b"sec-fetch-site" and value not in (b"none", b"same-origin"):
                return Refusal(Reason.ORIGIN_REFUSED, "requests from web pages are refused: use kubectl")
        return None
