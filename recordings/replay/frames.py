"""A recording drawn beforehand: what each row of the screen holds, and when it changes. For pages without a terminal.

A frame is everything that happened within `FRAME_MICROSECONDS`; it names only the rows that are different after it, as
runs of text in one style, so drawing all frames from the first one on gives the screen at any time, exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from recordings.recorder.head import RecordingHead
from recordings.recorder.moment import OUTPUT, Kind, Moment
from recordings.replay.screen import Display, Terminal, bounded, size_of
from recordings.replay.view import first_size

FRAME_MICROSECONDS = 33_000
"""A thirtieth of a second: what the eye tells apart."""


@dataclass(frozen=True, slots=True, order=True)
class Style:
    """Colours are names of the sixteen, `default`, or six hexadecimal digits."""

    fg: str = "default"
    bg: str = "default"
    bold: bool = False
    italic: bool = False
    underlined: bool = False
    struck: bool = False
    reverse: bool = False


PLAIN = Style()
Run = tuple[str, Style]
Row = tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """`at`: microseconds. `size` (columns, rows) where it changes; `cursor` is (characters before it, row), None
    while it is hidden.
    """

    at: int
    rows: tuple[tuple[int, Row], ...]
    cursor: tuple[int, int] | None
    size: tuple[int, int] | None = None


def frames(head: RecordingHead, moments: Iterable[Moment]) -> Iterator[Frame]:
    """The first one is of the beginning, and has the size."""
    size, moments = first_size(head, moments)
    drawing = _Drawing(size)
    yield Frame(0, (), (0, 0), size)
    began: int | None = None
    for moment in moments:
        if began is not None and moment.at - began >= FRAME_MICROSECONDS:
            yield from drawing.frame(began)
            began = None
        if moment.kind in OUTPUT:
            data = moment.data if head.tty else moment.data.replace(b"\n", b"\r\n")
            drawing.terminal.feed(moment.at, data)
        elif moment.kind is Kind.RESIZE and head.tty and (new := size_of(moment.data)) is not None:
            drawing.resize(moment.at, new)
        else:
            continue
        began = moment.at if began is None else began
    if began is not None:
        yield from drawing.frame(began)


class _Drawing:
    """The screen, and what was told of it."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.terminal = Terminal(size=size)
        self.terminal.display.dirty.clear()
        self._told: dict[int, Row] = {}
        self._cursor: tuple[int, int] | None = (0, 0)
        self._size = size
        self._told_size = size

    def resize(self, at: int, size: tuple[int, int]) -> None:
        self._size = bounded(size)
        self.terminal.resize(at, size)

    def frame(self, at: int) -> Iterator[Frame]:
        """What is different now; nothing if nothing is."""
        display = self.terminal.display
        if self._size != self._told_size:
            self._told = {y: row for y, row in self._told.items() if y < self._size[1]}
        rows = tuple(self._changed(display))
        display.dirty.clear()
        cursor = None if display.cursor.hidden else (_offset(display), display.cursor.y)
        size = None if self._size == self._told_size else self._size
        if rows or size or cursor != self._cursor:
            self._cursor, self._told_size = cursor, self._size
            yield Frame(at, rows, cursor, size)

    def _changed(self, display: Display) -> Iterator[tuple[int, Row]]:
        for y in sorted(display.dirty):
            if y < display.lines:
                row = _row(display, y)
                if row is not (before := self._told.get(y, ())) and row != before:
                    self._told[y] = row
                    yield y, row


def _offset(display: Display) -> int:
    """How many characters stand before the cursor: of a wide one, the second cell holds none."""
    cells, x = display.buffer.get(display.cursor.y), min(display.cursor.x, display.columns - 1)
    return sum(len(cells[one].data) if cells and one in cells else 1 for one in range(x))


def _row(display: Display, y: int) -> Row:
    """Without plain blanks at its end; remembered with the row, since most rows only move."""
    cells: Any = display.buffer.get(y)
    if cells is None:
        return ()
    known: Row | None = getattr(cells, "runs", None)
    if known is None:
        known = cells.runs = _runs(display, cells)
    return known


def _runs(display: Display, cells: Any) -> Row:
    runs: list[tuple[str, Style]] = []
    for x in range(min(max(cells) + 1, display.columns) if cells else 0):
        cell = cells.get(x) or display.default_char
        style = Style(cell.fg, cell.bg, cell.bold, cell.italics, cell.underscore, cell.strikethrough, cell.reverse)
        if runs and runs[-1][1] == style:
            runs[-1] = (runs[-1][0] + cell.data, style)
        else:
            runs.append((cell.data, style))
    while runs and runs[-1][1] == PLAIN and not runs[-1][0].rstrip():
        runs.pop()
    if runs and runs[-1][1] == PLAIN:
        runs[-1] = (runs[-1][0].rstrip(), PLAIN)
    return tuple(runs)
