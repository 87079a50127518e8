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

KEPT_FIELDS = 1024
MAX_KEPT_BYTES = 4096
"""Header blocks that are remembered, and the longest: 4 MiB at most, with what was read from them twice that."""

KEPT_STATUS_LINES = 128
KEPT_LINES = 2048
MAX_KEPT_LINE_BYTES = 256
"""Header lines of answers that are remembered: Date once a second, lengths, types; half a MiB."""

_REQUEST_LINE = re.compile(rb"(GET|HEAD|POST|PUT|PATCH|DELETE) (/[!-~]*) HTTP/1\.1\r\n")
_METHODS = {name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")}
_BODILESS = frozenset((b"GET", b"HEAD"))
_SECRET = frozenset((b"authorization", b"cookie", b"proxy-authorization"))
"""Headers whose values nobody here uses: they are dropped as soon as they are read."""
_FIELD_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t -~\x80-\xff]*)")
_FRAMING = frozenset((b"content-length", b"transfer-encoding", b"connection", b"upgrade"))
_NOT_KEPT = frozenset((b"audit-id", b"set-cookie", b"location", b"warning"))
"""Lines of answers that are new each time, or somebody's."""
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: [\t -~\x80-\xff]*)?")
_WITHOUT_BODY = frozenset((*range(100, 200), 204, 304))
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


@dataclass(frozen=True, slots=True, eq=False)
class Fields:
    """The header lines of a request and what they say. One object serves every head that came with the same lines, so
    what is derived from it may be remembered by its identity.

    `content_length` is None when there is no body or it is chunked.
    """

    headers: tuple[Header, ...]
    host: bytes
    content_length: int | None
    chunked: bool
    close: bool
    upgrade: bytes | None
    expects_continue: bool
    has_body: bool
    kept: bool
    """Whether it is worth remembering what follows from it: it is not over-long, and comes with other heads, too."""

    def get(self, name: bytes) -> bytes | None:
        """The first value of a header (lower-case name)."""
        for key, value in self.headers:
            if key == name:
                return value
        return None


@dataclass(slots=True)
class RequestHead:
    """A request's head that has one meaning. Nobody changes it; that it is not frozen saves a microsecond for each."""

    method: str
    target: bytes
    fields: Fields


@dataclass(slots=True)
class ResponseHead:
    """An upstream answer's head; not frozen for the same reason. `content_length` is None where no length is told."""

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
        self.pairs.append((name.lower(), value.rstrip(b" \t")))  # httptools leaves what stands behind a value


def head_end(buffer: bytes | bytearray) -> int:
    """Index behind the blank line that ends a head, or 0 when it is not there yet."""
    at = buffer.find(b"\r\n\r\n")
    return at + 4 if at >= 0 else 0


def hopeless(buffer: bytes) -> str:
    """Why no bytes behind these can make them a request's head, or the empty string."""
    if buffer.count(b"\n") != buffer.count(b"\r\n"):
        return "a line does not end in CRLF"
    if b"\r\n" in buffer and _REQUEST_LINE.match(buffer) is None:
        return "the request line is not METHOD /target HTTP/1.1"
    return "the head is over the limit" if len(buffer) > MAX_HEAD_BYTES else ""


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
    method, target = line.groups()
    if len(target) > MAX_TARGET_BYTES:
        raise Malformed(f"the target is longer than {MAX_TARGET_BYTES} bytes")
    block = data[line.end() :]
    fields = _known_fields.get(block) or _new_fields(block)
    if fields.has_body and method in _BODILESS:
        raise Malformed("a body on GET or HEAD")
    return RequestHead(_METHODS[method], target, fields)


_known_fields: dict[bytes, Fields] = {}
"""What was read before: a client sends the same lines with every request of a connection. Reading is pure, so nothing
here goes stale or is anybody's own; lines with a credential are not kept."""


def _new_fields(block: bytes) -> Fields:
    fields = _fields(block)
    if fields.kept:
        if len(_known_fields) >= KEPT_FIELDS:
            del _known_fields[next(iter(_known_fields))]  # the oldest
        _known_fields[block] = fields
    return fields


def _fields(block: bytes) -> Fields:
    """The lines behind the request line, the blank one included."""
    if not block.isascii():
        raise Malformed("a byte over 0x7F in the head")
    pairs = _pairs(httptools.HttpRequestParser, b"POST / HTTP/1.1\r\n" + block)
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
    has_body = chunked or bool(length)
    kept = tuple([(key, b"" if key in _SECRET else value) for key, value in pairs])
    worth = len(block) <= MAX_KEPT_BYTES and not any(key in _SECRET for key, _ in pairs)
    return Fields(kept, host, length, chunked, b"close" in connection, upgrade, expect, has_body, worth)


def parse_response_head(data: bytes, method: str) -> ResponseHead:
    """An upstream's head to a ResponseHead, framed for the request's method. Raises Malformed.

    Line by line (RFC 9112 section 5): most lines are the same from answer to answer, and are read once.
    """
    lines = data[:-4].split(b"\r\n")
    status, close = _known_status.get(lines[0]) or _new_status(lines[0])
    if len(lines) - 1 > MAX_HEADERS:
        raise Malformed(f"more than {MAX_HEADERS} headers")
    pairs = tuple([_known_lines.get(text) or _new_line(text) for text in lines[1:]])
    framing = [pair for pair in pairs if pair[0] in _FRAMING]
    length, chunked = _framing(framing)
    upgrade = None
    for name, value in framing:
        if name == b"connection":
            close = close or b"close" in _tokens(framing, b"connection")
        elif name == b"upgrade" and status == 101:
            upgrade = value
    if method == "HEAD" or status in _WITHOUT_BODY:
        length, chunked = 0, False
    elif length is None and not chunked:
        close = True  # RFC 9112 section 6.3, 8: the body ends with the connection
    return ResponseHead(status, pairs, length, chunked, close, upgrade)


_known_status: dict[bytes, tuple[int, bool]] = {}
"""(status, whether HTTP/1.0) of status lines that were read before."""


def _new_status(line: bytes) -> tuple[int, bool]:
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise Malformed("the status line is not HTTP/1.x NNN")
    read = (int(match[1]), line.startswith(b"HTTP/1.0"))
    if len(_known_status) < KEPT_STATUS_LINES and len(line) <= MAX_KEPT_LINE_BYTES:
        _known_status[line] = read
    return read


_known_lines: dict[bytes, Header] = {}
"""Header lines of answers that were read before, as `_known_fields`."""


def _new_line(text: bytes) -> Header:
    match = _FIELD_LINE.fullmatch(text)
    if match is None:
        raise Malformed("a header line was not understood")
    pair = (match[1].lower(), match[2].strip(b" \t"))
    if len(text) <= MAX_KEPT_LINE_BYTES and pair[0] not in _NOT_KEPT:
        if len(_known_lines) >= KEPT_LINES:
            del _known_lines[next(iter(_known_lines))]  # the oldest
        _known_lines[text] = pair
    return pair


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


_NO_BODY = FixedBody(0)
"""It is done, and nothing that is fed to it changes it."""


def request_body(head: RequestHead) -> Body:
    """The reader for a request's body; one that is done at once when there is none."""
    if not head.fields.has_body:
        return _NO_BODY
    return ChunkedBody() if head.fields.chunked else FixedBody(head.fields.content_length or 0)


def response_body(head: ResponseHead) -> Body:
    """The reader for a response's body."""
    if head.chunked:
        return ChunkedBody()
    return UnboundedBody() if head.content_length is None else FixedBody(head.content_length)
