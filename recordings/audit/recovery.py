"""What a crash left: a torn last line is cut, intents without outcome are found, the next number is known.

Only the last segment can be torn by a crash; an earlier one may end in the middle of a line where a write failed, and
was given up then. A line that cannot be read with good ones behind it is damage, not a torn tail: it stays as evidence.

Whole records behind the last checkpoint, which a killed process had no time to sign, stay too: a request that was
answered must not lose its record. How many there are is told, so that the log that begins can say so.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from recordings.audit.checkpoint import PREFIX
from recordings.audit.merkle import Tree
from recordings.audit.note import NoteError
from recordings.audit.record import Outcome, RecordType
from recordings.audit.segment_header import parse_header
from recordings.audit.segments import forwards, segment_number, segments

MAX_START_LINES = 100_000
"""Looked at for `log.start`: more than requests can be under way; past it, an earlier start serves as well."""

_INTENT = f'"outcome":"{Outcome.INTENT}"'.encode()
_AUDIT_ID = b'"auditID":"'


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
    unsigned_lines: int = 0
    """Behind the last checkpoint of the last segment."""


def recover(directory: Path) -> Recovered:
    """Put a writer's directory in order. Raises OSError."""
    found = Recovered()
    paths = segments(directory)
    last_run = _last_run(paths)
    for path in last_run[:-1]:
        _collect(path, found)
    if last_run:
        found.tree = _tree_before(paths)
        _recover_last(last_run[-1], found)
    return found


def intent_key(record: Mapping[str, Any]) -> str:
    """What an intent and its outcome share: the Event's audit id, or the record's id where there is no Event."""
    event = record.get("event")
    return str(event.get("auditID")) if isinstance(event, Mapping) else str(record.get("id"))


def _last_run(found: list[Path]) -> list[Path]:
    """The segments since the last complete start. What ran before that was put in order by it."""
    for index in range(len(found) - 1, -1, -1):
        if _holds_start(found[index]):
            return found[index:]
    return found


def _holds_start(path: Path) -> bool:
    """Whether a writer began here and got as far as `log.start`, before which only its putting in order stands."""
    lines = forwards(path)
    header = _read(next(lines, b"")).get("header")
    if not isinstance(header, Mapping) or header.get("start") is not True:
        return False
    return any(_read(line).get("type") == RecordType.LOG_START for line in islice(lines, MAX_START_LINES))


def _collect(path: Path, found: Recovered) -> None:
    """Intents of a segment that was closed long ago; only lines that matter are read whole."""
    for line in forwards(path):
        if _INTENT in line or any(key.encode() in line for key in _ids(line, found)):
            _note(_read(line), found)


def _ids(line: bytes, found: Recovered) -> list[str]:
    """The id by which this line may end an open intent: of the Event, else of the envelope."""
    if not found.open_intents:
        return []
    at = line.find(_AUDIT_ID)
    if at < 0:
        return list(found.open_intents)
    key = line[at + len(_AUDIT_ID) : line.find(b'"', at + len(_AUDIT_ID))].decode("ascii", "replace")
    return [key] if key in found.open_intents else []


def _recover_last(path: Path, found: Recovered) -> None:
    number = segment_number(path.name)
    assert number is not None
    found.segment = path.name
    found.last_seq = number[0] - 1
    data_end = path.stat().st_size
    offset = good_end = 0
    doubtful: list[bytes] = []  # cannot be read, and nothing good behind them yet
    for line in forwards(path):
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


def _note(record: Mapping[str, Any], found: Recovered) -> None:
    if not isinstance(record.get("seq"), int):
        return
    found.last_seq = max(found.last_seq, record["seq"])
    found.last_time = str(record.get("time", ""))
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
