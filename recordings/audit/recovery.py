"""What a crash left: a torn last line is cut, intents without outcome are found, the next number is known.

Only the last segment can be torn by a crash; an earlier one may end in the middle of a line where a write failed, and
was given up then. A line that cannot be read with good ones behind it is damage, not a torn tail: it stays as evidence.

Whole records behind the last checkpoint, which a killed process had no time to sign, stay too: a request that was
answered must not lose its record. How many there are is told, so that the log that begins can say so.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from recordings.audit.checkpoint import PREFIX, note_of, unverified
from recordings.audit.merkle import Tree
from recordings.audit.note import NoteError
from recordings.audit.record import Outcome, RecordType
from recordings.audit.segment_header import parse_header
from recordings.audit.segment_scan import SegmentScan
from recordings.audit.segments import BLOCK_BYTES, backwards, complete, forwards, is_sealed, segment_number, segments
from recordings.audit.stored import open_stored

WRITTEN_AGAIN_BYTES = 32 << 20
"""More than a writer hands over between two syncs, also where the disk takes seconds for one."""
MAX_START_LINES = 100_000
"""Looked at for `log.start`: more than requests can be under way; past it, an earlier start serves as well."""

UNRESERVED_BYTES = 1 << 20
"""By so much a file may be larger on the disk than it is long, without anything reserved: block sizes, metadata."""
_BLOCK_UNIT = 512
"""Of st_blocks, stat(2)."""

_OUTCOME = b'"outcome":"'
_IS_INTENT = _OUTCOME + Outcome.INTENT.encode() + b'"'
_AUDIT_ID = b'"auditID":"'
_ID = b'"id":"'


@dataclass(slots=True)
class Recovered:
    """What a start found. `last_time`: RFC 3339, of the last record; empty without one."""

    last_seq: int = 0
    last_time: str = ""
    segment: str = ""
    cut_bytes: int = 0
    cut_sha256: str = ""
    damaged_lines: int = 0
    open_intents: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    tree: Tree | None = None
    """Over every line that is kept; None where nothing was ever signed."""
    given_up: list[dict[str, Any]] = field(default_factory=list)
    """Earlier segments whose torn last line nothing in the log explained, and what was cut."""
    unsigned_lines: int = 0
    """Behind the last checkpoint of the last segment."""


def recover(directory: Path) -> Recovered:
    """Put a writer's directory in order. Raises OSError."""
    found = Recovered()
    paths = segments(directory)
    last_run = _last_run(paths)
    for path in last_run:
        _collect(path, found)
    if last_run:
        found.tree = _tree_before(paths)
        _recover_last(last_run[-1], found)
        if any(map(_is_after_a_failure, last_run)):
            for path in last_run[:-1]:
                with suppress(FileNotFoundError):  # sealed meanwhile: that is a copy, and on the disk
                    if not is_sealed(path):
                        _write_again(path, path.stat().st_size)
    for number, path in enumerate(last_run[:-1], 1):
        with suppress(FileNotFoundError):
            if not is_sealed(path) and not _is_named_suspect(path, last_run[number:]):
                _cut_unnamed(path, found)
    for path in paths:
        with suppress(FileNotFoundError):
            if not is_sealed(path):
                _give_back(path)
    return found


def intent_key(record: Mapping[str, Any]) -> str:
    """What an intent and its outcome share: the Event's audit id, or the record's id where there is no Event."""
    event = record.get("event")
    return str(event.get("auditID")) if isinstance(event, Mapping) else str(record.get("id"))


def _is_after_a_failure(path: Path) -> bool:
    """A segment that went on where the one before had failed, and so cannot say what the log held then."""
    header = _read(next(forwards(path), b"")).get("header")
    return isinstance(header, Mapping) and header.get("start") is False and "open_from" not in header


def _last_run(found: list[Path]) -> list[Path]:
    """The segments in which an intent without outcome can be.

    Where a start is complete, what ran before it was put in order by it. A segment that went on from another says in
    its header from which record on there is an intent that was open then (0: none was).
    """
    for index in range(len(found) - 1, -1, -1):
        header = _read(next(forwards(found[index]), b"")).get("header")
        if not isinstance(header, Mapping):
            continue
        if header.get("start") is True and _holds_start(found[index]):
            return found[index:]
        oldest = header.get("open_from")
        if type(oldest) is int and header.get("start") is False:
            return found[_segment_of(oldest, found[: index + 1]) :] if oldest else found[index:]
    return found


def _segment_of(seq: int, found: list[Path]) -> int:
    """Which of these segments may have a record of this number: the first one of those that begin with one number."""
    numbers = [(segment_number(path.name) or (0, 0))[0] for path in found]
    begins = [number for number in numbers if number <= seq]
    return numbers.index(max(begins)) if begins else 0


def _holds_start(path: Path) -> bool:
    """Whether a writer got as far as `log.start` here, before which only its putting in order stands."""
    lines = islice(forwards(path), 1, MAX_START_LINES)
    return any(_read(line).get("type") == RecordType.LOG_START for line in lines)


def _collect(path: Path, found: Recovered) -> None:
    """Intents, and what ends them. In a block in which there is nothing to find, lines are not looked at."""
    rest = b""
    with open_stored(path) as stored:
        at = 0
        while block := stored.read(at, BLOCK_BYTES):
            at += len(block)
            data = rest + block
            end = data.rfind(b"\n") + 1
            rest = data[end:]
            if found.open_intents or _IS_INTENT in data:
                _collect_lines(data[:end].split(b"\n"), found)


