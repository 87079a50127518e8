"""The player of `kwit play`: keys in, text out, on a terminal that somebody hands in.

Output goes through `terminal_filter`, so nothing recorded commands the viewer's terminal. Whatever jumps draws the
screen again, from the keyframe before, or from the beginning where none is near. While it is paused the last line says
where one is.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Protocol

from wcwidth import wcswidth

from recordings.audit.row import harmless
from recordings.recorder.head import RecordingHead
from recordings.recorder.moment import OUTPUT, Kind, Moment
from recordings.replay.keyframes import Keyframe, nearest
from recordings.replay.play_index import PlayIndex
from recordings.replay.screen import DEFAULT_SIZE, size_of
from recordings.replay.search import Hit
from recordings.replay.terminal_filter import TerminalFilter
from recordings.replay.timeline import Clock, Timeline

RESET = "\x1b[?1049l\x1b[?47l\x1b[m\x1b[r\x1b[4l\x1b[?6l\x1b[?7h\x1b[?25h\x1b(B\x1b)B\x0f"
"""Everything that the filter lets a recording change, back."""
CLEAR = RESET + "\x1b[H\x1b[2J"
JUMP_SECONDS = 5.0
LONG_JUMP_SECONDS = 60.0
MAX_DRAWN_BYTES = 4 << 20
"""Of output that a jump back writes to the terminal before keyframes are made for it: some MB a second are drawn."""
NEAR_BYTES = 256 * 1024
"""Of output that a jump ahead writes before it looks for a keyframe that is there."""
HELP = (
    "space pause",
    ". step",
    "←→ 5 s",
    "↓↑ 1 min",
    "0-9 tenths",
    "G end",
    "+- speed",
    "c/C command",
    "/ search",
    "n/N hit",
    "q quit",
)
READING = "reading the recording, once ..."
_SGR = re.compile(r"\x1b\[[0-9;:]*m")
_SECOND = 1_000_000


class Glass(Protocol):
    """The viewer's terminal and clock."""

    def write(self, text: str) -> None: ...
    def size(self) -> tuple[int, int]:
        """Columns, rows."""

    def key(self, seconds: float | None) -> str:
        """A key, as it comes, waited for so long; empty: none came."""

    def mono(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Look:
    """`idle_limit` in seconds."""

    speed: float = 1.0
    idle_limit: float | None = None
    start: float = 0.0
    """Seconds from the beginning."""
    color: bool = True


class Player:
    """`index` gives keyframes and commands, once it is asked; `is_ready`: at no cost. `search`: every hit of a text, in
    order of time.
    """

    def __init__(
        self,
        head: RecordingHead,
        moments: Sequence[Moment],
        glass: Glass,
        look: Look,
        *,
        index: Callable[[], PlayIndex] = PlayIndex,
        is_ready: bool = False,
        search: Callable[[str], Sequence[Hit]] = lambda _: (),
    ) -> None:
        self._head, self._glass, self._look, self._search = head, glass, look, search
        self._moments = [one for one in moments if one.kind in OUTPUT or one.kind is Kind.RESIZE]
        self._times = [one.at for one in self._moments]
        self._bytes = [0, *accumulate(len(one.data) for one in self._moments)]
        self._sizes = [(n, one.data) for n, one in enumerate(self._moments) if one.kind is Kind.RESIZE]
        self._make_index = index
        self._index = index() if is_ready else None
        last = moments[-1].at if moments else 0
        limit = None if look.idle_limit is None else int(look.idle_limit * _SECOND)
        self._timeline = Timeline(self._times, idle_limit=limit)
        self._clock = Clock(last).at_speed(look.speed).at(int(look.start * _SECOND))
        self._filter = TerminalFilter()
        self._shown = 0
        self._hits: Sequence[Hit] = ()
        self._note = ""
        self._is_covered = False
        """The last line is ours, not the recording's."""

    def play(self) -> None:
        """Until its end, or `q`."""
        self._glass.write(CLEAR)
        try:
            while True:
                self._show()
                if self._clock.is_over and not self._clock.is_paused:
                    return
                if not self._key(self._wait()):
                    return
        finally:
            self._glass.write(RESET + "\x1b[999;1H\r\n")

    def _wait(self) -> str:
        wait = self._timeline.until_next(self._clock)
        before = self._glass.mono()
        key = self._glass.key(None if wait is None else wait / _SECOND)
        self._clock = self._timeline.passed(self._clock, int((self._glass.mono() - before) * _SECOND))
        return key

    def _key(self, key: str) -> bool:
        """False: that is all."""
        clock, line = self._clock, self._timeline
        steps: dict[str, Callable[[], Clock]] = {
            " ": clock.toggled,
            ".": lambda: line.step(clock),
            "+": clock.faster,
            "-": clock.slower,
            "\x1b[C": lambda: line.seek(clock, JUMP_SECONDS),
            "\x1b[D": lambda: line.seek(clock, -JUMP_SECONDS),
            "\x1b[A": lambda: line.seek(clock, LONG_JUMP_SECONDS),
            "\x1b[B": lambda: line.seek(clock, -LONG_JUMP_SECONDS),
            "c": lambda: line.next_mark(clock, self._commands()),
            "C": lambda: line.previous_mark(clock, self._commands()),
            "n": lambda: line.next_mark(clock, self._places()),
            "N": lambda: line.previous_mark(clock, self._places()),
            "G": lambda: clock.at(clock.duration),
        } | {str(tenth): partial(clock.at, clock.duration * tenth // 10) for tenth in range(10)}
        if key in ("q", "\x03", "\x04"):
            return False
        if key == "/":
            self._ask()
        elif key in ("?", "h"):
            self._note = "  ".join(HELP)
            self._clock = clock if clock.is_paused else clock.toggled()
        elif key in steps:
            self._note = ""
            self._clock = steps[key]()
            if key in ("n", "N"):
                self._at_hit()
            elif self._clock == clock and key in ("c", "C"):
                self._say("no command there that could be told")
            if self._clock.is_over and not self._clock.is_paused:
                self._say("the end")  # who jumps there wants to see it
        return True

    def _say(self, note: str) -> None:
        self._note = note
        if not self._clock.is_paused:
            self._clock = self._clock.toggled()

    def _commands(self) -> list[int]:
        return [one.at for one in self._indexed().commands]

    def _indexed(self) -> PlayIndex:
        if self._index is None:
            self._note = READING
            self._status()
            self._index = self._make_index()
            self._note = ""
        return self._index

    # -- showing

    def _show(self) -> None:
        until = bisect_right(self._times, self._clock.position)
        if until < self._shown or (self._is_covered and not (self._clock.is_paused and until == self._shown)):
            self._begin_at(0, until)
        elif self._bytes[until] - self._bytes[self._shown] > NEAR_BYTES and self._index is not None:
            self._begin_at(self._shown, until)
        for moment in self._moments[self._shown : until]:
            self._draw(moment)
        self._shown = until
        if self._clock.is_paused:
            self._status()

    def _begin_at(self, start: int, until: int) -> None:
        """Be ready to draw what leads to `until`: from the keyframe before, if it is behind `start`."""
        keyframe = None
        if self._bytes[until] > MAX_DRAWN_BYTES or self._index is not None:
            keyframe = nearest(self._indexed().keyframes, until)
        if keyframe is not None and (keyframe.shown <= start or not self._fits(keyframe)):
            keyframe = None
        if keyframe is None and start:
            return
        self._glass.write(CLEAR)
        self._is_covered = False
        self._filter = TerminalFilter(keyframe.last if keyframe else "")
        self._shown = keyframe.shown if keyframe else 0
        if keyframe is not None:
            self._write(TerminalFilter().feed(keyframe.screen.encode()))  # it comes from a file

    def _fits(self, keyframe: Keyframe) -> bool:
        """Its rows are those of the recorded window; a smaller one would show others than the shell did."""
        recorded = self._recorded_size(keyframe.shown) or DEFAULT_SIZE
        return not _too_small(recorded, self._glass.size())

    def _write(self, text: str) -> None:
        self._glass.write(text if self._look.color else _SGR.sub("", text))

    def _draw(self, moment: Moment) -> None:
        if moment.kind is Kind.RESIZE:
            return  # the viewer's window is the viewer's own; the status says how large the recorded one was
        text = self._filter.feed(moment.data)
        if not self._head.tty:
            text = text.replace("\r\n", "\n").replace("\n", "\r\n")
        self._write(text)

    def _status(self) -> None:
        self._is_covered = True
        columns, rows = self._glass.size()
        clock = self._clock
        recorded = self._recorded_size(self._shown)
        words = [
            f"{_time(clock.position)} / {_time(clock.duration)}",
            f"{clock.speed:g}x",
            "" if self._note else _too_small(recorded, (columns, rows)),
            self._note or "paused; ? for keys",
        ]
        plain = "  ".join(word for word in words if word)
        lines = _wrapped(plain, max(columns - 1, 1))[: max(rows - 1, 1)]
        for n, line in enumerate(lines):
            start = "\x1b[r\x1b[?6l" if n == 0 else ""
            self._glass.write(f"{start}\x1b[{rows - len(lines) + 1 + n};1H\x1b[m\x1b[7m{line}\x1b[K\x1b[m")

    def _recorded_size(self, shown: int) -> tuple[int, int] | None:
        """Of the window, after so many moments."""
        before = bisect_left(self._sizes, (shown, b""))
        return size_of(self._sizes[before - 1][1]) if before else None

    # -- searching

    def _ask(self) -> None:
        if not self._clock.is_paused:
            self._clock = self._clock.toggled()
        text = ""
        while True:
            self._note = f"/{text}"
            self._status()
            key = self._glass.key(None)
            if key in ("\r", "\n"):
                break
            if key in ("\x1b", "\x03", ""):
                self._note = ""
                return
            text = text[:-1] if key in ("\x7f", "\b") else text + (key if key.isprintable() else "")
        self._note = READING
        self._status()
        self._hits = self._search(text)
        self._note = "" if self._hits else f"nothing drawn or typed holds {harmless(text)!r}"
        if self._hits:
            self._clock = self._timeline.next_mark(self._clock, self._places())
            self._at_hit()

    def _places(self) -> list[int]:
        return sorted({hit.line.at for hit in self._hits})

    def _at_hit(self) -> None:
        for number, hit in enumerate(self._hits, 1):
            if hit.line.at == self._clock.position:
                if not self._clock.is_paused:
                    self._clock = self._clock.toggled()
                self._note = f"hit {number} of {len(self._hits)}: {highlighted(hit)}"
                return
        if self._hits:
            self._note = "no further hit"


def highlighted(hit: Hit, on: str = "\x1b[1;4m", off: str = "\x1b[22;24m") -> str:
    """The line with what was found marked."""
    parts, end = [], 0
    for start, stop in hit.places:
        parts += [hit.line.text[end:start], on, hit.line.text[start:stop], off]
        end = stop
    return "".join(parts) + hit.line.text[end:]


def _time(at: int) -> str:
    seconds = at // _SECOND
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"


def _too_small(recorded: tuple[int, int] | None, ours: tuple[int, int]) -> str:
    if recorded is None or (recorded[0] <= ours[0] and recorded[1] <= ours[1]):
        return ""
    return f"recorded on {recorded[0]}x{recorded[1]}, yours is smaller"


def _wrapped(text: str, columns: int) -> list[str]:
    """Lines of so many columns, broken at two blanks where they can be; sequences take none."""
    lines, width = [""], 0
    for part in re.split(r"(\x1b\[[0-9;]*m|  )", text):
        if part.startswith("\x1b["):
            lines[-1] += part
            continue
        if width and part.strip() and width + _width(part) > columns >= _width(part):
            lines[-1] = lines[-1].rstrip()
            lines, width = [*lines, ""], 0
        for char in part if width or part.strip() else "":
            if width + _width(char) > columns:
                lines, width = [*lines, ""], 0
            lines[-1] += char
            width += _width(char)
    return lines


def _width(text: str) -> int:
    return max(wcswidth(text), 0)
