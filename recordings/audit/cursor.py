"""How far somebody has read a log: for each writer a place, in a small file that is replaced whole.

A place is a segment's number and a byte in it, which sealing does not change, and the last record's number, by which
loss is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from recordings.audit.placing import write
from recordings.errors import RecordingsError

MAX_BYTES = 4 * 1024 * 1024
"""Of the file: some ten thousand writers."""


class CursorError(RecordingsError):
    """The file is no cursor."""


@dataclass(frozen=True, slots=True)
class Place:
    """In a writer's log: `segment` and `attempt` number its segment, `byte` is a line's end, `seq` the last record."""

    segment: int
    attempt: int
    byte: int
    seq: int


def parse(data: bytes) -> dict[str, Place]:
    """Writer → place. Raises CursorError."""
    try:
        given = orjson.loads(data)["places"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise CursorError("the file is no cursor of an export; name another, or remove it to begin again") from error
    return places_of(given)


def places_of(given: object) -> dict[str, Place]:
    """Writer → place, of an object as a cursor holds it. Raises CursorError."""
    try:
        found = {str(writer): Place(**place) for writer, place in given.items()}  # type: ignore[attr-defined]
    except (TypeError, AttributeError) as error:
        raise CursorError("the file is no cursor of an export; name another, or remove it to begin again") from error
    if any(type(one) is not int or one < 0 for place in found.values() for one in asdict(place).values()):
        raise CursorError("the cursor's places are no numbers; remove the file to begin again")
    return found


def read(path: Path) -> dict[str, Place]:
    """No places without the file. Raises CursorError, OSError."""
    try:
        with path.open("rb") as file:
            return parse(file.read(MAX_BYTES))
    except FileNotFoundError:
        return {}


def save(path: Path, places: Mapping[str, Place]) -> None:
    """On the disk when this returns. Raises OSError."""
    listed = {writer: asdict(place) for writer, place in sorted(places.items())}
    write(path, orjson.dumps({"places": listed}, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
