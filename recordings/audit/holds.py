"""Legal holds: what must not be removed, whatever its age. One small file beside the writers' directories.

A hold speaks of a span of time, of all writers: a lawyer knows when something happened, not which process wrote it
down. Whoever cannot read the file removes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import orjson

from recordings.audit.placing import write
from recordings.errors import RecordingsError

FILE = "holds.json"
MAX_BYTES = 1024 * 1024
"""Of the file: some thousand holds."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)


class HoldError(RecordingsError):
    """The file of holds cannot be understood, or a hold cannot be as it is wanted; the message says why."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Times are RFC 3339 with microseconds, UTC; `since` is in it, `until` is not, and empty is without end."""

    name: str
    reason: str
    since: str
    until: str
    created: str

    def __post_init__(self) -> None:
        """Raises HoldError."""
        if not _NAME.fullmatch(self.name):
            raise HoldError(f"a hold's name has letters, digits, dots and dashes, like case-17; got {self.name[:80]!r}")
        for time in (self.since, self.until, self.created):
            if time and not _TIME.fullmatch(time):
                raise HoldError(f"a hold's times are like 2026-01-31T08:00:00.000000Z; got {time[:40]!r}")
        if self.since and self.until and self.until <= self.since:
            raise HoldError("a hold ends after it begins")

    def covers(self, since: str, until: str) -> bool:
        """Whether anything from `since` to `until`, both included, is in it. An unknown time is."""
        return (not self.since or not until or until >= self.since) and (
            not self.until or not since or since < self.until
        )


def parse(data: bytes) -> tuple[Hold, ...]:
    """Raises HoldError."""
    try:
        given = orjson.loads(data)["holds"]
        holds = tuple(Hold(**{one.name: _text(each[one.name]) for one in fields(Hold)}) for each in given)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise HoldError("the file of holds is damaged") from error
    if len({one.name for one in holds}) != len(holds):
        raise HoldError("two holds have the same name")
    return holds


def read(root: Path) -> tuple[Hold, ...]:
    """The holds on the log in `root`; none without the file. Raises HoldError, OSError."""
    try:
        with (root / FILE).open("rb") as file:
            return parse(file.read(MAX_BYTES))
    except FileNotFoundError:
        return ()


def add(root: Path, hold: Hold) -> None:
    """In force when this returns. Raises HoldError where the name is taken, OSError."""
    holds = read(root)
    if any(one.name == hold.name for one in holds):
        raise HoldError(f"there is a hold {hold.name} already; remove it first, or take another name")
    _write(root, (*holds, hold))


def remove(root: Path, name: str) -> Hold:
    """The hold that is over. Raises HoldError where there is none, OSError."""
    holds = read(root)
    found = next((one for one in holds if one.name == name), None)
    if found is None:
        raise HoldError(f"there is no hold {name[:80]!r}; `kwit audit hold ls` lists them")
    _write(root, [one for one in holds if one != found])
    return found


def as_json(holds: Iterable[Hold]) -> list[dict[str, str]]:
    """As they stand in the file and in records."""
    return [asdict(one) for one in holds]


def _write(root: Path, holds: Iterable[Hold]) -> None:
    write(root / FILE, orjson.dumps({"holds": as_json(holds)}, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
