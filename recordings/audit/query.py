"""The log, read while others write it: search, one request's whole story, and following.

Writers are merged by time. A writer's own order is never changed, whatever its clock did; between writers no order is
known but what their clocks say. Lines that cannot be read are passed over here and found by verification.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from recordings.audit.encode import decode
from recordings.audit.question import Question, at, certificates, ids
from recordings.audit.record import RecordType
from recordings.audit.segments import backwards, complete, forwards, segment_number, segments, writers

Record = dict[str, Any]


def newest(root: Path, question: Question, limit: int) -> list[Record]:
    """The newest matching records, at most `limit`, oldest of them first. Raises OSError."""
    return list(islice(_newest_first(question, _ends(root)), limit))[::-1]


def oldest_first(root: Path, question: Question) -> Iterator[Record]:
    """Every matching record, as a stream. Raises OSError."""
    return _merge(
        (_select((line for path in segments(writer) for line in forwards(path)), question) for writer in writers(root)),
        backward=False,
    )


def story(root: Path, wanted: str) -> list[Record]:
    """All records of one id, and the login and certificate behind a request, oldest first. Raises OSError.

    `wanted` may be the beginning of an id; several ids then give the records of all of them, without what is behind.
    """
    own = list(oldest_first(root, Question(id=wanted)))
    if len(subjects(own, wanted)) != 1:
        return own
    return sorted([*_behind(root, own), *own], key=lambda record: str(record.get("time", "")))


def subjects(records: Iterable[Mapping[str, Any]], wanted: str) -> list[str]:
    """The different things an id may mean: audit ids of requests, else ids of records."""
    found = {ids(record)[-1]: None for record in records if ids(record)}
    return [wanted] if wanted in found else list(found)


def _behind(root: Path, own: list[Record]) -> list[Record]:
    """Only a request's: a login's own record needs no other to explain it."""
    requests = [record for record in own if record.get("type") == RecordType.KUBE_REQUEST]
    logins = {str(record["login"]) for record in requests if record.get("login")}
    serials = {serial for record in requests for serial in certificates(record)}
    return [
        record
        for login in sorted(logins)
        for record in oldest_first(root, Question(text=login))
        if record.get("login") == login
        and (
            record.get("type") == RecordType.USER_LOGIN
            or (record.get("type") == RecordType.CERT_ISSUE and at(record, "body", "serial") in serials)
        )
    ]


@dataclass(slots=True)
class Follower:
    """Reads what is written from now on: `start` says what is already there, each `more` what came since.

    It goes on to a writer's next segment once that exists, and to writers that begin later. Polled, not notified: the
    log may lie on a file system that tells nobody.
    """

    root: Path
    question: Question
    _at: dict[Path, tuple[Path, int]] = field(default_factory=dict)

    def start(self, limit: int) -> list[Record]:
        """The newest `limit` records up to now; none of them comes again, none after them is left out."""
        ends = _ends(self.root)
        self._at = {writer: paths[-1] for writer, paths in ends.items() if paths}
        return list(islice(_newest_first(self.question, ends), limit))[::-1]

    def more(self) -> list[Record]:
        """What came since, oldest first. Raises OSError."""
        streams = [iter(list(_select(self._lines(writer), self.question))) for writer in writers(self.root)]
        return list(_merge(streams, backward=False))

    def _lines(self, writer: Path) -> Iterator[bytes]:
        """A later segment is looked for before the last read: a segment that has a successor grows no more."""
        found = segments(writer)
        path, offset = self._at.get(writer, (None, 0))
        reached = (-1, -1) if path is None else _number(path)
        for one in (one for one in found if _number(one) >= reached):
            start = offset if one == path else 0
            end = complete(one)
            if end > start:
                yield from forwards(one, start, end)
            self._at[writer] = (one, max(start, end))


def _number(path: Path) -> tuple[int, int]:
    number = segment_number(path.name)
    assert number is not None
    return number


def _ends(root: Path) -> dict[Path, list[tuple[Path, int]]]:
    """Each writer's segments, and how far each is complete now."""
    return {writer: [(path, complete(path)) for path in segments(writer)] for writer in writers(root)}


def _newest_first(question: Question, ends: Mapping[Path, list[tuple[Path, int]]]) -> Iterator[Record]:
    return _merge(
        (
            _select((line for path, end in reversed(paths) for line in backwards(path, end)), question)
            for paths in ends.values()
        ),
        backward=True,
    )


def _select(lines: Iterable[bytes], question: Question) -> Iterator[Record]:
    may_match = question.sieve()
    for line in lines:
        if not may_match(line):
            continue
        try:
            record = decode(line)
        except ValueError:
            continue
        if "type" in record and question.matches(record):
            yield record


def _merge(streams: Iterable[Iterator[Record]], *, backward: bool) -> Iterator[Record]:
    """By time. A writer's next record waits for its last one, so a clock that stepped cannot change its order."""
    return heapq.merge(*streams, key=lambda record: str(record.get("time", "")), reverse=backward)
