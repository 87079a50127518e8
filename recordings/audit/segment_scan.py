"""Reading a segment to verify it: its tree, its last checkpoint, and what the log itself says there of its files.

A block of lines at a time, since this is the loop in which all the time of verification goes. What was read is not
verified by reading it: `holds` says whether the segment's last checkpoint speaks of just these lines, and `first_fault`
where it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from recordings.audit.checkpoint import PREFIX, Checkpoint, note_of, verified
from recordings.audit.merkle import Tree
from recordings.audit.note import NoteError, PublicKey
from recordings.audit.record import RecordType
from recordings.audit.segment_header import SegmentHeader
from recordings.audit.segments import BLOCK_BYTES, forwards
from recordings.audit.stored import open_stored
from recordings.audit.verdict import Finding, Kind

TOLD = (RecordType.LOG_SUSPECT, RecordType.LOG_RECOVERED, RecordType.LOG_REMOVED)
"""Records that explain what a verifier finds."""
_TOLD = b'"type":"log.'
"""What all of them have in common: one search in a block costs less than one in each of its lines."""
_LENGTH = len(PREFIX)

Progress = Callable[[int], None]
"""Told how many bytes were read since it was told before."""
Stops = Callable[[Tree], int]
"""Given the tree as it stands, the size at which to be asked again; -1 for never."""


@dataclass(slots=True)
class SegmentScan:
    """A segment as it was read so far. `tree` stands behind its last line, `last_tree` before its last checkpoint.

    `told`: the records of types `TOLD`, each with its line's number from 1.
    """

    tree: Tree
    line: int = 0
    byte: int = 0
    records: int = 0
    last: bytes = b""
    last_line: int = 0
    last_byte: int = 0
    last_tree: Tree | None = None
    told: list[tuple[int, Mapping[str, Any]]] = field(default_factory=list)

    def read(self, path: Path, stops: Stops, progress: Progress) -> None:
        """From where it stands to the last whole line that is there now. Raises OSError."""
        with open_stored(path) as stored:
            at, rest = self.byte, b""
            while block := stored.read(at, BLOCK_BYTES):
                at += len(block)
                data = rest + block
                lines = data.split(b"\n")
                rest = lines.pop()
                if _TOLD in data:
                    self._look(lines)
                self._take(lines, stops)
                progress(len(block))

    def _take(self, lines: Sequence[bytes], stops: Stops) -> None:
        marks = [index for index, line in enumerate(lines) if line[:_LENGTH] == PREFIX]
        header = bool(lines) and self.line == 0
        self.records += len(lines) - len(marks) - header
        begin = 0
        if marks:
            begin = marks[-1]
            self._grow(lines[:begin], stops)
            self.last, self.last_line = lines[begin], self.line + begin + 1
            self.last_byte = self.byte + sum(map(len, lines[:begin])) + begin
            self.last_tree = Tree(self.tree.size, self.tree.frontier)
        self._grow(lines[begin:], stops)
        self.line += len(lines)
        self.byte += sum(map(len, lines)) + len(lines)

    def _grow(self, lines: Sequence[bytes], stops: Stops) -> None:
        """Stands still at every size that somebody wants to see."""
        begin = 0
        while begin < len(lines):
            stop = stops(self.tree)
            end = len(lines) if stop <= self.tree.size else min(len(lines), begin + stop - self.tree.size)
            self.tree.extend(lines[begin:end])
            begin = end

    def _look(self, lines: Sequence[bytes]) -> None:
        for number, line in enumerate(lines, self.line + 1):
            if _TOLD in line:
                record = _object(line)
                if record.get("type") in TOLD:  # a person's object may have a member like that, deeper down
                    self.told.append((number, record))


def holds(line: bytes, key: PublicKey, tree: Tree) -> Checkpoint:
    """A checkpoint's line, of the lines that this tree was made from. Raises NoteError."""
    checkpoint = verified(note_of(line), key, alone=True)
    if checkpoint.size != tree.size:
        less = checkpoint.size - tree.size
        what = f"{less} lines are missing" if less > 0 else f"{-less} lines were added"
        raise NoteError(f"{what} here: the checkpoint behind them counts {checkpoint.size}")
    if checkpoint.root != tree.root():
        raise NoteError("these lines are not those that the checkpoint behind them signs")
    return checkpoint


def first_fault(path: Path, header: SegmentHeader, key: PublicKey) -> Finding:
    """The first checkpoint that does not hold, and the lines that it speaks of. Some checkpoint here does not."""
    tree, byte, begin, begin_line = header.tree, 0, 0, 1
    odd: tuple[int, int, int] | None = None
    seq = header.first_seq
    for number, line in enumerate(forwards(path), 1):
        end = byte + len(line) + 1
        if line[:_LENGTH] == PREFIX:
            try:
                holds(line, key, tree)
            except NoteError as error:
                if not _is_good(line, key):
                    return Finding(Kind.ALTERED, path.name, f"a checkpoint: {error}", number, number, byte, end)
                hint = f"; line {odd[0]}, bytes {odd[1]}-{odd[2]}, is the first that is odd" if odd else ""
                return Finding(Kind.ALTERED, path.name, f"{error}{hint}", begin_line, number - 1, begin, byte)
            begin, begin_line = end, number + 1
        elif number > 1:
            if odd is None and _object(line).get("seq") != seq:
                odd = (number, byte, end)
            seq += 1
        tree.add(line)
        byte = end
    return Finding(Kind.ALTERED, path.name, "it was changed while it was read", 1, 1, 0, byte)


def _is_good(line: bytes, key: PublicKey) -> bool:
    try:
        verified(note_of(line), key, alone=True)
    except NoteError:
        return False
    return True


def _object(line: bytes) -> Mapping[str, Any]:
    try:
        read = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return read if isinstance(read, dict) else {}
