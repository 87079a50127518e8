"""A terminal without glass: what stands on the screen, and every line that ever stood there.

Built on pyte's screen, fed only with what `terminal_filter` lets through, so nothing answers, loops or raises. To pyte
are added the alternate screen, SU and SD, one place for a saved cursor as xterm has it, bounds for everything, and the
lines: before anything is overwritten, erased, scrolled away or covered, the line that it stood in is handed out. So
what was drawn and wiped in the same second is found all the same (security, E7); colour says nothing, and hides
nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from copy import copy
from typing import Any

import pyte
from pyte import charsets, modes
from wcwidth import wcwidth

from recordings.replay.terminal_filter import TerminalFilter

MAX_COLUMNS = 500
MAX_ROWS = 200
"""Larger than any wall of screens; a recording may say 65,535, and each row costs memory."""
DEFAULT_SIZE = (80, 24)
MAX_COMBINING = 8
"""Marks on one character; scripts need four, floods of them cost time."""
MAX_STYLES = 256
"""Kept ready; a screen has a handful."""
_ALTERNATE = frozenset((47, 1047, 1049))
_BLANK = frozenset(("", " "))
_COLON_SGR = re.compile(r"\x1b\[([0-9;:]*:[0-9;:]*)m")

Lines = Callable[[int, str], None]
"""(microseconds at which its drawing began, text): a line, however many rows it took."""
Before = Callable[[str, int], None]
"""(the text of the cursor's line before a line feed, the cursor's column)."""


class Display(pyte.Screen):
    """`now` is set by whoever feeds it."""

    def __init__(self, columns: int, rows: int, lines: Lines, before_line_feed: Before) -> None:
        self.now = 0
        self._told, self._before = lines, before_line_feed
        self.covered: tuple[Any, Any] | None = None
        """The rows and the cursor of the main screen, while the alternate one is shown."""
        self._cells: dict[Any, dict[str, Any]] = {}
        super().__init__(columns, rows)

    @property
    def is_alternate(self) -> bool:
        return self.covered is not None

    def text(self, y: int) -> str:
        """A row, without blanks at its end."""
        row = self.buffer.get(y)
        if not row:
            return ""
        last = max(row)
        return "".join(row[x].data if x in row else " " for x in range(last + 1)).rstrip()

    def line(self, y: int) -> str:
        """A row with those that it is the rest of."""
        return "".join(self.text(one) for one in range(self._first(y), y + 1))

    def _first(self, y: int) -> int:
        while y > 0 and getattr(self.buffer.get(y - 1), "goes_on", False):
            y -= 1
        return y

    def _last(self, y: int) -> int:
        while y < self.lines - 1 and getattr(self.buffer.get(y), "goes_on", False):
            y += 1
        return y

    # -- lines are told before they change

    def tell_all(self) -> None:
        for y in range(self.lines):
            self._tell(y)

    def _tell(self, y: int) -> None:
        """The line that this row is of, unless it was told since it changed."""
        if getattr(self.buffer.get(y), "since", None) is None:
            return
        text, since = "", self.now
        for one in range(self._first(y), self._last(y) + 1):
            row: Any = self.buffer[one]
            text += self.text(one)
            drawn = getattr(row, "since", None)
            since = since if drawn is None else min(since, drawn)
            row.since = None
        if text:
            self._told(since, text)

    def _tell_if(self, y: int, start: int, end: int) -> None:
        row = self.buffer.get(y)
        if row and any(start <= x < end and cell.data not in _BLANK for x, cell in row.items()):
            self._tell(y)

    def draw(self, data: str) -> None:
        if data.isascii():
            self._draw_pieces(data)
            return
        for char in _drawable(data):
            self._draw_piece(char)

    def _draw_pieces(self, data: str) -> None:
        position = 0
        while position < len(data):
            room = max(1, self.columns - self.cursor.x) if self.cursor.x < self.columns else self.columns
            self._draw_piece(data[position : position + room])
            position += room

    def _draw_piece(self, piece: str) -> None:
        if self.cursor.x >= self.columns and modes.DECAWM in self.mode and wcwidth(piece[0]) > 0:
            ending: Any = self.buffer[self.cursor.y]
            ending.goes_on = True
            self.carriage_return()
            self.index()
            wrapped = True
        else:
            wrapped = False
        x = min(self.cursor.x, self.columns - 1)
        row: Any = self.buffer[self.cursor.y]
        if modes.IRM in self.mode:
            self._tell_if(self.cursor.y, x, self.columns)
        elif len(row) and any(
            (cell := row.get(x + i)) is not None and cell.data != char and cell.data not in _BLANK
            for i, char in enumerate(piece)
        ):
            self._tell(self.cursor.y)
        if x == 0 and not wrapped:
            self._parted(self.cursor.y - 1)
        if not self._draw_simply(piece, row):
            super().draw(piece)
        row = self.buffer[self.cursor.y]
        if getattr(row, "since", None) is None:
            row.since = self.now
        row.runs = None
        if self.cursor.y and not piece.isascii():
            self._edited(self.cursor.y - 1)  # a mark may belong to the last character of the row before

    def _edited(self, y: int) -> None:
        """What `frames` remembers of a row holds no more; rows that only move keep it."""
        row: Any = self.buffer.get(y)
        if row is not None:
            row.runs = None

    def _draw_simply(self, piece: str, row: Any) -> bool:
        """Do what pyte does, twenty times faster, where nothing is special: ASCII, replacing, within the row."""
        x = self.cursor.x
        if (
            x + len(piece) > self.columns
            or not piece.isascii()
            or not piece.isprintable()
            or self.charset
            or self.g0_charset is not charsets.LAT1_MAP
            or modes.IRM in self.mode
        ):
            return False
        attributes = self.cursor.attrs
        cells = self._cells.get(attributes)
        if cells is None:
            if len(self._cells) >= MAX_STYLES:
                self._cells.clear()
            cells = self._cells[attributes] = {
                chr(code): attributes._replace(data=chr(code)) for code in range(32, 127)
            }
        row.update(zip(range(x, x + len(piece)), map(cells.__getitem__, piece), strict=True))
        self.cursor.x = x + len(piece)
        self.dirty.add(self.cursor.y)
        return True

    def _parted(self, y: int) -> None:
        """The row below no longer is the rest of this one."""
        row: Any = self.buffer.get(y)
        if row is not None:
            row.goes_on = False

    def linefeed(self) -> None:
        self._before(self.line(self.cursor.y), self.cursor.x)
        super().linefeed()

    def index(self) -> None:
        margins = self.margins
        if self.cursor.y == (margins.bottom if margins else self.lines - 1):
            self._tell(margins.top if margins else 0)
        super().index()

    def reverse_index(self) -> None:
        margins = self.margins
        if self.cursor.y == (margins.top if margins else 0):
            self._tell(margins.bottom if margins else self.lines - 1)
        super().reverse_index()

    def scroll_up(self, count: int = 1) -> None:
        self._scroll(count, self.margins.bottom if self.margins else self.lines - 1, self.index)

    def scroll_down(self, count: int = 1) -> None:
        self._scroll(count, self.margins.top if self.margins else 0, self.reverse_index)

    def _scroll(self, count: int, edge: int, step: Callable[[], None]) -> None:
        y, self.cursor.y = self.cursor.y, edge
        for _ in range(min(max(count, 1), self.lines)):
            step()
        self.cursor.y = y

    def insert_lines(self, count: int | None = None) -> None:
        self.tell_all()
        self._touch_all()
        super().insert_lines(count)

    def delete_lines(self, count: int | None = None) -> None:
        self.tell_all()
        self._touch_all()
        super().delete_lines(count)

    def _touch_all(self) -> None:
        """Pyte moves only rows that were drawn on: one that was not would leave its neighbour where it stands."""
        for y in range(self.lines):
            self.buffer[y]

    def insert_characters(self, count: int | None = None) -> None:
        self._tell_if(self.cursor.y, self.cursor.x, self.columns)
        super().insert_characters(count)
        self._edited(self.cursor.y)
        self.buffer[self.cursor.y].pop(self.columns, None)  # pyte keeps one that was pushed over the edge

    def delete_characters(self, count: int | None = None) -> None:
        self._tell_if(self.cursor.y, self.cursor.x, self.columns)
        super().delete_characters(count)
        self._edited(self.cursor.y)

    def erase_characters(self, count: int | None = None) -> None:
        self._tell_if(self.cursor.y, self.cursor.x, self.cursor.x + (count or 1))
        super().erase_characters(count)
        self._edited(self.cursor.y)

    def erase_in_line(self, how: int = 0, private: bool = False) -> None:
        start, end = {0: (self.cursor.x, self.columns), 1: (0, self.cursor.x + 1)}.get(how, (0, self.columns))
        self._tell_if(self.cursor.y, start, end)
        super().erase_in_line(how, private)
        self._edited(self.cursor.y)
        if how != 1:
            self._parted(self.cursor.y)

    def erase_in_display(self, how: int = 0, *more: Any, **named: Any) -> None:
        self.tell_all()
        super().erase_in_display(how, *more, **named)
        for y in range(self.lines):
            self._edited(y)
            if not self.text(y):
                self._parted(y)

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        """As xterm: rows below the cursor go first, then those at the top."""
        self.tell_all()
        rows, width = lines or self.lines, columns or self.columns
        gone = max(0, self.cursor.y - (rows - 1))
        kept = {y - gone: row for y, row in self.buffer.items() if 0 <= y - gone < rows}
        row: Any
        for row in kept.values():
            row.runs = None
            for x in [x for x in row if x >= width]:
                del row[x]
        self.buffer.clear()
        self.buffer.update(kept)
        self.lines, self.columns = rows, width
        self.tabstops.update(range(8, width, 8))
        self.dirty.clear()
        self.dirty.update(range(rows))
        self.margins = None
        self.cursor.x, self.cursor.y = min(self.cursor.x, width), self.cursor.y - gone

    # -- one saved cursor, two screens

    def save_cursor(self) -> None:
        self.savepoints.clear()
        super().save_cursor()

    def restore_cursor(self) -> None:
        kept = [point._replace(cursor=copy(point.cursor)) for point in self.savepoints]
        hidden = self.cursor.hidden
        super().restore_cursor()
        self.cursor.hidden = hidden
        self.savepoints[:] = kept
        self.ensure_hbounds()
        self.ensure_vbounds()

    def set_mode(self, *numbers: int, **named: Any) -> None:
        if named.get("private"):
            if 1048 in numbers:
                self.save_cursor()
            if _ALTERNATE.intersection(numbers) and self.covered is None:
                self.tell_all()
                self.covered = (dict(self.buffer), copy(self.cursor))
                self.dirty.update(range(self.lines))
                self.buffer.clear()
        super().set_mode(*numbers, **named)

    def reset_mode(self, *numbers: int, **named: Any) -> None:
        if named.get("private"):
            if 1048 in numbers:
                self.restore_cursor()
            if _ALTERNATE.intersection(numbers) and self.covered is not None:
                self.tell_all()
                rows, cursor = self.covered
                self.dirty.update(range(self.lines))
                self.covered = None
                self.buffer.clear()
                self.buffer.update({y: row for y, row in rows.items() if y < self.lines})
                cursor.hidden = self.cursor.hidden
                self.cursor = cursor
                self.ensure_hbounds()
                self.ensure_vbounds()
        super().reset_mode(*numbers, **named)


class _Stream(pyte.Stream):
    csi = pyte.Stream.csi | {"S": "scroll_up", "T": "scroll_down"}
    events = pyte.Stream.events | {"scroll_up", "scroll_down"}


class Terminal:
    """Takes a recording's output and resizes, in order."""

    def __init__(
        self,
        *,
        size: tuple[int, int] = DEFAULT_SIZE,
        lines: Lines | None = None,
        before_line_feed: Before | None = None,
    ) -> None:
        """`size`: columns, rows."""
        self.display = Display(*bounded(size), lines or _nobody, before_line_feed or _nothing)
        self._filter = TerminalFilter()
        self._stream = _Stream(self.display)
        self._stream.use_utf8 = False  # character sets and shifts work; what is fed here is text already

    def feed(self, at: int, data: bytes) -> None:
        """Output of this time (microseconds)."""
        self.display.now = at
        self._draw(self._filter.feed(data))

    @property
    def is_settled(self) -> bool:
        """Not in the middle of a character or a sequence."""
        return self._filter.is_settled

    @property
    def last(self) -> str:
        """What REP would repeat."""
        return self._filter.last

    def resize(self, at: int, size: tuple[int, int]) -> None:
        self.display.now = at
        columns, rows = bounded(size)
        self.display.resize(rows, columns)

    def end(self) -> None:
        """The recording is over: what stands on the screen is told too."""
        self._draw(self._filter.end())
        self.display.tell_all()
        if self.display.is_alternate:
            self.display.reset_mode(1049, private=True)
            self.display.tell_all()

    def rows(self) -> tuple[str, ...]:
        return tuple(self.display.text(y) for y in range(self.display.lines))

    def _draw(self, text: str) -> None:
        if text:
            self._stream.feed(_COLON_SGR.sub(_with_semicolons, text))


