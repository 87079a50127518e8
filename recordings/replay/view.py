"""A recording as a viewer's events: text with its time, whole characters, one size to begin with (protocols, 10.6).

Bytes are the evidence; this is a view of them. A character that is cut between two pieces comes with the second; what
is no UTF-8 is U+FFFD. Without a terminal, line ends become CR LF, or a viewer shows stairs.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from recordings.recorder.head import RecordingHead
from recordings.recorder.moment import Kind, Moment
from recordings.replay.screen import DEFAULT_SIZE, bounded, size_of

FIRST_SIZE_WITHIN = 1_000_000
"""Microseconds in which a client tells its size: kubectl does at once, attach twice (one column more, then right)."""
MAX_LOOKED_AHEAD = 256
"""Moments kept while the size is looked for."""
_BARE = re.compile(r"(?<!\r)\n")


class Code(StrEnum):
    """asciicast's event codes (protocols, 10.3)."""

    OUTPUT = "o"
    INPUT = "i"
    MARKER = "m"
    RESIZE = "r"
    EXIT = "x"


@dataclass(frozen=True, slots=True)
class Shown:
    """`at`: microseconds since the beginning."""

    at: int
    code: Code
    text: str


def first_size(head: RecordingHead, moments: Iterable[Moment]) -> tuple[tuple[int, int], Iterator[Moment]]:
    """((columns, rows) to begin with, all the moments again)."""
    source = iter(moments)
    looked: list[Moment] = []
    size: tuple[int, int] | None = None
    for moment in source:
        looked.append(moment)
        if moment.at > FIRST_SIZE_WITHIN or len(looked) >= MAX_LOOKED_AHEAD or moment.kind is Kind.STDOUT:
            break
        if moment.kind is Kind.RESIZE:
            size = size_of(moment.data) or size
    return (bounded(size) if head.tty and size else DEFAULT_SIZE), chain(looked, source)


class View:
    """Moments → events."""

    def __init__(self, head: RecordingHead, *, with_input: bool = False) -> None:
        self._has_terminal = head.tty
        self._codes = {Kind.STDOUT: Code.OUTPUT, Kind.STDERR: Code.OUTPUT}
        if with_input:
            self._codes[Kind.STDIN] = Code.INPUT
        self._decoders = {kind: codecs.getincrementaldecoder("utf-8")("replace") for kind in self._codes}
        self._last = dict.fromkeys(self._codes, "")
        self._at = 0

    def take(self, moment: Moment) -> Iterator[Shown]:
        self._at = moment.at
        if moment.kind is Kind.RESIZE:
            size = size_of(moment.data)
            if size is not None and self._has_terminal:
                columns, rows = bounded(size)
                yield Shown(moment.at, Code.RESIZE, f"{columns}x{rows}")
        elif moment.kind in self._codes:
            yield from self._text(moment.kind, self._decoders[moment.kind].decode(moment.data))

    def end(self) -> Iterator[Shown]:
        """Half a character at the end is shown as broken."""
        for kind, decoder in self._decoders.items():
            yield from self._text(kind, decoder.decode(b"", final=True))

    def _text(self, kind: Kind, text: str) -> Iterator[Shown]:
        if not text:
            return
        if not self._has_terminal and self._codes[kind] is Code.OUTPUT:
            text, self._last[kind] = _with_returns(text, self._last[kind]), text[-1]
        yield Shown(self._at, self._codes[kind], text)


def _with_returns(text: str, before: str) -> str:
    """Every line feed with one carriage return before it, also where that came at the end of the piece before."""
    kept = before if before == "\r" else ""
    return _BARE.sub("\r\n", kept + text)[len(kept) :]
