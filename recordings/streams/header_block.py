"""SPDY/3's header blocks of one direction: zlib with the preset dictionary, one stream for the whole connection. SPDY/3
§2.6.10.

Every block must be read, in order, also those of streams that nobody looks at: the next block is compressed against
them. Stricter than other readers where two could differ: a block holds exactly its pairs, no name stands twice, names
are lower-case tokens (Go's reader keeps what is left of a block for the next one, and takes the first of two values).
"""

from __future__ import annotations

import re
import zlib

from recordings.streams.fault import Fault, StreamFaultError

MAX_INFLATED_BYTES = 64 * 1024
"""Kubernetes' blocks are under 200 bytes. The same limit as for the frame that carries it, so that compression buys
nothing."""

MAX_PAIRS = 100
"""Kubernetes sends three at most; Go's reader stops at 1,000."""

FORBIDDEN = frozenset({"connection", "host", "keep-alive", "proxy-connection", "transfer-encoding"})
"""SPDY/3 §3.2.1: "The following headers MUST NOT be present"."""

_TOKEN = re.compile(rb":?[!#$%&'*+.^_`|~0-9a-z-]+")

_WORDS = (
    "options|head|post|put|delete|trace|accept|accept-charset|accept-encoding|accept-language|accept-ranges|age|allow|"
    "authorization|cache-control|connection|content-base|content-encoding|content-language|content-length|content-location|"
    "content-md5|content-range|content-type|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|"
    "if-range|if-unmodified-since|last-modified|location|max-forwards|pragma|proxy-authenticate|proxy-authorization|range|"
    "referer|retry-after|server|te|trailer|transfer-encoding|upgrade|user-agent|vary|via|warning|www-authenticate|method|get|"
    "status|200 OK|version|HTTP/1.1|url|public|set-cookie|keep-alive|origin"
)
_TAIL = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative "
    "Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 Inter"
    "nal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00"
    ":00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,applic"
    "ation/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1"
    ",utf-,*,enq=0."
)

DICTIONARY = b"".join(len(word).to_bytes(4) + word.encode() for word in _WORDS.split("|")) + _TAIL.encode()
"""SPDY/3 §2.6.10.1; Adler-32 e3c6a7c2."""

_SYNC_FLUSH = b"\x00\x00\xff\xff"


class HeaderReader:
    """Reads the blocks of one direction in their order."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(zdict=DICTIONARY)

    def read(self, block: bytes) -> dict[str, str]:
        """Return the pairs of the next block; several values of one name are joined by NUL. Raises StreamFaultError."""
        if not block.endswith(_SYNC_FLUSH):
            raise StreamFaultError(Fault.COMPRESSION, "the block does not end with a flush")
        try:
            inflated = self._inflater.decompress(block, MAX_INFLATED_BYTES + 1)
        except zlib.error as error:
            raise StreamFaultError(Fault.COMPRESSION, str(error)) from None
        if len(inflated) > MAX_INFLATED_BYTES:
            raise StreamFaultError(Fault.HEADER_LIMIT, f"the block is more than {MAX_INFLATED_BYTES} bytes")
        if self._inflater.eof:
            raise StreamFaultError(Fault.COMPRESSION, "the stream of blocks was ended")
        return _pairs(inflated)


def _pairs(block: bytes) -> dict[str, str]:
    """§2.6.10: a count, then name and value of each pair, every one of them after its length; 32 bits, big-endian."""
    count, at = int.from_bytes(block[:4]), 4
    if count > MAX_PAIRS:
        raise StreamFaultError(Fault.HEADER_LIMIT, f"{count} pairs; at most {MAX_PAIRS}")
    pairs: dict[str, str] = {}
    for _ in range(count):
        name, at = _text(block, at)
        value, at = _text(block, at)
        if not _TOKEN.fullmatch(name):
            raise StreamFaultError(Fault.HEADERS, f"{name[:64]!r} is no name")
        key = name.decode()
        if key in pairs or key in FORBIDDEN:
            raise StreamFaultError(Fault.HEADERS, f"{key[:64]!r} stands twice or must not stand")
        pairs[key] = value.decode("latin-1")
    if at != len(block):
        raise StreamFaultError(Fault.HEADERS, f"the block has {len(block)} bytes, its pairs {at}")
    return pairs


def _text(block: bytes, at: int) -> tuple[bytes, int]:
    start = at + 4
    end = start + int.from_bytes(block[at:start])
    if end > len(block):
        raise StreamFaultError(Fault.HEADERS, "a length reaches beyond the block")
    return block[start:end], end