def size_of(data: bytes) -> tuple[int, int] | None:
    """A resize's `COLUMNSxROWS`; None for anything else."""
    match = re.fullmatch(rb"([0-9]{1,5})x([0-9]{1,5})", data)
    return (int(match[1]), int(match[2])) if match and int(match[1]) and int(match[2]) else None


def bounded(size: tuple[int, int]) -> tuple[int, int]:
    return min(max(size[0], 2), MAX_COLUMNS), min(max(size[1], 1), MAX_ROWS)


def _drawable(text: str) -> str:
    """Without what has no width and is no mark on a letter: nobody saw it, and it would part words for a search."""
    kept: list[str] = []
    marks = 0
    for char in text:
        if char != "\u00ad" and wcwidth(char) > 0:
            marks = 0
            kept.append(char)
        elif unicodedata.combining(char):
            marks += 1
            if marks <= MAX_COMBINING:
                kept.append(char)
    return "".join(kept)


def _with_semicolons(match: re.Match[str]) -> str:
    """ISO 8613-6's colons, which pyte does not know: `38:2::r:g:b` is `38;2;r;g;b`; of `4:3` the 4 is kept."""
    parts: list[str] = []
    for part in match[1].split(";"):
        numbers = part.split(":")
        if numbers[0] in ("38", "48") and len(numbers) >= 3:
            values = numbers[-3:] if numbers[1] == "2" else numbers[2:3]
            parts += [numbers[0], numbers[1], *values]
        else:
            parts.append(numbers[0])
    return f"\x1b[{';'.join(parts)}m"


def _nobody(at: int, text: str) -> None:
    del at, text


def _nothing(text: str, column: int) -> None:
    del text, column
