"""Checkpoints sent to a URL: POST with the note as it is, `text/plain`; any 2xx means that it is kept."""

from __future__ import annotations

from collections.abc import Callable

from recordings.audit.anchors.anchor import Published
from recordings.audit.anchors.outbound import Message, Outbound, expect_success


class HttpAnchor:
    """`Anchor` at a URL. `token`: gives the bearer token of now, empty for none; it may raise AnchorError."""

    def __init__(self, url: str, outbound: Outbound, *, token: Callable[[], str] = str, every: float = 1.0) -> None:
        self.name, self.every = f"http:{url}", every
        self._url, self._outbound, self._token = url, outbound, token

    async def publish(self, checkpoint: Published) -> None:
        token = self._token()
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        expect_success(await self._outbound.send(Message("POST", self._url, headers, checkpoint.note.encode())))

    async def close(self) -> None:
        await self._outbound.close()
