"""Fuzz targets: what a request is, before anybody is asked whether it may."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote, unquote_to_bytes

import h11

from proxy import headers
from proxy.http1 import (
    MAX_CHUNK_LINE_BYTES,
    ChunkedBody,
    Malformed,
    head_end,
    hopeless,
    parse_request_head,
    parse_response_head,
    response_body,
)
from proxy.kubectl_command import KubectlCommandError, requests_of
from proxy.request_info import SINGLE_VALUED, _requirements, parse
from proxy.target import RefusedTarget, canonical, cut_cluster_prefix

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def request_head(data: bytes) -> str:
    """A request's head: what we accept h11 reads alike, and what goes on of it is again one request."""
    end = head_end(data)
    if not end:
        return hopeless(data) or "no end yet"
    try:
        head = parse_request_head(data[:end])
    except Malformed as error:
        return str(error)
    assert not hopeless(data[:end])
    theirs = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    try:
        theirs.receive_data(data[:end])
        event = theirs.next_event()
    except h11.RemoteProtocolError:
        return "accepted, h11 refuses"
    assert isinstance(event, h11.Request)
    assert (event.method.decode(), event.target) == (head.method, head.target)
    ours = [
        pair for pair in head.fields.headers if pair[0] not in {b"authorization", b"cookie", b"proxy-authorization"}
    ]
    names = {name for name, _ in ours}
    ours = [(name, value.lower() if name == b"transfer-encoding" else value) for name, value in ours]  # as h11 does
    assert ours == [(name, value) for name, value in event.headers if name in names]
    length = next((value for name, value in event.headers if name == b"content-length"), None)
    assert head.fields.content_length == (None if length is None else int(length))
    assert head.fields.chunked == any(name == b"transfer-encoding" for name, _ in event.headers)
    return _forwarded(head)


def _forwarded(head) -> str:  # type: ignore[no-untyped-def]
    written = headers.upstream_head(
        head, head.target, host=b"api", authorization=b"Bearer ours", identity=b"Impersonate-User: ada\r\n",
        audit_id=b"0190", client=b"192.0.2.1",
    )  # fmt: skip
    again = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    again.receive_data(written)
    event = again.next_event()
    assert isinstance(event, h11.Request)
    assert (event.method.decode(), event.target) == (head.method, head.target)
    told = [value for name, value in event.headers if name in {b"impersonate-user", b"authorization", b"host"}]
    assert told == [b"api", b"Bearer ours", b"ada"]
    assert not any(name.startswith(b"impersonate-") and name != b"impersonate-user" for name, _ in event.headers)
    return f"{head.method} with {len(head.fields.headers)} headers"


def answer_head(data: bytes) -> str:
    """An answer's head; the first byte chooses the request's method. What the client gets is one head of ours."""
    method, rest = METHODS[data[0] % 6 if data else 0], data[1:]
    end = head_end(rest)
    if not end:
        return "no end yet"
    try:
        head = parse_response_head(rest[:end], method)
    except Malformed as error:
        return str(error)
    body = response_body(head)
    try:
        taken = body.feed(rest[end:])
    except Malformed as error:
        return str(error)
    assert 0 <= taken <= len(rest) - end
    if head.status >= 200:
        written = headers.client_head(head, b"0190", close=False)
        assert written.count(b"\r\n\r\n") == 1
        assert written.count(b"\n") == written.count(b"\r\n")
        assert b"\nset-cookie:" not in written.lower()
    return f"{head.status}, {type(body).__name__}"


def chunked(data: bytes) -> str:
    """A chunked body, whole and byte by byte, and as a plain reader of the grammar has it."""
    whole, used = _chunked([data])
    assert _chunked([data[at : at + 1] for at in range(len(data))]) == (whole, used)
    assert whole == _grammar(data)
    return whole


def _chunked(parts: list[bytes]) -> tuple[str, int]:
    body, used = ChunkedBody(), 0
    for part in parts:
        try:
            used += body.feed(part)
        except Malformed:
            return "malformed", 0
        if body.done:
            break
    return (f"done at {used} with {body.payload}" if body.done else "unfinished"), used


