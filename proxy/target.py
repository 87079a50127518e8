"""The request target in its one canonical form; anything that two readers could take differently is refused.

Two rules for two parts. What RequestInfo interprets (the path up to a `proxy` subresource's own path) holds no empty or
dot segment, no encoded separator, no semicolon. What follows `…/proxy/` is another server's path: it goes on as it is,
and must only decode (RFC 3986 sections 2.1 and 3.3) and hold no dot segment, which a server behind could climb by.

Left to others: method, Host and body (`proxy.http1`); what the path means (`proxy.request_info`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_OURS = r"[A-Za-z0-9\-_~@!$&'()*+,=:.]"  # RFC 3986 pchar without `%` and `;`
_PLAIN = re.compile(rf"/(?:{_OURS}+/)*{_OURS}*")
_INTERPRETED = re.compile(rf"(?:/|%|{_OURS})*")
_FOREIGN = re.compile(r"[^!-~]|[#\\]")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SEPARATOR_ESCAPE = re.compile(r"%(?:00|2[Ff5]|5[Cc])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_PROXIED = re.compile(r"/api/[^/]+/(?:namespaces/[^/]+/)?(?:pods|services|nodes)/[^/]+/proxy/")
_CLUSTER_NAME = re.compile(rb"/clusters/([A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)(?=[/?]|\Z)")

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
    """`/clusters/NAME/rest` → (NAME, `/rest`); anything else → (None, unchanged).

    `/clusters/NAME` alone is the root. The rest is not looked at (`//x` is for `canonical` to refuse).
    """
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
    if _FOREIGN.search(text):
        raise RefusedTarget("it holds #, a backslash, a blank or a control character")
    path, _, query = text.partition("?")
    plain = "/." not in path and _PLAIN.fullmatch(path) is not None
    return Target(raw, path if plain else _path(path), _pairs(query) if query else ())


def _path(path: str) -> str:
    """The decoded path, or a refusal: whatever is not plain at first sight."""
    proxied = _PROXIED.match(path)
    at = proxied.end() if proxied else len(path)
    decoded, tail = _interpreted(path[:at]), _decode(path[at:])
    if _CONTROL.search(decoded) or _CONTROL.search(tail):
        raise RefusedTarget("an encoded control character")
    if any(segment in (".", "..") for segment in tail.split("/")):
        raise RefusedTarget("a dot segment behind proxy/")
    return decoded + tail


def _interpreted(path: str) -> str:
    """The part that RequestInfo reads, decoded."""
    if not path.startswith("/") or path.startswith("//"):
        raise RefusedTarget("it does not begin with exactly one slash")
    if _SEPARATOR_ESCAPE.search(path):
        raise RefusedTarget("an encoded slash, backslash, percent sign or NUL")
    decoded = _decode(path)
    if ";" in decoded:
        raise RefusedTarget("a semicolon in the path")
    if not _INTERPRETED.fullmatch(path):
        raise RefusedTarget("a character that does not belong into a path")
    segments = decoded[1:].split("/")
    if segments[-1] == "":
        segments.pop()  # one trailing slash passes: RequestInfo trims it
    if any(segment in ("", ".", "..") for segment in segments):
        raise RefusedTarget("an empty or dot segment")
    return decoded


def _pairs(query: str) -> tuple[tuple[str, str], ...]:
    """Decoded pairs. Go drops a pair with `;` or a bad escape in silence (`net/url` ParseQuery); here it is refused."""
    if ";" in query:
        raise RefusedTarget("a semicolon in the query")
    pieces = [piece for piece in query.split("&") if piece]
    if len(pieces) > MAX_QUERY_PAIRS:
        raise RefusedTarget(f"more than {MAX_QUERY_PAIRS} query parameters")
    if "%" not in query and "+" not in query:
        return tuple([(name, value) for name, _, value in (piece.partition("=") for piece in pieces)])
    pairs = []
    for piece in pieces:
        name, _, value = piece.replace("+", " ").partition("=")
        pairs.append((_decode(name), _decode(value)))
    return tuple(pairs)


def _decode(text: str) -> str:
    """Percent-decoding to Unicode, or a refusal."""
    if "%" not in text:
        return text
    if _BAD_ESCAPE.search(text):
        raise RefusedTarget("a percent sign without two hexadecimal digits")
    data = bytearray()
    at = 0
    for match in _ESCAPE.finditer(text):
        data += text[at : match.start()].encode()
        data.append(int(match[1], 16))
        at = match.end()
    data += text[at:].encode()
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise RefusedTarget("escapes that are not UTF-8") from error


def query_bool(value: str | None) -> bool:
    """Kubernetes' query booleans: absent, `0` and `false` are false, everything else true, the empty text included
    (conversion.Convert_Slice_string_To_bool).
    """
    return value is not None and value.lower() not in ("0", "false")
