"""The player's clock: what time it is in the recording, at any speed, with pauses cut and jumps made. No I/O.

All times are microseconds. Two of them: the recording's (`position`), and the viewer's, on which long silences are as
short as `idle_limit`. The caller tells how much of its own time has passed, and shows what stands between.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

MIN_SPEED, MAX_SPEED = 0.1, 16.0
SPEEDS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Clock:
    """`position` never leaves 0 to `duration`. A clock is a value: each step gives another one."""

    duration: int
    position: int = 0
    speed: float = 1.0
    is_paused: bool = False

    @property
    def is_over(self) -> bool:
        return self.position >= self.duration

    def faster(self) -> Clock:
        at = bisect_right(SPEEDS, self.speed)
        return replace(self, speed=SPEEDS[min(at, len(SPEEDS) - 1)])

    def slower(self) -> Clock:
        at = bisect_left(SPEEDS, self.speed)
        return replace(self, speed=SPEEDS[max(at - 1, 0)])

    def at_speed(self, speed: float) -> Clock:
        return replace(self, speed=min(max(speed, MIN_SPEED), MAX_SPEED))

    def toggled(self) -> Clock:
        return replace(self, is_paused=not self.is_paused)

    def at(self, position: int) -> Clock:
        return replace(self, position=min(max(position, 0), self.duration))


class Timeline:
    """Where something happens in a recording, and what of its silences is shown."""

    def __init__(self, times: Sequence[int], *, idle_limit: int | None = None) -> None:
        """`times`: of what is shown, in order."""
        self._times = times
        self._limit = idle_limit

    def passed(self, clock: Clock, real: int) -> Clock:
        """The clock when this much of the viewer's time has gone by."""
        if clock.is_paused or clock.is_over:
            return clock
        left = int(real * clock.speed)
        position = clock.position
        while left > 0 and position < clock.duration:
            following = self._next(position, clock.duration)
            silence = following - position
            shown = self._shown(position, following)
            if left < shown:
                # of a silence that is cut, its end is left out
                return clock.at(position + left)
            left -= shown
            position += silence
        return clock.at(position)

    def until_next(self, clock: Clock) -> int | None:
        """The viewer's time until something is to be shown; None: never, by itself."""
        if clock.is_paused or clock.is_over:
            return None
        following = self._next(clock.position, clock.duration)
        return max(int(self._shown(clock.position, following) / clock.speed), 1)

    def _shown(self, position: int, following: int) -> int:
        """How much of the silence from here to there is shown, counted from where it began."""
        silence = following - position
        if self._limit is None:
            return silence
        index = bisect_right(self._times, position) - 1
        began = self._times[index] if index >= 0 else 0
        return max(0, min(silence, self._limit - (position - began)))

    def _next(self, position: int, duration: int) -> int:
        index = bisect_right(self._times, position)
        return min(self._times[index], duration) if index < len(self._times) else duration

    # -- jumps

    def step(self, clock: Clock) -> Clock:
        """To what is shown next, paused."""
        return replace(clock.at(self._next(clock.position, clock.duration)), is_paused=True)

    def seek(self, clock: Clock, seconds: float) -> Clock:
        return clock.at(clock.position + int(seconds * _SECOND))

    @staticmethod
    def next_mark(clock: Clock, marks: Sequence[int]) -> Clock:
        """To the next command or search hit; `marks` are in order."""
        index = bisect_right(marks, clock.position)
        return clock.at(marks[index]) if index < len(marks) else clock

    @staticmethod
    def previous_mark(clock: Clock, marks: Sequence[int]) -> Clock:
        """To the one before, or nowhere; right after one (within a second), to the one before that."""
        index = bisect_left(marks, clock.position) - 1
        if index > 0 and clock.position - marks[index] < _SECOND and not clock.is_paused:
            index -= 1
        return clock.at(marks[index]) if index >= 0 else clock