def _grammar(data: bytes) -> str:
    """RFC 9112 section 7.1 without extensions and trailers, by a regular expression for each line."""
    at = payload = 0
    while True:
        line = re.compile(rb"([0-9A-Fa-f]{1,16})\r\n").match(data, at)
        if line is None:
            rest = data[at : at + MAX_CHUNK_LINE_BYTES]
            is_open = len(data) - at < MAX_CHUNK_LINE_BYTES and re.fullmatch(rb"(?:[0-9A-Fa-f]{1,16}\r?)?", rest)
            return "unfinished" if is_open else "malformed"
        size, at = int(line[1], 16), line.end()
        payload += size
        end = data[at + size : at + size + 2]
        if not b"\r\n".startswith(end):
            return "malformed"
        at += size + 2
        if len(end) < 2:
            return "unfinished"
        if not size:
            return f"done at {at} with {payload}"


def target(data: bytes) -> str:
    """A target: what is accepted decodes one way only, and holds nothing that a server could read as another path."""
    cluster, rest = cut_cluster_prefix(data)
    if cluster is not None:
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,63}", cluster)
        assert data.endswith(rest) or rest == b"/" + data[len("/clusters/") + len(cluster) :]
    try:
        found = canonical(rest)
    except RefusedTarget as error:
        return str(error)
    assert found.raw == rest
    raw = rest.partition(b"?")[0]
    assert unquote_to_bytes(raw).decode() == found.path
    segments = found.path.split("/")
    assert not {".", ".."} & set(segments)
    assert found.path.startswith("/")
    assert not re.search(r"[\x00-\x1f\x7f\\]", found.path.partition("/proxy/")[0])
    for name, value in found.query:
        name.encode(), value.encode()
    return f"{len(segments) - 1} segments, {len(found.query)} parameters"


def request_info(data: bytes) -> str:
    """What a request is about; the first byte chooses the method."""
    method = METHODS[data[0] % 6 if data else 0]
    try:
        found = canonical(data[1:])
        info = parse(method, found)
    except RefusedTarget as error:
        return str(error)
    if not info.is_resource_request:
        assert info.verb == method.lower()
        return f"{info.verb} of a path"
    assert "/" not in info.namespace + info.resource + info.name + info.subresource or _is_proxied(found.path)
    kept = [name for name, _ in found.query if name in SINGLE_VALUED]
    assert info.subresource == "proxy" or len(kept) == len(set(kept))
    assert list(info.parts) == found.path.strip("/").split("/")[-len(info.parts) :]
    return f"{info.verb} {info.resource}/{info.subresource}"


def _is_proxied(path: str) -> bool:
    return "/proxy/" in path


def selectors(data: bytes) -> str:
    """A field selector, and a label selector behind a NUL, in a list's query."""
    fields, _, labels = data.decode("utf-8", "replace").partition("\0")
    found = _requirements(fields)
    query = f"/api/v1/namespaces/n/pods?fieldSelector={_escaped(fields)}&labelSelector={_escaped(labels)}"
    try:
        info = parse("GET", canonical(query.encode()))
    except RefusedTarget as error:
        return str(error)
    assert (info.field_selector, info.label_selector) == (fields, labels)
    assert not info.name or (found is not None and ("metadata.name", True, info.name) in found)
    return f"{len(found)} terms, name {info.name!a}" if found is not None else "not read"


def _escaped(text: str) -> str:
    escaped = "".join(f"%{byte:02X}" for byte in text.encode())
    assert unquote(escaped) == text
    return escaped


def kubectl_words(data: bytes) -> str:
    """A command line that somebody asks about."""
    try:
        return f"{len(requests_of(data.decode('utf-8', 'replace')))} requests"
    except KubectlCommandError:
        return "refused"


TARGETS: dict[str, Callable[[bytes], str]] = {
    "request-head": request_head,
    "answer-head": answer_head,
    "chunked": chunked,
    "target": target,
    "request-info": request_info,
    "selectors": selectors,
    "kubectl-command": kubectl_words,
}
