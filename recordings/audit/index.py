"""Parquet files as an index: which lines of sealed segments may answer a question.

What it leaves out cannot match; what it gives is looked at again, so an answer means the same with it and without. Only
the files beside the segments are believed: who doubts them asks the segments themselves, or has them made again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recordings.audit.columns import DERIVED
from recordings.audit.encode import rfc3339
from recordings.audit.parquet import parquet_path
from recordings.audit.question import OWN_VERBS, Question

BATCH = 32
"""Segments asked at once: few enough that the newest records come soon, enough that a thousand take seconds."""
FIRST_LINES = 64
MAX_LINES = 4096
"""Lines fetched at once, more each time: somebody wants ten, somebody all."""
_HIGHEST = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Condition:
    """SQL for WHERE, and its parameters."""

    sql: str
    values: tuple[object, ...]


def conditions(question: Question) -> tuple[Condition, ...]:
    """What can be asked of the columns: any of these. None where that leaves out too little to be worth it.

    An id is asked of each column that may have it by itself: the files know what range of it is where.
    """
    asked = where(question)
    if question.id:
        return tuple(
            Condition(f"{asked.sql} AND {column} BETWEEN ? AND ?", (*asked.values, question.id, question.id + _HIGHEST))
            for column in ("id", "audit_id")
        )
    times = sum(one is not None for one in (question.since, question.until))
    return (asked,) if len(asked.values) > times else ()


def where(question: Question) -> Condition:
    """All that columns can say of it but for its id."""
    words = {
        "username": question.user,
        "subresource" if question.verb in OWN_VERBS else "verb": OWN_VERBS.get(question.verb, question.verb),
        "namespace": question.namespace,
        "name": question.name,
        "cluster": question.cluster,
        "type": question.type,
        "login": question.login,
        "recording": question.recording,
        "decision": str(question.decision or ""),
    }
    found: list[tuple[str, tuple[object, ...]]] = [
        (f'"{column}" = ?', (word,)) for column, word in words.items() if word
    ]
    if question.group:
        found.append(("list_contains(groups, ?)", (question.group,)))
    for limit, operator in ((question.since, ">="), (question.until, "<")):
        if limit is not None:  # a time that cannot be read is looked at in the line
            found.append((f'("time" IS NULL OR "time" {operator} ?::TIMESTAMP)', (rfc3339(limit),)))
    sql = " AND ".join(sql for sql, _ in found) or "true"
    return Condition(sql, tuple(value for _, values in found for value in values))


class DamagedIndexError(Exception):
    """Parquet files cannot be asked: damaged, or removed meanwhile. The segments themselves can."""


def batches(paths: Sequence[Path]) -> list[list[Path]]:
    """One writer's segments in the parts that are asked at once."""
    return [list(paths[first : first + BATCH]) for first in range(0, len(paths), BATCH)]


def matching(connection: Any, batch: Sequence[Path], asked: Sequence[Condition], *, backward: bool) -> list[int]:
    """Sequence numbers of the records for which any condition holds. Raises DamagedIndexError."""
    derived = ", ".join(f"{sql} AS {name}" for name, _, sql, _ in DERIVED)
    found = f"SELECT seq FROM (SELECT *, {derived} FROM read_parquet(?)) WHERE seq IS NOT NULL AND "  # noqa: S608 - quoted
    select = " UNION ".join(f"({found}{one.sql})" for one in asked)
    values = [value for one in asked for value in (_files(batch), *one.values)]
    return [seq for (seq,) in _asked(connection, f"{select} ORDER BY seq {_order(backward=backward)}", values)]


def fetched(connection: Any, batch: Sequence[Path], seqs: Sequence[int], *, backward: bool) -> Iterator[bytes]:
    """Their lines, in their order. Raises DamagedIndexError."""
    at, size = 0, FIRST_LINES
    select = "SELECT line FROM read_parquet(?) WHERE seq BETWEEN ? AND ? AND list_contains(?, seq)"
    while at < len(seqs):
        some = seqs[at : at + size]
        values = [_files(batch), min(some), max(some), list(some)]
        for (line,) in _asked(connection, f"{select} ORDER BY seq {_order(backward=backward)}", values):
            yield line.encode()
        at, size = at + size, min(4 * size, MAX_LINES)


def _files(batch: Sequence[Path]) -> list[str]:
    return [str(parquet_path(path)) for path in batch]


def _order(*, backward: bool) -> str:
    return "DESC" if backward else "ASC"


def _asked(connection: Any, sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
    import duckdb

    try:
        rows: list[tuple[Any, ...]] = connection.execute(sql, values).fetchall()
    except duckdb.Error as error:
        raise DamagedIndexError(str(error)) from error
    return rows
