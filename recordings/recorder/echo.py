"""Which input came back on the screen: for roles that keep what was typed while echo was off as its length only.

Nobody tells a proxy whether a terminal echoes, so this is a heuristic, and where it errs it keeps less. What is typed
waits until the pod's output shows it: the next line of output, escape sequences aside, must be those characters and
nothing else, but for what was echoed on the same line before (line editors redraw it). What has not come back when the
line ends, or within `ECHO_MICROSECONDS`, is its length. So whatever is kept stood on the screen anyway, and is in the
recorded output byte for byte.

Keys that stand for no character (Enter, Tab, Ctrl-C, arrows) are always kept. What it loses: commands of editors and
pagers, menus, what a shell with suggestions (fish) redraws in another way, pastes beyond `MAX_WAITING_BYTES`.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator

from recordings.recorder.moment import Kind

ECHO_MICROSECONDS = 1_000_000
"""A slow cluster's round trip, several times; as long as a chunk waits at most."""
MAX_WAITING_BYTES = 16 * 1024
"""Typed and not come back; a terminal's own line holds 4 KiB (termios(3), canonical mode)."""
MAX_WAITING_PARTS = 512
"""Runs of characters and keys in it: each piece of output looks at all of them."""
MAX_LOOKED_AT = 16
"""Runs and keys of the last line in which what came back may begin; what is before them came back long ago, or not."""
MAX_LINE_BYTES = 64
"""Of what was echoed on this line, for line editors that draw it again. This and `MAX_LOOKED_AT` bound the work that
one line of output makes to some thousand comparisons: a pod may write what it likes.
"""
MAX_LINES = 64
"""Of one piece of output in which an echo is looked for; what waits then is given up."""
_PARTS = re.compile(rb"\x1b\[[0-?]*[@-~]|\x1bO[@-~]|[\x00-\x1f\x7f]|[^\x00-\x1f\x7f]+")
_UNSEEN = re.compile(
    rb"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]|[\x00-\x09\x0b-\x1f\x7f]"
)
_ENTERS = (b"\r", b"\n")

Kept = tuple[Kind, bytes]
"""What is to be written: input as it was, or the length of what is hidden."""


