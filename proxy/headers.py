"""Which headers pass, each way. What is not named here does not.

Requests to the API server are built, never filtered: the allowlist picks the client's harmless headers, and framing,
identity and correlation are written by us behind them (security: rules 1 and H). The values were parsed by
`proxy.http1`, so they hold no CR, LF or NUL; they are checked once more where identity is concerned
(`proxy.impersonation`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from proxy.http1 import KEPT_FIELDS, Fields, Header, RequestHead, ResponseHead

if TYPE_CHECKING:
    from proxy.context import RequestContext

FORWARDED = {
    b"accept": b"Accept",
    b"accept-encoding": b"Accept-Encoding",
    b"content-encoding": b"Content-Encoding",
    b"content-type": b"Content-Type",
    b"if-match": b"If-Match",
    b"if-modified-since": b"If-Modified-Since",
    b"if-none-match": b"If-None-Match",
    b"if-unmodified-since": b"If-Unmodified-Since",
    b"kubectl-command": b"Kubectl-Command",
    b"kubectl-session": b"Kubectl-Session",
    b"range": b"Range",
    b"user-agent": b"User-Agent",
}
"""Lower-case name to the spelling we write. Nothing that names a person, a route or a connection may be added."""

RETURNED = frozenset(
    (
        b"accept-ranges",
        b"allow",
        b"cache-control",
        b"content-disposition",
        b"content-encoding",
        b"content-language",
        b"content-range",
        b"content-type",
        b"date",
        b"deprecation",
        b"etag",
        b"expires",
        b"last-modified",
        b"link",
        b"location",
        b"retry-after",
        b"vary",
        b"warning",
        b"x-content-type-options",
        b"x-kubernetes-pf-flowschema-uid",
        b"x-kubernetes-pf-prioritylevel-uid",
    )
)
"""No Set-Cookie, no Strict-Transport-Security: a pod behind `proxy` must not speak for our name."""


def head_for_upstream(context: RequestContext, more: bytes = b"") -> bytes:
    """The head that goes on, of a request that passed; `more`: lines of ours, each with its CRLF."""
    endpoint, target = context.endpoint, context.target
    assert endpoint is not None
    assert target is not None
    return upstream_head(
        context.head,
        endpoint.path_prefix + target.raw,
        host=endpoint.host_header,
        authorization=endpoint.authorization(),
        identity=context.identity_lines + more,
        audit_id=context.audit_id.encode(),
        client=context.source.encode(),
    )


def upstream_head(
    head: RequestHead,
    target: bytes,
    *,
    host: bytes,
    authorization: bytes | None,
    identity: bytes,
    audit_id: bytes,
    client: bytes,
) -> bytes:
    """The request's head as the API server gets it.

    `target` is what the verdict was about, byte for byte; `identity` the serialised `Impersonate-*` lines, each with
    its CRLF; `authorization` the whole value of our own credential, or None where a client certificate is used.
    """
    parts = [head.method.encode(), b" ", target, b" HTTP/1.1\r\nHost: ", host, forwarded(head.fields)]
    if authorization is not None:
        parts += (b"Authorization: ", authorization, b"\r\n")
    parts += (identity, b"Audit-ID: ", audit_id, b"\r\nX-Forwarded-For: ", client, b"\r\n\r\n")
    return b"".join(parts)


def forwarded(fields: Fields) -> bytes:
    """The client's lines that go on, and our framing, each behind a CRLF; one more CRLF ends the last."""
    return _known_forwarded(fields) if fields.kept else _forwarded(fields)


def _forwarded(fields: Fields) -> bytes:
    parts: list[bytes] = []
    for name, value in fields.headers:
        spelling = FORWARDED.get(name)
        if spelling is not None:
            parts += (b"\r\n", spelling, b": ", value)
    if fields.chunked:
        parts.append(b"\r\nTransfer-Encoding: chunked")
    elif fields.content_length is not None:
        parts += (b"\r\nContent-Length: ", str(fields.content_length).encode())
    return b"".join((*parts, b"\r\n"))


_known_forwarded = lru_cache(maxsize=KEPT_FIELDS)(_forwarded)


def client_head(head: ResponseHead, audit_id: bytes, *, close: bool) -> bytes:
    """The answer's head as the client gets it: allowed headers, our framing, our audit id.

    A body that upstream ended by closing is ended by closing here too.
    """
    lines = [b"HTTP/1.1 ", _STATUS[head.status]]
    for name, value in head.headers:
        if name in RETURNED:
            lines += (b"\r\n", name, b": ", value)
    if head.chunked:
        lines.append(b"\r\ntransfer-encoding: chunked")
    elif head.content_length is not None and head.status not in (204, 304) and (length := _length(head)):
        lines += (b"\r\ncontent-length: ", length)
    lines += (b"\r\naudit-id: ", audit_id)
    if close:
        lines.append(b"\r\nconnection: close")
    lines.append(b"\r\n\r\n")
    return b"".join(lines)


def _length(head: ResponseHead) -> bytes:
    """As it was told: an answer to HEAD tells the length that it would have had, or does not."""
    for name, value in head.headers:
        if name == b"content-length":
            return value
    return b""


def _reasons() -> dict[int, bytes]:
    from http import HTTPStatus

    reasons = {code: f"{code} Status".encode() for code in range(100, 600)}
    reasons.update({s.value: f"{s.value} {s.phrase}".encode() for s in HTTPStatus})
    return reasons


_STATUS = _reasons()


def forged(fields: Fields) -> tuple[Header, ...]:
    """The headers by which a client tries to name an identity itself.

    Compared case-folded and with `_` read as `-`, by prefix, so that a header invented tomorrow is caught as well.
    """
    return _known_forged(fields) if fields.kept else _forged(fields)


def _forged(fields: Fields) -> tuple[Header, ...]:
    return tuple(
        (name, value)
        for name, value in fields.headers
        if name.replace(b"_", b"-").startswith((b"impersonate", b"x-remote-"))
    )


_known_forged = lru_cache(maxsize=KEPT_FIELDS)(_forged)
