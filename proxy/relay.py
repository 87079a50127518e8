"""One request carried to the API server and its answer back, both bodies streamed, memory bounded.

The last byte of an answer leaves only after `complete` returned: that is where the outcome is recorded, so a person
never holds an answer that the log does not know of. Back-pressure goes both ways: a side that cannot be written stops
the reading of the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from proxy import headers
from proxy.http1 import ResponseHead
from proxy.upstream import UpstreamConnection


class End(StrEnum):
    """How a relay ended."""

    DONE = "done"
    CLIENT_GONE = "client_gone"
    UPSTREAM_GONE = "upstream_gone"
    UPSTREAM_INVALID = "upstream_invalid"
    LOG_UNAVAILABLE = "log_unavailable"


@dataclass(slots=True)
class RelayResult:
    """What the outcome record says of the exchange; sizes are payload bytes without framing where that is known."""

    end: End = End.DONE
    status: int | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    started: bool = False
    detail: str = ""


class ClientSide(Protocol):
    """The part of the client's connection that a relay uses."""

    def write(self, data: bytes) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    @property
    def writable(self) -> bool: ...


class Relay:
    """An `upstream.Exchange`. Await `finished`; read `result`."""

    __slots__ = (
        "_complete",
        "_held",
        "_on_head",
        "audit_id",
        "client",
        "close",
        "finished",
        "response_seen",
        "result",
        "reusable",
        "upstream",
    )

    def __init__(
        self,
        client: ClientSide,
        audit_id: bytes,
        *,
        close: bool,
        finished: asyncio.Future[RelayResult],
        complete: Callable[[RelayResult], None],
        on_head: Callable[[], None],
    ) -> None:
        self.client = client
        self.audit_id = audit_id
        self.close = close
        self.finished = finished
        self.result = RelayResult()
        self.upstream: UpstreamConnection | None = None
        self.response_seen = False
        self.reusable = False
        self._complete = complete
        self._on_head = on_head
        self._held: list[bytes] = []

    def attach(self, upstream: UpstreamConnection) -> None:
        self.upstream = upstream
        if not self.client.writable:
            upstream.pause()

    # -- from the client

    def request_data(self, data: bytes) -> None:
        """Framed bytes of the request's body, already matched."""
        self.result.bytes_in += len(data)
        if self.upstream is not None:
            self.upstream.send(data)

    def request_end(self) -> None:
        if self.upstream is not None:
            self.upstream.request_complete()

    def client_writable(self, *, writable: bool) -> None:
        if self.upstream is not None:
            if writable:
                self.upstream.resume()
            else:
                self.upstream.pause()

    def client_gone(self) -> None:
        """The client's connection ended: so does the upstream one, at once, for a watch must not linger."""
        if self.upstream is not None:
            self.upstream.abort()
        self._finish(End.CLIENT_GONE, "the client closed the connection")

    # -- from upstream

    def upstream_head(self, head: ResponseHead) -> None:
        self.response_seen = True
        self.result.status = head.status
        if head.content_length is None and not head.chunked:
            self.close = True
        self._held.append(headers.client_head(head, self.audit_id, close=self.close))

    def upstream_body(self, data: bytes) -> None:
        self.result.bytes_out += len(data)
        self._held.append(data)

    def upstream_end(self, *, reusable: bool) -> None:
        self.reusable = reusable
        self._finish(End.DONE, "")

    def upstream_flush(self) -> None:
        """What arrived in one read and is not the end of the answer goes out at once."""
        if self._held and not self.finished.done():
            if not self.result.started:
                self.result.started = True
                self._on_head()
            self.client.write(self._take())

    def upstream_lost(self, reason: str, *, malformed: bool) -> None:
        self._finish(End.UPSTREAM_INVALID if malformed else End.UPSTREAM_GONE, reason)

    def upstream_writable(self, *, writable: bool) -> None:
        if writable:
            self.client.resume_reading()
        else:
            self.client.pause_reading()

    def _take(self) -> bytes:
        held, self._held = self._held, []
        return held[0] if len(held) == 1 else b"".join(held)

    def _finish(self, end: End, detail: str) -> None:
        if self.finished.done():
            return
        result = self.result
        result.end, result.detail = end, detail
        if end is End.DONE:
            self._complete(result)  # sets LOG_UNAVAILABLE where the outcome could not be recorded
            if result.end is End.DONE and self._held:
                self.client.write(self._take())
        self.finished.set_result(result)