class Echo:
    """One terminal. What its methods give is to be written at once, in order, before what they were called with."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, bytes]] = deque()
        """(microseconds at which it was typed, a run of characters or one key)."""
        self._size = 0
        self._line = b""

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._waiting)

    def typed(self, at: int, data: bytes) -> list[Kept]:
        for part in _PARTS.findall(data):
            self._waiting.append((at, part))
            self._size += len(part)
        kept = []
        while self._size > MAX_WAITING_BYTES or len(self._waiting) > MAX_WAITING_PARTS:
            kept.append(self._given_up())
        return _joined([*kept, *self._keys()])

    def shown(self, data: bytes) -> list[Kept]:
        """Output is about to be written."""
        if not self._waiting:
            self._line = b"" if b"\n" in data else self._line
            return []
        kept: list[Kept] = []
        *lines, rest = _UNSEEN.sub(b"", data).split(b"\n", MAX_LINES)
        for line in lines:
            came = self._echoed(line)
            has_ended = any(part in _ENTERS for _, part in came)  # the Enter behind what came back is this line's
            kept += came
            kept += [] if has_ended else self._line_ended()
            self._line = b""
        if b"\n" in rest:
            return _joined([*kept, *self.all()])
        kept += self._echoed(rest)
        return _joined(kept)

    def due(self, at: int) -> list[Kept]:
        """What has waited long enough by now."""
        kept = []
        while self._waiting and self._waiting[0][0] + ECHO_MICROSECONDS <= at:
            kept.append(self._given_up())
        return _joined([*kept, *self._keys()])

    def all(self) -> list[Kept]:
        """Nothing more can be waited for."""
        kept = []
        while self._waiting:
            kept.append(self._given_up())
        return _joined(kept)

    def _echoed(self, line: bytes) -> list[Kept]:
        """What was typed last, to its end; else the beginning of what waits longest. Nothing in between: a character
        of a password must not be taken for one of what was typed behind it.
        """
        if not line or not self._waiting:
            return []
        if len(line.rstrip(b" ")) > self._size + 2 * MAX_LINE_BYTES:
            return []  # more than was typed, and what may stand around it
        parts = [part for _, part in self._waiting]
        end = len(parts) - next((n for n, part in enumerate(reversed(parts)) if part not in _ENTERS), len(parts))
        for first in range(self._begin_of_last(parts, end), end):
            text = _text(parts[first:end])
            if not _is_key(parts[first]) and any(self._is_rest(rest) for rest in self._behind(line, text)):
                return self._came_back_from(first, len(text))
        first = next((n for n, part in enumerate(parts) if part in _ENTERS), len(parts))
        size = self._matched(line, _text(parts[:first]))
        return self._came_back_from(0, size) if size else []

    @staticmethod
    def _begin_of_last(parts: list[bytes], end: int) -> int:
        """Where what may be looked at of the last line with anything on it begins."""
        begin = end
        while begin > max(0, end - MAX_LOOKED_AT) and parts[begin - 1] not in _ENTERS:
            begin -= 1
        return begin

    def _came_back_from(self, first: int, size: int) -> list[Kept]:
        return [*(self._given_up() for _ in range(first)), *self._came_back(size), *self._keys()]

    def _matched(self, line: bytes, text: bytes) -> int:
        """How many of these characters, from the first one on, are what this line shows."""
        best = 0
        for after in self._behind(line, b""):
            size = _in_common(after, text)
            if size > best and self._is_rest(after[size:]):
                best = size
        return best

    def _behind(self, line: bytes, text: bytes) -> Iterator[bytes]:
        """What stands behind `text`, where the line begins with it, or with the end of what was echoed and it."""
        for start in range(len(self._line) + 1):
            if line.startswith(beginning := self._line[start:] + text):
                yield line[len(beginning) :]

    def _is_rest(self, rest: bytes) -> bool:
        """Whether it may stand behind an echo: blanks, or what was there before and moved on."""
        rest = rest.strip(b" ")
        return not rest or rest in self._line

    def _came_back(self, size: int) -> Iterable[Kept]:
        while size:
            at, part = self._waiting.popleft()
            if not _is_key(part):
                part, rest = part[:size], part[size:]
                if rest:
                    self._waiting.appendleft((at, rest))
                size -= len(part)
                self._line = (self._line + part)[-MAX_LINE_BYTES:]
            self._size -= len(part)
            yield Kind.STDIN, part

    def _line_ended(self) -> list[Kept]:
        """What was typed before Enter did not come back, if it waits still."""
        enter = next((n for n, (_, part) in enumerate(self._waiting) if part in _ENTERS), None)
        if enter is None:
            return []
        return [*(self._given_up() for _ in range(enter + 1)), *self._keys()]

    def _keys(self) -> list[Kept]:
        """Keys that stand first have nothing to wait for."""
        kept = []
        while self._waiting and _is_key(self._waiting[0][1]):
            kept.append(self._given_up())
        return kept

    def _given_up(self) -> Kept:
        _, part = self._waiting.popleft()
        self._size -= len(part)
        return (Kind.STDIN, part) if _is_key(part) else (Kind.HIDDEN, b"%d" % len(part))


def _text(parts: list[bytes]) -> bytes:
    return b"".join(part for part in parts if not _is_key(part))


def _is_key(part: bytes) -> bool:
    """Whether it stands for no character."""
    return part[0] < 0x20 or part[0] == 0x7F


def _in_common(one: bytes, other: bytes) -> int:
    """How long the beginning is that both have; found by halves, so that long ones cost little."""
    least, most = 0, min(len(one), len(other))
    while least < most:
        middle = (least + most + 1) // 2
        if one[least:middle] == other[least:middle]:
            least = middle
        else:
            most = middle - 1
    return least


def _joined(kept: list[Kept]) -> list[Kept]:
    """Neighbours of one kind as one: what was hidden says how long it was in all, not key by key."""
    out: list[Kept] = []
    for kind, data in kept:
        if not out or out[-1][0] is not kind:
            out.append((kind, data))
        elif kind is Kind.HIDDEN:
            out[-1] = (kind, b"%d" % (int(out[-1][1]) + int(data)))
        else:
            out[-1] = (kind, out[-1][1] + data)
    return out
