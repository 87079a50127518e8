"""A recording as one HTML page with a player of its own: works from a file, offline, and loads nothing.

What stands in the page is drawn beforehand (`frames`), so it has no terminal in it; recorded text reaches the page as
JSON and the screen as text nodes, never as markup. Its content security policy lets one script run, by its digest.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from recordings.audit.row import harmless
from recordings.errors import RecordingsError
from recordings.recorder.footer import Footer
from recordings.recorder.head import RecordingHead
from recordings.recorder.moment import Moment
from recordings.replay.frames import Row, Style, frames
from recordings.replay.transcript import Line, Origin

MAX_PAGE_CHARS = 64 * 1024 * 1024
"""A browser takes seconds to read it; an hour of a busy shell is 3 MiB."""
_FOLDER = Path(__file__).parent / "page"
_SHOWN = frozenset((Origin.DRAWN, Origin.STDOUT, Origin.STDERR))


class PageTooLargeError(RecordingsError):
    """The recording is more than a page can hold."""


def page(
    head: RecordingHead,
    moments: Iterable[Moment],
    footer: Footer | None,
    lines: Sequence[Line],
    *,
    with_input: bool = False,
) -> str:
    """The page. `lines` are its transcript's, for search and the list of commands. Raises PageTooLargeError."""
    script, style = _read("player.js"), _read("player.css")
    data = _data(head, moments, footer, lines, with_input)
    title = html.escape(harmless(f"{head.username} on {head.cluster}: {head.namespace}/{head.pod}"))
    policy = f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; base-uri 'none'"
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n{_read('player.html')}"
        f'<script type="application/json" id="recording">{data}</script>\n<script>{script}</script>\n</body>\n</html>\n'
    )


def _data(
    head: RecordingHead, moments: Iterable[Moment], footer: Footer | None, lines: Sequence[Line], with_input: bool
) -> str:
    rows = _Rows()
    drawn: list[str] = []
    size = last = 0
    for frame in frames(head, moments):
        text = _json([frame.at, [n for y, row in frame.rows for n in (y, rows.number(row))], frame.cursor, frame.size])
        size += len(text)
        last = frame.at
        if size + rows.chars > MAX_PAGE_CHARS:
            raise PageTooLargeError(
                "the recording draws more than a page can hold; export it as asciicast, which has no limit"
            )
        drawn.append(text)
    kept = _SHOWN | ({Origin.TYPED, Origin.HIDDEN} if with_input else {Origin.HIDDEN})
    facts = {
        "about": _about(head, footer),
        "duration": footer.duration if footer else last,
        "styles": [_style(style) for style in rows.styles],
        "commands": sorted([line.at, line.text] for line in lines if line.origin is Origin.COMMAND),
        "lines": [[line.at, line.text] for line in sorted(lines, key=lambda line: line.at) if line.origin in kept],
    }
    return f'{_json(facts)[:-1]},"rows":[{",".join(rows.drawn)}],"frames":[{",".join(drawn)}]}}'


class _Rows:
    """Each different row once, as `[text, style, text, style …]`: what scrolls stands in many places of a screen. A
    frame is `[at, [row of the screen, number of a row here …], cursor, size]`.
    """

    def __init__(self) -> None:
        self.styles: dict[Style, int] = {}
        self.drawn: list[str] = []
        self.chars = 0
        self._numbers: dict[Row, int] = {}
        self._same: dict[int, tuple[Row, int]] = {}
        """By identity, since most were just told; each is held, so that no other one gets its id."""

    def number(self, row: Row) -> int:
        same = self._same.get(id(row))
        if same is not None:
            return same[1]
        number = self._numbers.setdefault(row, len(self.drawn))
        if number == len(self.drawn):
            runs = [part for text, style in row for part in (text, self.styles.setdefault(style, len(self.styles)))]
            self.drawn.append(_json(runs))
            self.chars += len(self.drawn[-1])
        self._same[id(row)] = (row, number)
        return number


def _style(style: Style) -> list[str | int]:
    flags = (style.bold, style.italic, style.underlined, style.struck, style.reverse)
    return [style.fg, style.bg, sum(1 << bit for bit, is_set in enumerate(flags) if is_set)]


def _about(head: RecordingHead, footer: Footer | None) -> list[list[str]]:
    """What is known, in the page's words."""
    ended = "no end is known" if footer is None else footer.ended
    if footer is not None and footer.exit_code is not None:
        ended = f"exit code {footer.exit_code}"
    rows = {
        "Person": head.username,
        "Cluster": head.cluster,
        "Pod": f"{head.namespace}/{head.pod}" + (f" ({head.container})" if head.container else ""),
        "Image": footer.image if footer else "",
        "Node": footer.node if footer else "",
        "Command": " ".join(head.command) or head.subresource,
        "Started": datetime.fromtimestamp(int(head.started), UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        "Ended": ended,
        "Recording": head.id,
        "Request": head.audit_id,
    }
    return [[name, harmless(value)] for name, value in rows.items() if value]


def _json(value: object) -> str:
    """No `<`, so nothing in it ends the script or begins a comment (HTML, section 4.12.1.3)."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(sha256(text.encode()).digest()).decode()


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
