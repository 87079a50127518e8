"""HTTP/1.1 heads and body framing, read strictly: what two parsers could read differently is refused, never repaired.

httptools (llhttp) reads the head; this module first checks what httptools lets through (other versions, absolute
targets, bytes over 0x7F, several blanks, repeated framing headers). Bodies are not decoded: their framing is matched
byte for byte, so that exactly what was understood is passed on. Held by tests/proxy/test_http1.py.

RFC 9112 sections 2 to 7; RFC 9110 sections 7.6.1 and 10.1.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import httptools

MAX_HEAD_BYTES = 64 * 1024
"""A head longer than this is refused. Go's server takes 1 MiB; client-go's heads are under 4 KiB."""
MAX_TARGET_BYTES = 16 * 1024
"""A long exec command line or label selector fits; nginx stops at 8 KiB, the API server at its 1 MiB head."""
MAX_HEADERS = 100
"""aiohttp stops at 128, Apache at 100; kubectl sends about ten."""
MAX_CHUNK_LINE_BYTES = 18
"""Sixteen hexadecimal digits and CRLF: no extensions, which no Kubernetes client sends."""
MAX_INFORMATIONAL = 8
"""1xx answers in front of the real one."""

_REQUEST_LINE = re.compile(rb"(GET|HEAD|POST|PUT|PATCH|DELETE) (/[!-~]*) HTTP/1\.1\r\n")
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: [\t -~\x80-\xff]*)?\r\n")
_DIGITS = re.compile(rb"[0-9]{1,18}")
_HEX = re.compile(rb"[0-9A-Fa-f]{1,16}")
_ONCE = frozenset(
    (
        b"host",
        b"content-length",
        b"transfer-encoding",
        b"content-type",
        b"authorization",
        b"expect",
        b"upgrade",
        b"origin",
    )
)

Header = tuple[bytes, bytes]
"""(lower-case name, value without outer blanks)."""


class Malformed(Exception):  # noqa: N818 - an adjective that reads well where it is raised
    """The peer's bytes are not HTTP/1.1 as we accept it. The message is ours and holds none of the peer's bytes."""


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A request's head that has one meaning. `content_length` is None when there is no body or it is chunked."""

    method: str
    target: bytes
    headers: tuple[Header, ...]
    host: bytes
    content_length: int | None
    chunked: bool
    close: bool
    upgrade: bytes | None
    expects_continue: bool

    @property
    def has_body(self) -> bool:
        return self.chunked or bool(self.content_length)

    def get(self, name: bytes) -> bytes | None:
        """The first value of a header (lower-case name)."""
        for key, value in self.headers:
            if key == name:
                return value
        return None


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """An upstream answer's head. `body` says how its body ends."""

    status: int
    headers: tuple[Header, ...]
    content_length: int | None
    chunked: bool
    close: bool
    upgrade: bytes | None


class _Headers:
    __slots__ = ("pairs",)

    def __init__(self) -> None:
        self.pairs: list[Header] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.pairs.append((name.lower(), value))


def head_end(buffer: bytes | bytearray) -> int:
    """Index behind the blank line that ends a head, or 0 when it is not there yet."""
    at = buffer.find(b"\r\n\r\n")
    return at + 4 if at >= 0 else 0


def _pairs(parser_type: type, data: bytes) -> list[Header]:
    """The headers as httptools reads them. Raises Malformed."""
    if data.count(b"\n") != data.count(b"\r\n") or data.count(b"\r") != data.count(b"\n"):
        raise Malformed("a line does not end in CRLF")
    collected = _Headers()
    try:
        parser_type(collected).feed_data(data)
    except httptools.HttpParserUpgrade:
        pass  # it says where the upgraded bytes begin; ours are already cut at the head's end
    except httptools.HttpParserError as error:
        raise Malformed("the head is not valid HTTP/1.1") from error
    pairs = collected.pairs
    if len(pairs) > MAX_HEADERS:
        raise Malformed(f"more than {MAX_HEADERS} headers")
    if len(pairs) != data.count(b"\r\n") - 2:
        raise Malformed("a header line was not understood")
    return pairs


def _tokens(pairs: list[Header], name: bytes) -> set[bytes]:
    return {token.strip().lower() for key, value in pairs if key == name for token in value.split(b",")}


def _framing(pairs: list[Header]) -> tuple[int | None, bool]:
    """(content length, chunked) by RFC 9112 section 6.3, without its leniencies."""
    length: int | None = None
    chunked = False
    for key, value in pairs:
        if key == b"content-length":
            if length is not None or not _DIGITS.fullmatch(value):
                raise Malformed("Content-Length is not one decimal number")
            length = int(value)
        elif key == b"transfer-encoding":
            if chunked or value.lower() != b"chunked":
                raise Malformed("Transfer-Encoding is not just chunked")
            chunked = True
    if chunked and length is not None:
        raise Malformed("both Transfer-Encoding and Content-Length")
    return length, chunked


