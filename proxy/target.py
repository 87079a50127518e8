"""The request target in its one canonical form; anything that two readers could take differently is refused.

Two rules for two parts. What RequestInfo interprets (the path up to a `proxy` subresource's own path) must hold no
empty or dot segment, no encoded separator, no `;`. What follows `…/proxy/` is another server's path and passes as it
is, as long as it is printable ASCII. RFC 3986 sections 3.3 and 3.4; Go `net/url` for how the API server reads it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_PLAIN = re.compile(r"/[A-Za-z0-9\-_~@!$&'()*+,=:./]*")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PROXIED = re.compile(r"/api/[^/]+/(?:namespaces/[^/]+/)?(?:pods|services|nodes)/[^/]+/proxy/")
_FORBIDDEN_ESCAPES = frozenset(("00", "2f", "5c", "25"))
_CLUSTER_NAME = re.compile(rb"/clusters/([A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)(?=[/?]|$)")

MAX_QUERY_PAIRS = 1000
"""An exec command line of a thousand words; Go has no limit below its 1 MiB head."""


class RefusedTarget(Exception):  # noqa: N818 - an adjective that reads well where it is raised
    """A target that is not canonical. The message is a clause, without the target's bytes."""


@dataclass(frozen=True, slots=True)
class Target:
    """A canonical target: `raw` as it goes upstream, `path` decoded, `query` decoded pairs in their order."""

    raw: bytes
    path: str
    query: tuple[tuple[str, str], ...]

    def first(self, name: str) -> str | None:
        """The first value of a query parameter: the one the API server reads."""
        for key, value in self.query:
            if key == name:
                return value
        return None

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a query parameter."""
        return tuple(value for key, value in self.query if key == name)


def cut_cluster_prefix(raw: bytes) -> tuple[str | None, bytes]:
    """`/clusters/NAME/rest` → (NAME, `/rest`); anything else → (None, unchanged)."""
    match = _CLUSTER_NAME.match(raw)
    if match is None:
        return None, raw
    rest = raw[match.end() :]
    return match[1].decode(), rest if rest.startswith(b"/") else b"/" + rest


def canonical(raw: bytes) -> Target:
    """The target of a request line, its cluster prefix already cut. Raises RefusedTarget."""
    try:
        text = raw.decode("ascii")
    except UnicodeDecodeError as error:
        raise RefusedTarget("it holds bytes that are not ASCII") from error
    path, question, query = text.partition("?")
    if "#" in text or "\\" in text or not text.isprintable() or " " in text:
        raise RefusedTarget("it holds #, a backslash, a blank or a control character")
    proxied = _PROXIED.match(path)
    head = path[: proxied.end() - 1] if proxied else path
    _check_path(head)
    if proxied and _BAD_ESCAPE.search(path):
        raise RefusedTarget("a percent sign without two hexadecimal digits")
    decoded = _decode(head, plus=False) if "%" in head else head
    return Target(raw, decoded + path[len(head) :], _pairs(query) if question else ())


def _check_path(path: str) -> None:
    if not path.startswith("/") or path.startswith("//"):
        raise RefusedTarget("it does not begin with exactly one slash")
    if ";" in path:
        raise RefusedTarget("a semicolon in the path")
    if "%" in path:
        for match in _ESCAPE.finditer(path):
            if match[1].lower() in _FORBIDDEN_ESCAPES:
                raise RefusedTarget("an encoded slash, backslash, percent sign or NUL")
        plain = _decode(path, plus=False)
    else:
        plain = path
        if not _PLAIN.fullmatch(path):
            raise RefusedTarget("a character that does not belong into a path")
    trimmed = plain[1:-1] if plain.endswith("/") and len(plain) > 1 else plain[1:]
    if trimmed:
        for segment in trimmed.split("/"):
            if segment in ("", ".", ".."):
                raise RefusedTarget("an empty or dot segment")


def _decode(text: str, *, plus: bool) -> str:
    """Percent-decoding to printable Unicode, or a refusal."""
    if _BAD_ESCAPE.search(text):
        raise RefusedTarget("a percent sign without two hexadecimal digits")
    if plus:
        text = text.replace("+", " ")
    data = bytearray()
    at = 0
    for match in _ESCAPE.finditer(text):
        data += text[at : match.start()].encode()
        data.append(int(match[1], 16))
        at = match.end()
    data += text[at:].encode()
    try:
        decoded = data.decode()
    except UnicodeDecodeError as error:
        raise RefusedTarget("escapes that are not UTF-8") from error
    if not plus and any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in decoded):
        raise RefusedTarget("an encoded control character")
    return decoded


def _pairs(query: str) -> tuple[tuple[str, str], ...]:
    if ";" in query:
        raise RefusedTarget("a semicolon in the query")
    pieces = [piece for piece in query.split("&") if piece]
    if len(pieces) > MAX_QUERY_PAIRS:
        raise RefusedTarget(f"more than {MAX_QUERY_PAIRS} query parameters")
    pairs = []
    for piece in pieces:
        name, _, value = piece.partition("=")
        pairs.append((_decode(name, plus=True), _decode(value, plus=True)))
    return tuple(pairs)
