"""The log, read while others write it: search, one request's whole story, and following.

Writers are merged by time. A writer's own order is never changed, whatever its clock did; between writers no order is
known but what their clocks say. Lines that cannot be read are passed over here and found by verification.

Sealed segments that cannot hold an answer are not opened, and where they have Parquet files and DuckDB is installed,
those are asked which lines may be meant; every line is then judged by the question itself.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from recordings.audit import index
from recordings.audit.encode import decode
from recordings.audit.manifest import manifest_of
from recordings.audit.matching import backwards_with, forwards_with
from recordings.audit.parquet import connect, is_possible, parquet_path
from recordings.audit.question import Question, at, certificates, ids, recording
from recordings.audit.record import RecordType
from recordings.audit.segments import backwards, complete, forwards, is_sealed, segment_number, segments, writers

Record = dict[str, Any]
UNKNOWN = -1
"""How many bytes of complete lines a segment has, where that was not asked yet."""


def newest(root: Path, question: Question, limit: int) -> list[Record]:
    """The newest matching records, at most `limit`, oldest of them first. Raises OSError."""
    return list(islice(newest_first(root, question), limit))[::-1]


def newest_first(root: Path, question: Question) -> Iterator[Record]:
    """Every matching record, the newest first, as a stream. Raises OSError."""
    return _all(_ends(root), question, backward=True)


def oldest_first(root: Path, question: Question) -> Iterator[Record]:
    """Every matching record, as a stream. Raises OSError."""
    return _all(_ends(root), question, backward=False)


def story(root: Path, wanted: str) -> list[Record]:
    """All records of one id, and of a request the login and certificate behind it and what became of its recording.

    Oldest first. Raises OSError.

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
    streams = {str(found) for record in requests if (found := recording(record))}
    signed_in = [
        record for login in logins for record in oldest_first(root, Question(login=login, type=RecordType.USER_LOGIN))
    ]
    certified = [
        record
        for login in logins
        for record in oldest_first(root, Question(login=login, type=RecordType.CERT_ISSUE))
        if at(record, "body", "serial") in serials
    ]
    about = [
        record
        for stream in streams
        for record in oldest_first(root, Question(recording=stream))
        if record.get("type") != RecordType.KUBE_REQUEST
    ]
    return [*signed_in, *certified, *about]


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
        self._at = {writer: _known(paths[-1]) for writer, paths in ends.items() if paths}
        return list(islice(_all(ends, self.question, backward=True), limit))[::-1]

    def more(self) -> list[Record]:
        """What came since, oldest first. Raises OSError."""
        streams = [iter(list(_select(self._lines(writer), self.question))) for writer in writers(self.root)]
        return list(_merge(streams, backward=False))

    def _lines(self, writer: Path) -> Iterator[bytes]:
        """A later segment is looked for before the last read: a segment that has a successor grows no more."""
        path, offset = self._at.get(writer, (None, 0))
        reached = (-1, -1) if path is None else _number(path)
        for one in (one for one in segments(writer) if _number(one) >= reached):
            start = offset if _number(one) == reached else 0
            end = complete(one)
            if end > start:
                yield from forwards(one, start, end)
            self._at[writer] = (one, max(start, end))


def _known(one: tuple[Path, int]) -> tuple[Path, int]:
    path, end = one
    return path, complete(path) if end == UNKNOWN else end


def _number(path: Path) -> tuple[int, int]:
    number = segment_number(path.name)
    assert number is not None
    return number


def _ends(root: Path) -> dict[Path, list[tuple[Path, int]]]:
    """Each writer's segments, and how far each is complete now; a sealed one grows no more, and is asked when read."""
    return {
        writer: [(path, UNKNOWN if is_sealed(path) else complete(path)) for path in segments(writer)]
        for writer in writers(root)
    }


def _all(ends: Mapping[Path, list[tuple[Path, int]]], question: Question, *, backward: bool) -> Iterator[Record]:
    return _merge(
        (_select(_lines_of(paths, question, backward=backward), question) for paths in ends.values()),
        backward=backward,
    )


def _lines_of(paths: Sequence[tuple[Path, int]], question: Question, *, backward: bool) -> Iterator[bytes]:
    """One writer's lines that may match, in its order."""
    asked = index.conditions(question) if is_possible() else ()
    meant = [one for one in paths if _may_hold(one[0], question)]
    for is_indexed, some in groupby(meant[::-1] if backward else meant, lambda one: _has_index(one[0])):
        run = list(some)
        if is_indexed and asked:
            yield from _indexed([path for path, _ in run], asked, question, backward=backward)
        else:
            for path, end in run:
                yield from _may_match(path, end, question, backward=backward)


def _indexed(
    run: Sequence[Path], asked: Sequence[index.Condition], question: Question, *, backward: bool
) -> Iterator[bytes]:
    """Segments that have Parquet files, in the order asked for; one whose files fail is read itself."""
    with connect() as connection:
        for batch in index.batches(run):
            try:
                seqs = index.matching(connection, batch, asked, backward=backward)
            except index.DamagedIndexError:
                for path in batch:
                    yield from _may_match(path, UNKNOWN, question, backward=backward)
            else:
                yield from index.fetched(connection, batch, seqs, backward=backward)


def _may_hold(path: Path, question: Question) -> bool:
    manifest = manifest_of(path) if is_sealed(path) else None
    return manifest is None or question.may_be_in(manifest.since, manifest.until)


def _has_index(path: Path) -> bool:
    return is_sealed(path) and parquet_path(path).exists()


def _may_match(path: Path, end: int, question: Question, *, backward: bool) -> Iterator[bytes]:
    needle = question.needle()
    try:
        end = complete(path) if end == UNKNOWN else end
        if needle is None:
            yield from backwards(path, end) if backward else forwards(path, 0, end)
        else:
            yield from backwards_with(path, needle, end) if backward else forwards_with(path, needle, 0, end)
    except FileNotFoundError:
        return  # its time was over, and it was removed since it was listed


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
