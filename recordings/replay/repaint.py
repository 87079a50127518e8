"""What draws a terminal's screen at once: text that leaves an empty terminal of the same size as this one is.

Rows, colours, the cursor, the screen that an alternate one covers, margins, modes of the screen, character sets and the
saved cursor. Like all that is shown it holds only sequences that `terminal_filter` lets through.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pyte import charsets, graphics, modes
from wcwidth import wcwidth

from recordings.replay.screen import Display

_FRONT = {name: code for code, name in (graphics.FG_ANSI | graphics.FG_AIXTERM).items()}
_BACK = {name: code for code, name in (graphics.BG_ANSI | graphics.BG_AIXTERM).items()}
_TEXT = (("bold", 1), ("italics", 3), ("underscore", 4), ("blink", 5), ("reverse", 7), ("strikethrough", 9))
_RGB = re.compile(r"[0-9a-f]{6}")
_WIDE_BLANK = "\u3000"


def can_be_repainted(display: Display) -> bool:
    """Whether its state can be written so: all but origin mode, which makes places mean something else."""
    saved = display.savepoints[-1] if display.savepoints else None
    return modes.DECOM not in display.mode and (
        saved is None or (not saved.origin and saved.cursor.x < display.columns and saved.cursor.y < display.lines)
    )


def repainted(display: Display) -> str:
    """What to write to a terminal that was reset. It must be one that `can_be_repainted`."""
    return "".join(_parts(display))


def _parts(display: Display) -> Iterator[str]:
    yield "\x1b[?7l"
    covered = display.covered
    if covered is not None:
        rows, cursor = covered
        yield from _rows(rows, display)
        yield _sgr(cursor.attrs) + _place(min(cursor.x, display.columns - 1), cursor.y) + "\x1b[?1049h"
    yield from _rows(display.buffer, display)
    if display.savepoints:
        saved = display.savepoints[-1]
        yield _charset(saved.g0_charset, saved.g1_charset, saved.charset)
        yield _sgr(saved.cursor.attrs) + _place(saved.cursor.x, saved.cursor.y)
        yield ("\x1b[?7h" if saved.wrap else "\x1b[?7l") + "\x1b7\x1b(B\x1b)0\x0f"
    if display.margins is not None:
        yield f"\x1b[{display.margins.top + 1};{display.margins.bottom + 1}r"
    yield from _cursor(display)
    yield "\x1b[?7h" if modes.DECAWM in display.mode else "\x1b[?7l"
    yield "\x1b[4h" if modes.IRM in display.mode else ""
    yield "\x1b[?25l" if display.cursor.hidden else "\x1b[?25h"
    yield _charset(display.g0_charset, display.g1_charset, display.charset)


def _cursor(display: Display) -> Iterator[str]:
    """Behind the last column it stands only right after a character was drawn there."""
    cursor, last = display.cursor, display.columns - 1
    if cursor.x <= last:
        yield _place(cursor.x, cursor.y)
    else:
        row: Mapping[int, Any] = display.buffer.get(cursor.y, {})
        cell = row.get(last, display.default_char)
        if not cell.data and last > 0:
            last -= 1
            cell = row.get(last, display.default_char)
        yield _place(last, cursor.y) + _sgr(cell) + (cell.data or " ")
    yield _sgr(cursor.attrs)


def _rows(rows: Mapping[int, Any], display: Display) -> Iterator[str]:
    style: tuple[Any, ...] | None = None
    for y in sorted(rows):
        stands = -1
        for x in sorted(rows[y]):
            if y >= display.lines or x >= display.columns:
                continue
            cell = rows[y][x]
            if not cell.data and x > 0:
                if stands == x + 1:
                    continue  # the second half of the one before
                before = rows[y].get(x - 1, display.default_char)
                yield (
                    _place(x - 1, y) + _sgr(cell) + _WIDE_BLANK + _place(x - 1, y) + _sgr(before) + (before.data or " ")
                )
                style, stands = before[1:], x
                continue
            if x != stands:
                yield _place(x, y)
            if cell[1:] != style:
                style = cell[1:]
                yield _sgr(cell)
            yield cell.data or " "
            stands = x + max(wcwidth(cell.data[:1] or " "), 1)


def _place(x: int, y: int) -> str:
    return f"\x1b[{y + 1};{x + 1}H"


def _sgr(cell: Any) -> str:
    codes = ["0", *(str(code) for name, code in _TEXT if getattr(cell, name))]
    for name, known, sort in ((cell.fg, _FRONT, 38), (cell.bg, _BACK, 48)):
        if name in known:
            codes += [str(known[name])] * (name != "default")
        elif _RGB.fullmatch(name):
            red, green, blue = bytes.fromhex(name)
            codes.append(f"{sort};2;{red};{green};{blue}")
    return f"\x1b[{';'.join(codes)}m"


def _charset(first: str, second: str, chosen: int) -> str:
    """Of the two sets, ASCII and line drawing, that pass the filter."""
    lines = charsets.VT100_MAP
    return f"\x1b({'0' if first is lines else 'B'}\x1b){'0' if second is lines else 'B'}" + (
        "\x0e" if chosen else "\x0f"
    )
