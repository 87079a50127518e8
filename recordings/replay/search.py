"""Text in recordings: where in time something was drawn or typed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from recordings.recorder.head import RecordingHead
from recordings.recorder.moment import Moment
from recordings.replay.transcript import Line, transcript


@dataclass(frozen=True, slots=True)
class Hit:
    """A line that holds what was searched for, and where in it: (start, end) of each place."""

    line: Line
    places: tuple[tuple[int, int], ...]


def hits(head: RecordingHead, moments: Iterable[Moment], text: str) -> Iterator[Hit]:
    """Every line that holds `text`, letters' case aside."""
    return among(transcript(head, moments), text)


def among(lines: Iterable[Line], text: str) -> Iterator[Hit]:
    """The lines that hold `text`; none for no text."""
    wanted = text.lower()
    for line in lines:
        places = tuple(_places(line.text.lower(), wanted))
        # lower() can change lengths ('İ'): places then would point elsewhere, the line is still a hit
        if places and len(line.text.lower()) == len(line.text):
            yield Hit(line, places)
        elif places:
            yield Hit(line, ())


def _places(text: str, wanted: str) -> Iterator[tuple[int, int]]:
    at = text.find(wanted) if wanted else -1
    while at >= 0:
        yield at, at + len(wanted)
        at = text.find(wanted, at + len(wanted))