def _collect_lines(lines: list[bytes], found: Recovered) -> None:
    """Only lines that matter are read whole: the envelope comes first in a line, and in it the outcome."""
    for line in lines:
        at = line.find(_OUTCOME)
        if at >= 0 and (line.startswith(_IS_INTENT, at) or (found.open_intents and _key(line) in found.open_intents)):
            record = _read(line)
            if isinstance(record.get("seq"), int):
                _note_intent(record, found)


def _key(line: bytes) -> str:
    """The id by which this line may end an open intent: of the Event, else of the envelope."""
    for name in (_AUDIT_ID, _ID):
        at = line.find(name)
        if at >= 0:
            begin = at + len(name)
            return line[begin : line.find(b'"', begin)].decode("utf-8", "replace")
    return ""


def _recover_last(path: Path, found: Recovered) -> None:
    """What a checkpoint holds for needs no look at its lines; all behind it does."""
    number = segment_number(path.name)
    assert number is not None
    found.segment = path.name
    found.last_seq = number[0] - 1
    data_end = path.stat().st_size
    offset = good_end = _undamaged(path, found)
    doubtful: list[bytes] = []  # cannot be read, and nothing good behind them yet
    for line in forwards(path, offset):
        offset += len(line) + 1
        record = _read(line)
        if "seq" in record or "header" in record or "checkpoint" in record:
            found.damaged_lines += len(doubtful)
            _keep([*doubtful, line], found)
            doubtful, good_end = [], offset
            _note(record, found)
        else:
            doubtful.append(line)
    if good_end < data_end:
        _cut(path, good_end, found)
    _write_again(path, good_end)


def _undamaged(path: Path, found: Recovered) -> int:
    """How many bytes from the segment's beginning on are the lines of its last checkpoint, and that line; else 0."""
    if found.tree is None:
        return 0
    scan = SegmentScan(Tree(found.tree.size, found.tree.frontier))
    scan.read(path, lambda _tree: -1, lambda _bytes: None)
    try:
        claimed = unverified(note_of(scan.last))
    except NoteError:
        return 0
    tree = scan.last_tree
    if tree is None or (claimed.size, claimed.root) != (tree.size, tree.root()):
        return 0
    tree.add(scan.last)
    found.tree = tree
    end = scan.last_byte + len(scan.last) + 1
    for line in backwards(path, end):
        record = _read(line)
        if "seq" in record:
            _note(record, found)
            break
    return end


def _keep(lines: list[bytes], found: Recovered) -> None:
    if found.tree is None:
        return
    for line in lines:
        found.tree.add(line)
        found.unsigned_lines = 0 if line.startswith(PREFIX) else found.unsigned_lines + 1


def _tree_before(paths: list[Path]) -> Tree | None:
    """The tree before the last segment: from its header, else from the nearest header that can be read."""
    for index in range(len(paths) - 1, -1, -1):
        try:
            tree = parse_header(next(forwards(paths[index]), b"")).tree
        except NoteError:
            continue
        for path in paths[index:-1]:
            for line in forwards(path):
                tree.add(line)
        return tree
    return None


def _cut(path: Path, good_end: int, found: Recovered) -> None:
    """The tail goes; its length and digest are recorded by the log that begins."""
    digest = sha256()
    with path.open("r+b") as file:
        file.seek(good_end)
        while block := file.read(1 << 20):
            digest.update(block)
            found.cut_bytes += len(block)
        file.truncate(good_end)
        os.fsync(file.fileno())
    found.cut_sha256 = digest.hexdigest()


def _is_named_suspect(path: Path, later: list[Path]) -> bool:
    """Whether a later segment says of this one that it was given up, so that its torn end is explained."""
    if complete(path) == path.stat().st_size:
        return True
    mark, name = RecordType.LOG_SUSPECT.encode(), path.name.encode()
    return any(mark in line and name in line for one in later for line in forwards(one))


def _cut_unnamed(path: Path, found: Recovered) -> None:
    """A write failed there, and the process ended before the log could say so: this start says it."""
    end, size = complete(path), path.stat().st_size
    with path.open("r+b") as file:
        digest = sha256(os.pread(file.fileno(), size - end, end)).hexdigest()
        file.truncate(end)
        os.fsync(file.fileno())
    found.given_up.append({"segment": path.name, "cut_bytes": size - end, "cut_sha256": digest})


def _give_back(path: Path) -> None:
    """What a killed process had reserved behind the end: a server that dies again and again must not fill the disk."""
    with path.open("r+b") as file:
        status = os.fstat(file.fileno())
        if status.st_blocks * _BLOCK_UNIT > status.st_size + UNRESERVED_BYTES:
            file.truncate(status.st_size)


def _write_again(path: Path, end: int) -> None:
    """The same bytes once more, and a sync: what was read here may be in the kernel's memory alone.

    A sync that failed in the process before leaves pages that count as written and never were; a sync of ours would
    pass over them.
    """
    with path.open("r+b", buffering=0) as file:
        at = max(0, end - WRITTEN_AGAIN_BYTES)
        while at < end:
            block = os.pread(file.fileno(), min(BLOCK_BYTES, end - at), at)
            at += os.pwrite(file.fileno(), block, at)
        os.fsync(file.fileno())


def _note(record: Mapping[str, Any], found: Recovered) -> None:
    if isinstance(record.get("seq"), int):
        found.last_seq = max(found.last_seq, record["seq"])
        found.last_time = str(record.get("time", ""))


def _note_intent(record: Mapping[str, Any], found: Recovered) -> None:
    outcome = record.get("outcome")
    if outcome == Outcome.INTENT:
        found.open_intents[intent_key(record)] = record
    elif outcome != Outcome.STARTED:
        found.open_intents.pop(intent_key(record), None)


def _read(line: bytes) -> Mapping[str, Any]:
    """A record, or nothing: what cannot be read is judged by where it stands."""
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return record if isinstance(record, dict) else {}
