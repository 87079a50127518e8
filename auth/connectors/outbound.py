"""Requests to identity providers: bounded, without redirects, cookies, proxies from the environment or compression.

A compressed answer could be a bomb, a redirect could lead anywhere, and a proxy of the environment could read tokens.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from auth.errors import AuthError, Reason
from auth.oidc import is_loopback_http

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0
"""A person waits before a page; a provider that needs longer is down."""
MAX_ANSWER_BYTES = 256 * 1024
MAX_CONNECTIONS = 20
"""To one provider at once."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes = field(repr=False)
    link: str = ""
    """GitHub's `Link` header, for the next page."""


class Outbound:
    """One provider's client. Raises AuthError(CONNECTOR_UNAVAILABLE) for whatever keeps an answer from coming."""

    def __init__(self, what: str, ca_file: Path | None = None) -> None:
        self._what = what
        self._ca_file = ca_file
        self._client: aiohttp.ClientSession | None = None

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        return await self._ask("GET", url, headers or {}, None)

    async def post_form(self, url: str, form: str, headers: Mapping[str, str]) -> Answer:
        form_headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        return await self._ask("POST", url, form_headers, form.encode())

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def _ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        if not url.startswith("https://") and not is_loopback_http(url):
            raise self._unavailable("its address is not https")
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "kubewitness", **headers}
        try:
            async with self._open().request(method, url, data=body, headers=headers, allow_redirects=False) as response:
                if response.headers.get("Content-Encoding", "identity") != "identity":
                    raise self._unavailable("it compresses its answer although asked not to")
                if 300 <= response.status < 400:
                    raise self._unavailable("it redirects, and redirects are not followed")
                data = await self._read(response)
                return Answer(response.status, data, response.headers.get("Link", ""))
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise self._unavailable(f"it does not answer ({type(error).__name__})") from error

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        data = bytearray()
        async for chunk in response.content.iter_any():
            data += chunk
            if len(data) > MAX_ANSWER_BYTES:
                raise self._unavailable(f"its answer is larger than {MAX_ANSWER_BYTES} bytes")
        return bytes(data)

    def _open(self) -> aiohttp.ClientSession:
        if self._client is None:
            try:
                context = ssl.create_default_context(cafile=None if self._ca_file is None else str(self._ca_file))
            except (OSError, ssl.SSLError) as error:
                raise self._unavailable(f"its ca_file cannot be used: {error}") from error
            self._client = aiohttp.ClientSession(
                # No connection is used twice: a request with a code or a refresh token that met a dying idle one could
                # not be sent again, and the sign-in would be lost.
                connector=aiohttp.TCPConnector(
                    ssl=context, limit=MAX_CONNECTIONS, force_close=True, loop=asyncio.get_running_loop()
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=TOTAL_SECONDS, connect=CONNECT_SECONDS),
                trust_env=False,
                auto_decompress=False,
            )
        return self._client

    def _unavailable(self, why: str) -> AuthError:
        return AuthError(
            Reason.CONNECTOR_UNAVAILABLE, f"the identity provider {self._what} cannot be used: {why}; try again later"
        )
