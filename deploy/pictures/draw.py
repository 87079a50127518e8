"""Draws the last screen of a recording as SVG: `python -m deploy.pictures.draw RECORDING > PICTURE`.

`shell.kwr.base64` is the recording of a `kwit demo`, as text; `shell.svg` the picture of it that the README shows. Each
run of text has its place and its width, so the picture is the same whichever fixed-width font draws it; recorded text
is escaped, and nothing is loaded.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path

from wcwidth import wcswidth

from recordings.recorder.head import RecordingHead
from recordings.recorder.moment import Moment
from recordings.recorder.reader import open_recording
from recordings.replay.frames import Row, Style, frames

CELL, LINE = 8.4, 20
"""Pixels of a character and of a row at 14 px."""
MARGIN, BAR = 16, 36
_INK, _GROUND, _PANEL, _DIM = "#d7dde4", "#0f1419", "#171d24", "#8593a3"
_COLOURS = {
    "black": "#3b4552", "red": "#f2777a", "green": "#7bd88f", "brown": "#f2c94c", "blue": "#6cb6ff",
    "magenta": "#d6a2e8", "cyan": "#66d9e8", "white": "#d7dde4", "brightblack": "#8593a3", "brightred": "#ff9a9c",
    "brightgreen": "#9df0ae", "brightbrown": "#ffe08a", "brightblue": "#9dd0ff", "brightmagenta": "#e8c4f5",
    "brightcyan": "#9cecf5", "brightwhite": "#ffffff",
}  # fmt: skip
"""By the names that the screen gives them."""


def last_screen(head: RecordingHead, moments: Iterable[Moment]) -> tuple[int, list[Row]]:
    """Columns, and the rows down to the last that is not blank."""
    columns, rows = 80, dict[int, Row]()
    for frame in frames(head, moments):
        columns = frame.size[0] if frame.size else columns
        rows.update(frame.rows)
    last = max((y for y, row in rows.items() if row), default=-1)
    return columns, [rows.get(y, ()) for y in range(last + 1)]


def picture(head: RecordingHead, moments: Iterable[Moment]) -> str:
    """The SVG, with who, where and what above the screen."""
    columns, rows = last_screen(head, moments)
    width = round(columns * CELL + 2 * MARGIN)
    height = BAR + len(rows) * LINE + 2 * MARGIN
    title = _text(f"{head.username} on {head.cluster}: {head.namespace}/{head.pod}, {' '.join(head.command)}")
    font = 'font-family="ui-monospace, DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14"'
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" {font}>',
        f"<title>{title}</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="{_GROUND}"/>',
        f'<path d="M0 {BAR}V8a8 8 0 0 1 8-8H{width - 8}a8 8 0 0 1 8 8V{BAR}z" fill="{_PANEL}"/>',
        f'<circle cx="{MARGIN + 4}" cy="{BAR / 2:g}" r="5" fill="#f2777a"/>',
        f'<text x="{MARGIN + 20}" y="{BAR / 2 + 5:g}" fill="{_DIM}">{title}</text>',
    ]
    for y, row in enumerate(rows):
        lines += _row(row, BAR + MARGIN + y * LINE)
    return "\n".join([*lines, "</svg>", ""])


def _row(row: Row, top: int) -> Iterator[str]:
    column = 0
    for text, style in row:
        count = max(0, wcswidth(text))
        x, width = MARGIN + column * CELL, count * CELL
        column += count
        ink, ground = _inks(style)
        if ground:
            yield f'<rect x="{x:g}" y="{top}" width="{width:g}" height="{LINE}" fill="{ground}"/>'
        if text.strip():
            weight = ' font-weight="bold"' if style.bold else ""
            yield (
                f'<text x="{x:g}" y="{top + 15}" textLength="{width:g}" fill="{ink}"{weight} '
                f'xml:space="preserve">{_text(text)}</text>'
            )


def _inks(style: Style) -> tuple[str, str]:
    """Of the text and, where it has one of its own, of the ground."""
    ink, ground = _colour(style.fg, _INK), _colour(style.bg, "")
    return (ground or _GROUND, ink) if style.reverse else (ink, ground)


def _colour(name: str, default: str) -> str:
    """One of the sixteen, or six hexadecimal digits."""
    return default if name == "default" else _COLOURS.get(name, f"#{name}")


def _text(text: str) -> str:
    """As it may stand in XML, which has no control characters (XML 1.0 §2.2)."""
    return escape("".join(char if char.isprintable() else "\ufffd" for char in text))


def main() -> None:
    """Write the picture to standard output."""
    with open_recording(Path(sys.argv[1])) as reader:
        sys.stdout.write(picture(reader.head, reader.moments()))


if __name__ == "__main__":
    main()