def parse_request_head(data: bytes) -> RequestHead:
    """A head, its blank line included, to a RequestHead. Raises Malformed."""
    line = _REQUEST_LINE.match(data)
    if line is None:
        raise Malformed("the request line is not METHOD /target HTTP/1.1")
    if not data.isascii():
        raise Malformed("a byte over 0x7F in the head")
    target = line[2]
    if len(target) > MAX_TARGET_BYTES:
        raise Malformed(f"the target is longer than {MAX_TARGET_BYTES} bytes")
    pairs = _pairs(httptools.HttpRequestParser, data)
    seen: set[bytes] = set()
    host = b""
    for key, value in pairs:
        if key in _ONCE:
            if key in seen:
                raise Malformed("a header that may occur once occurs twice")
            seen.add(key)
            if key == b"host":
                host = value
    if not host:
        raise Malformed("no Host")
    length, chunked = _framing(pairs)
    method = line[1].decode()
    if method in ("GET", "HEAD") and (chunked or length):
        raise Malformed("a body on GET or HEAD")
    expect = False
    if b"expect" in seen:
        if _tokens(pairs, b"expect") != {b"100-continue"}:
            raise Malformed("an expectation other than 100-continue")
        expect = True
    connection = _tokens(pairs, b"connection")
    upgrade = None
    if b"upgrade" in connection or b"upgrade" in seen:
        upgrade = next((value for key, value in pairs if key == b"upgrade"), None)
        if upgrade is None or b"upgrade" not in connection:
            raise Malformed("Upgrade and Connection do not agree")
    return RequestHead(method, target, tuple(pairs), host, length, chunked, b"close" in connection, upgrade, expect)


def parse_response_head(data: bytes, method: str) -> ResponseHead:
    """An upstream's head to a ResponseHead, framed for the request's method. Raises Malformed."""
    line = _STATUS_LINE.match(data)
    if line is None:
        raise Malformed("the status line is not HTTP/1.x NNN")
    pairs = _pairs(httptools.HttpResponseParser, data)
    status = int(line[1])
    length, chunked = _framing(pairs)
    connection = _tokens(pairs, b"connection")
    close = b"close" in connection or data.startswith(b"HTTP/1.0")
    upgrade = None
    if status == 101:
        upgrade = next((value for key, value in pairs if key == b"upgrade"), None)
    if method == "HEAD" or status in (204, 304) or status < 200:
        return ResponseHead(status, tuple(pairs), 0, chunked=False, close=close, upgrade=upgrade)
    if length is None and not chunked:
        close = True  # RFC 9112 section 6.3, 8: the body ends with the connection
    return ResponseHead(status, tuple(pairs), length, chunked, close, upgrade)


class FixedBody:
    """A body of a known length. `feed` says how many of the bytes are its own."""

    __slots__ = ("done", "payload", "remaining")

    def __init__(self, length: int) -> None:
        self.remaining = length
        self.payload = 0
        self.done = length == 0

    def feed(self, data: bytes) -> int:
        taken = min(len(data), self.remaining)
        self.remaining -= taken
        self.payload += taken
        self.done = self.remaining == 0
        return taken


class UnboundedBody:
    """A response body that ends with the connection (RFC 9112 section 6.3, 8)."""

    __slots__ = ("done", "payload")

    def __init__(self) -> None:
        self.payload = 0
        self.done = False

    def feed(self, data: bytes) -> int:
        self.payload += len(data)
        return len(data)


class ChunkedBody:
    """Chunked framing (RFC 9112 section 7.1) matched without extensions or trailers, bytes unchanged.

    `feed` returns how many bytes belong to this body, and raises Malformed on the first byte it cannot match.
    """

    __slots__ = ("_last", "_line", "_remaining", "_state", "done", "payload")
    _SIZE, _DATA, _DATA_END, _LAST_END = range(4)

    def __init__(self) -> None:
        self._state = self._SIZE
        self._line = b""
        self._remaining = 0
        self._last = False
        self.payload = 0
        self.done = False

    def feed(self, data: bytes) -> int:
        at, end = 0, len(data)
        while at < end and not self.done:
            if self._state == self._DATA:
                taken = min(end - at, self._remaining)
                at += taken
                self.payload += taken
                self._remaining -= taken
                if not self._remaining:
                    self._state = self._DATA_END
            elif self._state == self._SIZE:
                at = self._size(data, at)
            else:
                at = self._line_end(data, at)
        return at

    def _size(self, data: bytes, at: int) -> int:
        stop = data.find(b"\n", at, at + MAX_CHUNK_LINE_BYTES - len(self._line))
        piece = data[at : stop + 1] if stop >= 0 else data[at : at + MAX_CHUNK_LINE_BYTES]
        self._line += piece
        if stop < 0:
            if len(self._line) >= MAX_CHUNK_LINE_BYTES or not _partial_size(self._line):
                raise Malformed("a chunk's size line is not hexadecimal digits and CRLF")
            return at + len(piece)
        if self._line[-2:] != b"\r\n" or not _HEX.fullmatch(self._line[:-2]):
            raise Malformed("a chunk's size line is not hexadecimal digits and CRLF")
        self._remaining = int(self._line, 16)
        self._state = self._DATA if self._remaining else self._LAST_END
        self._line = b""
        return at + len(piece)

    def _line_end(self, data: bytes, at: int) -> int:
        self._line += data[at : at + 2 - len(self._line)]
        if not b"\r\n".startswith(self._line):
            raise Malformed("a chunk does not end in CRLF, or has trailers")
        if len(self._line) == 1:
            return at + 1
        taken = 2 if data[at : at + 2] == b"\r\n" else 1
        self._line = b""
        if self._state == self._LAST_END:
            self.done = True
        else:
            self._state = self._SIZE
        return at + taken


def _partial_size(line: bytes) -> bool:
    digits = line[:-1] if line.endswith(b"\r") else line
    return _HEX.fullmatch(digits) is not None


Body = FixedBody | ChunkedBody | UnboundedBody


def request_body(head: RequestHead) -> Body:
    """The reader for a request's body; one that is done at once when there is none."""
    return ChunkedBody() if head.chunked else FixedBody(head.content_length or 0)


def response_body(head: ResponseHead) -> Body:
    """The reader for a response's body."""
    if head.chunked:
        return ChunkedBody()
    return UnboundedBody() if head.content_length is None else FixedBody(head.content_length)
