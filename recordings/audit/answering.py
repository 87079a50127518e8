"""Questions whose answer is more than records, for one who may not see them all: SQL, counts, one person's story.

Whatever is asked, only what may be seen is there to be asked about: SQL runs over a table of just that, and no file can
be opened any more, since a condition in a view could be got around by a query that fails on a row that it should never
have met. Answers are JSON, an item each.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from recordings.audit.query import Follower, Record, oldest_first
from recordings.audit.question import Question
from recordings.audit.sql import LogDatabase, plain
from recordings.audit.stats import stats
from recordings.audit.timeline import timeline
from recordings.audit.visible import Visible

FOLLOW_SECONDS = 0.5
"""Between two looks of who follows: sooner than a person minds, nothing for the disk."""


@dataclass(frozen=True, slots=True)
class SqlQuestion:
    """`since`: seconds since the epoch; earlier records are not there to be asked about."""

    select: str
    since: float | None = None

    def items(self, root: Path, visible: Visible) -> Iterator[bytes]:
        """`{names, types}`, then each row as a list. Raises QuestionError, OSError."""
        with LogDatabase(root, since=self.since, visible=visible) as database:
            answer = database.ask(self.select)
            yield orjson.dumps({"names": answer.names, "types": answer.types})
            for row in answer.rows:
                yield plain(row)


@dataclass(frozen=True, slots=True)
class CountQuestion:
    """How many, by what."""

    asked: Question

    def items(self, root: Path, visible: Visible) -> Iterator[bytes]:
        """Each list of counts. Raises QuestionError, OSError."""
        with LogDatabase(root, since=self.asked.since, visible=visible) as database:
            for one in stats(database, self.asked):
                yield orjson.dumps(asdict(one))


@dataclass(frozen=True, slots=True)
class StoryQuestion:
    """What one person did."""

    asked: Question

    def items(self, root: Path, visible: Visible) -> Iterator[bytes]:
        """Each entry. Raises OSError."""
        seen = (record for record in oldest_first(root, self.asked) if visible.sees(record))
        for entry in timeline(seen):
            yield orjson.dumps(asdict(entry))


Answerable = SqlQuestion | CountQuestion | StoryQuestion


def followed(root: Path, question: Question, lines: int) -> Iterator[list[Record]]:
    """The newest `lines` records, then what comes, for ever; nothing where nothing came. Raises OSError."""
    follower = Follower(root, question)
    yield follower.start(lines)
    while True:
        time.sleep(FOLLOW_SECONDS)
        yield follower.more()
