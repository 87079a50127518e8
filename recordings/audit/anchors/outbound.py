"""One HTTP request to a place that keeps checkpoints: bounded in time and size, no redirects, no cookies, no proxy."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp
from yarl import URL

from recordings.audit.anchors.anchor import AnchorError

TOTAL_SECONDS = 10.0
"""A checkpoint that is not taken by then is older than the next one."""
MAX_ANSWER_BYTES = 256 * 1024
"""A ConfigMap with the checkpoints of some hundred logs."""


@dataclass(frozen=True, slots=True)
class Message:
    """`url` is sent as it is written, so what was signed is what is sent."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """Of the other side; nothing of it is trusted."""

    status: int
    body: bytes
    content_type: str = ""


class Outbound:
    """A connection that is kept, made at the first request. `context` is needed for https."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        self._client: aiohttp.ClientSession | None = None

    async def send(self, message: Message) -> Answer:
        """Raises AnchorError."""
        if self._client is None:
            self._client = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=True if self._context is None else self._context, limit=4),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=TOTAL_SECONDS),
                trust_env=False,
            )
        try:
            async with self._client.request(
                message.method,
                URL(message.url, encoded=True),
                headers={"User-Agent": "kubewitness", **message.headers},
                data=message.body or None,
                allow_redirects=False,
            ) as answer:
                body = await answer.content.read(MAX_ANSWER_BYTES + 1)
                while len(body) <= MAX_ANSWER_BYTES and (more := await answer.content.read(MAX_ANSWER_BYTES)):
                    body += more
                content_type = answer.headers.get("Content-Type", "")
        except TimeoutError as error:
            raise AnchorError(f"no answer within {TOTAL_SECONDS:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise AnchorError(str(error)[:200] or type(error).__name__) from error
        if len(body) > MAX_ANSWER_BYTES:
            raise AnchorError(f"its answer has more than {MAX_ANSWER_BYTES} bytes")
        return Answer(answer.status, body, content_type)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None


def expect_success(answer: Answer) -> None:
    """Raises AnchorError for a status that is not 2xx."""
    if not 200 <= answer.status < 300:
        said = "".join(c for c in answer.body[:200].decode("utf-8", "replace") if c.isprintable())
        raise AnchorError(f"it answered {answer.status}{': ' if said else ''}{said}")
