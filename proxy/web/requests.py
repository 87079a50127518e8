"""What is read of a request before anybody looks at it: bounded, with one meaning."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from auth.errors import AuthError, Reason
from auth.strict_json import StrictJSONError, parse_object

BODY_SECONDS = 10.0
"""From the head to the end of the body: the largest is 32 KiB."""
MAX_BODY_BYTES = 32 * 1024
MAX_AGENT = 256


def source_of(request: web.Request) -> str:
    return request.remote or ""


def bounded_agent(request: web.Request) -> str:
    """What the client calls itself; it can say anything."""
    return "".join(c for c in request.headers.get("User-Agent", "") if c.isprintable() and c.isascii())[:MAX_AGENT]


async def read_body(request: web.Request, max_bytes: int) -> bytes:
    """The body. Raises AuthError(BAD_REQUEST), TimeoutError."""
    if "Content-Encoding" in request.headers:
        raise AuthError(Reason.BAD_REQUEST, "compressed bodies are not accepted here")
    data = bytearray()
    async with asyncio.timeout(BODY_SECONDS):
        async for chunk in request.content.iter_any():
            data += chunk
            if len(data) > max_bytes:
                raise AuthError(Reason.BAD_REQUEST, f"the body is larger than {max_bytes} bytes")
    return bytes(data)


async def read_json(request: web.Request) -> dict[str, Any]:
    """The body's JSON object. Raises AuthError(BAD_REQUEST), TimeoutError."""
    if request.content_type != "application/json":
        raise AuthError(Reason.BAD_REQUEST, "the body must be application/json")
    try:
        return parse_object(await read_body(request, MAX_BODY_BYTES), MAX_BODY_BYTES)
    except StrictJSONError as error:
        raise AuthError(Reason.BAD_REQUEST, f"the body cannot be read: {error}") from error


def text(body: dict[str, Any], name: str, max_length: int, *, default: str | None = None) -> str:
    """A text of the body. Raises AuthError(BAD_REQUEST) naming it."""
    value = body.get(name, default)
    if not isinstance(value, str) or len(value) > max_length:
        raise AuthError(Reason.BAD_REQUEST, f"`{name}` must be text of at most {max_length} characters")
    return value


def flag(body: dict[str, Any], name: str) -> bool:
    """A yes or no of the body; no where it is not said. Raises AuthError(BAD_REQUEST) naming it."""
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise AuthError(Reason.BAD_REQUEST, f"`{name}` must be true or false")
    return value


def host_middleware(host: str, refused: Any) -> Any:
    """Only requests for our own name: another one was brought here by rebinding, or means somebody else."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.getall("Host", [])
        if len(given) != 1 or given[0].lower() != host:
            refused(Reason.ORIGIN_REFUSED.value, source_of(request), "host")
            raise AuthError(Reason.BAD_REQUEST, f"this server answers to {host} only")
        return await handler(request)

    return check
