"""Counts over a log: who, what, where, and what came of it. One question in SQL."""

from __future__ import annotations

from dataclasses import dataclass

from recordings.audit.index import where
from recordings.audit.question import Question
from recordings.audit.sql import LogDatabase
from recordings.errors import QuestionError

TOP = 10
"""Rows of each list, the largest first; how many there are besides is told."""

GROUPS = {
    "results": "outcome",
    "people": "username",
    "verbs": "verb",
    "objects": "concat_ws('/', resource, subresource)",
    "clusters": "cluster",
    "sources": "source",
    "refused": "reason",
    "types": "type",
}
"""Name of a list → SQL for what is counted. What a record does not say is not counted."""
_ENDED = "outcome NOT IN ('intent', 'started')"
"""A request is counted once, by its end."""


@dataclass(frozen=True, slots=True)
class Counts:
    """`rows`: the largest first. `others`: how many different ones are not shown."""

    name: str
    rows: tuple[tuple[str, int], ...]
    others: int


def stats(database: LogDatabase, question: Question) -> list[Counts]:
    """All lists, from one look at the log. Raises QuestionError for a question that columns cannot answer."""
    if question.source or question.resource or question.text or question.id:
        raise QuestionError("filters by person, group, verb, namespace, name, cluster, decision, type and time")
    asked = where(question)
    answer = database.ask(_SELECT.format(where=asked.sql), asked.values)
    found: dict[int, list[tuple[str, int, int]]] = {}
    for which, what, count, of in answer.rows:
        found.setdefault(int(which), []).append((str(what), int(count), int(of)))
    return [_counts(name, found.get(_mask(index), [])) for index, name in enumerate(GROUPS)]


def _counts(name: str, rows: list[tuple[str, int, int]]) -> Counts:
    return Counts(name, tuple((what, count) for what, count, _ in rows), rows[0][2] - len(rows) if rows else 0)


def _mask(index: int) -> int:
    """What GROUPING() says of the set with this column alone: a bit for each column that is left out."""
    return (1 << len(GROUPS)) - 1 - (1 << (len(GROUPS) - 1 - index))


def _select() -> str:
    columns = ", ".join(f"{sql} AS c{index}" for index, sql in enumerate(GROUPS.values()))
    names = [f"c{index}" for index in range(len(GROUPS))]
    sets = ", ".join(f"({name})" for name in names)
    listed = ", ".join(names)
    counted = (
        f"SELECT GROUPING({listed}) AS which, coalesce({listed}) AS what, count(*) AS n "  # noqa: S608 - our own words
        f"FROM (SELECT {columns} FROM records WHERE {_ENDED} AND {{where}}) GROUP BY GROUPING SETS ({sets})"
    )
    return (
        f"SELECT which, what, n, count(*) OVER (PARTITION BY which) FROM ({counted}) "  # noqa: S608
        "WHERE what IS NOT NULL AND what != '' "
        f"QUALIFY row_number() OVER (PARTITION BY which ORDER BY n DESC, what) <= {TOP} ORDER BY which, n DESC, what"
    )


_SELECT = _select()
