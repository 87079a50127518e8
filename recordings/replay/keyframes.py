"""The screen at some moments of a recording, so that a player can begin there and not at the beginning.

Each is what draws the screen (`repaint`), and how much of the recording it stands for. They are close enough that what
follows one is drawn at once, and few enough that hours of them are small; a recording that needs too much room for them
gets fewer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recordings.replay.repaint import can_be_repainted, repainted
from recordings.replay.screen import Terminal

EVERY_BYTES = 256 * 1024
"""Of output: drawn by any terminal in a tenth of a second."""
EVERY_MICROSECONDS = 60_000_000
"""Of a quiet recording, in which a minute is a few lines."""
MAX_CHARS = 16 * 1024 * 1024
"""Of all of them; four hours of a shell need one million."""


@dataclass(frozen=True, slots=True)
class Keyframe:
    """`at`: microseconds of the last moment that it shows; `shown`: how many moments of output and resizes those are.

    `last` is what a player's `TerminalFilter` must know to go on from here.
    """

    at: int
    shown: int
    last: str
    screen: str


class Keyframes:
    """Call `moment` behind every moment of output and every resize that the terminal took."""

    def __init__(self, terminal: Terminal) -> None:
        self.taken: list[Keyframe] = []
        self._terminal = terminal
        self._shown = 0
        self._bytes = 0
        self._before = 0
        self._chars = 0
        self._thinned = 1

    def moment(self, at: int, size: int) -> None:
        self._shown += 1
        self._bytes += size
        if self._bytes < EVERY_BYTES * self._thinned and at - self._before < EVERY_MICROSECONDS * self._thinned:
            return
        if self._bytes and self._terminal.is_settled and can_be_repainted(self._terminal.display):
            self._take(at)

    def _take(self, at: int) -> None:
        screen = repainted(self._terminal.display)
        self.taken.append(Keyframe(at, self._shown, self._terminal.last, screen))
        self._before, self._bytes = at, 0
        self._chars += len(screen)
        if self._chars > MAX_CHARS:
            self.taken = self.taken[1::2]
            self._thinned *= 2
            self._chars = sum(len(one.screen) for one in self.taken)


def nearest(keyframes: Sequence[Keyframe], shown: int) -> Keyframe | None:
    """The last one that shows no more than so many moments."""
    found = None
    for one in keyframes:
        if one.shown > shown:
            break
        found = one
    return found
