"""Terminal sizes as clients send them: JSON values one after another, cut anywhere. k8s.io/api remotecommand
TerminalSize.

Over SPDY they are a run of bytes, over WebSocket a message each; both are read as a run. Kubernetes' own reader takes
any case of the names, more names, and the last of two; here a size has one way to be written, so that it has one
meaning.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from recordings.streams.fault import Fault, StreamFaultError

MAX_SIZE_BYTES = 256
"""Of one value. Clients write under 40 bytes."""

_BLANKS = b" \t\r\n"
_VALUE = re.compile(rb"[ \t\r\n]*(\{[^{}]{0,%d}\})" % (MAX_SIZE_BYTES - 2))


@dataclass(frozen=True, slots=True)
class TerminalSize:
    """In characters; 0 where a client does not know. The first of an attach is one too large, to force a redraw."""

    width: int
    height: int


class ResizeReader:
    """Reads the resize stream of one exec or attach."""

    def __init__(self) -> None:
        self._waiting = b""

    def feed(self, data: bytes) -> list[TerminalSize]:
        """Return the sizes that `data` completes. Raises StreamFaultError."""
        text, sizes, at = self._waiting + data, [], 0
        while found := _VALUE.match(text, at):
            sizes.append(_size(found.group(1)))
            at = found.end()
        self._waiting = text[at:].lstrip(_BLANKS)
        if len(self._waiting) > MAX_SIZE_BYTES or self._waiting[:1] not in {b"", b"{"} or b"{" in self._waiting[1:]:
            raise StreamFaultError(Fault.RESIZE, f"{self._waiting[:40]!r} is no size of a terminal")
        return sizes


def _size(text: bytes) -> TerminalSize:
    try:
        pairs = json.loads(text, object_pairs_hook=list)
    except ValueError:
        pairs = []
    size = dict(pairs)
    if (
        len(pairs) != len(size)
        or size.keys() != {"Width", "Height"}
        or any(type(number) is not int or not 0 <= number <= 0xFFFF for number in size.values())
    ):
        raise StreamFaultError(Fault.RESIZE, f"{text[:40]!r} is no size of a terminal")
    return TerminalSize(size["Width"], size["Height"])
