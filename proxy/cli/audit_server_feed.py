"""A server's log as a stream for somebody else: what `recordings.audit.feed` is for files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from proxy.cli.audit_source import ServerApi
from proxy.cli.client.problem import Problem
from recordings.audit.cursor import CursorError, Place, places_of
from recordings.audit.feed import Fed
from recordings.audit.row import harmless

_NOT_UNDERSTOOD = "the server's answer is not an export; is it another kubewitness than this?"
_HIDDEN: dict[str, Any] = {}


@dataclass(slots=True)
class ServerFeed:
    """`more` gives what there is, and returns where nothing more is there yet; the connection stays open for the next.

    Raises Problem, Unreachable. Records that the caller may not see move the places and are not given.
    """

    api: ServerApi
    places: dict[str, Place] = field(default_factory=dict)
    since: float | None = None
    follow: bool = False
    _lines: Iterator[bytes] | None = None

    @property
    def is_open(self) -> bool:
        """Whether the server goes on where the places are."""
        return self._lines is not None

    def more(self) -> Iterator[Fed]:
        if self._lines is None:
            self._lines = self.api.lines("/api/v1/audit/export", self._asked())
        lines, self._lines = self._lines, None  # until it is known to go on
        for line in lines:
            if not line.strip():
                self._lines = lines
                return
            answer = _object(line)
            if "error" in answer:
                raise Problem(harmless(str(answer["error"]))[:1_000])
            if "end" in answer:
                return
            fed = _fed(answer)
            self.places[fed.writer] = fed.place
            if fed.record is not _HIDDEN:
                yield fed

    def _asked(self) -> dict[str, object]:
        places = {writer: asdict(place) for writer, place in self.places.items()}
        return {"places": places, "follow": self.follow} | ({} if self.since is None else {"since": self.since})


def _object(line: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(line)
    except ValueError as error:
        raise Problem(_NOT_UNDERSTOOD) from error
    if not isinstance(answer, dict):
        raise Problem(_NOT_UNDERSTOOD)
    return answer


def _fed(answer: dict[str, Any]) -> Fed:
    """Raises Problem."""
    try:
        writer, record = str(answer["writer"]), answer.get("record", _HIDDEN)
        place = places_of({writer: answer["place"]})[writer]
        return Fed(writer, place, record, int(answer.get("lost", 0)))
    except (KeyError, TypeError, ValueError, CursorError) as error:
        raise Problem(_NOT_UNDERSTOOD) from error
