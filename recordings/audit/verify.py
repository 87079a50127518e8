"""Whether a log is what was written: offline, with nothing but its files and the installation's public root key.

For each writer, in this order:
 1. `keys`: each segment's key is vouched for by the one before, the first by the root;
 2. each segment's header: its key is in the chain, at this very place, and its tree goes on from what was read before;
 3. each segment's last checkpoint: signed by the segment's key, of the size and root of the lines that were read.
    Earlier checkpoints are leaves of that tree, so they need no check of their own; where the last one does not hold,
    all are checked in order, and the lines before the first that fails are named;
 4. every key of the chain has its segment; 5. checkpoints that were kept elsewhere are in the tree.

A segment that fails does not end it: the next one's header says from which tree to go on.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from recordings.audit.checkpoint import PREFIX, Checkpoint, note_of, unverified, verified
from recordings.audit.key_chain import SegmentKey, verified_chain
from recordings.audit.key_chain import note_of as key_note_of
from recordings.audit.keyring import KEYS
from recordings.audit.merkle import Tree
from recordings.audit.note import NoteError, PublicKey
from recordings.audit.record import RecordType
from recordings.audit.segment_header import SegmentHeader, parse_header
from recordings.audit.segments import forwards, length, segment_number, segments, writers
from recordings.audit.verdict import Finding, Kind, Verdict

PROGRESS_LINES = 20_000
"""Between two reports of progress: some 50 ms."""
_SUSPECT = f'"type":"{RecordType.LOG_SUSPECT}"'.encode()
_RECOVERED = f'"type":"{RecordType.LOG_RECOVERED}"'.encode()

Progress = Callable[[int], None]
"""Told how many bytes were read since it was told before."""
Patience = Callable[[], bool]
"""Waits a moment for a log that is being written; False when it has waited long enough."""


def verify(
    root: Path,
    key: PublicKey,
    anchors: Sequence[str] = (),
    *,
    progress: Progress = lambda _bytes: None,
    patience: Patience = lambda: False,
) -> list[Verdict]:
    """A verdict on each writer below `root`. `anchors`: checkpoints that were kept elsewhere. Raises OSError."""
    found = [_Writer(path, key, anchors, progress, patience).judge() for path in signed_writers(root)]
    _judge_as_a_whole(found, anchors)
    return found


def signed_writers(root: Path) -> list[Path]:
    """Directories that hold a log, or what is left of one. Raises OSError."""
    if (root / KEYS).exists():
        return [root]
    return [path for path in writers(root) if (path / KEYS).exists() or segments(path)]


def total_bytes(root: Path) -> int:
    """Of what `verify` will read. Raises OSError."""
    return sum(length(path) for writer in signed_writers(root) for path in segments(writer))


def read_chain(directory: Path, key: PublicKey) -> tuple[tuple[SegmentKey, ...], NoteError | None]:
    """The keys that hold, and why the next one does not. Raises OSError."""
    try:
        *lines, rest = (directory / KEYS).read_bytes().split(b"\n")
    except FileNotFoundError:
        return (), NoteError("there is no such file")
    notes: list[str] = []
    failed: NoteError | None = NoteError("its last line is unfinished") if rest else None
    try:
        for line in lines:
            notes.append(key_note_of(line))  # noqa: PERF401 - those before the one that fails are kept
        return verified_chain(notes, key), failed
    except NoteError as error:
        failed = error
    while notes:
        try:
            return verified_chain(notes, key), failed
        except NoteError:
            notes.pop()
    return (), failed


def _judge_as_a_whole(found: list[Verdict], anchors: Iterable[str]) -> None:
    origins: dict[str, Verdict] = {}
    for verdict in found:
        first = origins.setdefault(verdict.origin, verdict)
        if first is not verdict and verdict.origin:
            message = f"{first.directory} holds a log of the same origin, {verdict.origin}"
            verdict.findings.append(Finding(Kind.ADDED, verdict.directory, message))
    for note in anchors:
        try:
            origin = unverified(note).origin
        except NoteError as error:
            raise NoteError(f"a checkpoint that was kept elsewhere is none: {error}") from error
        if origin not in origins:
            lost = Verdict("", origin)
            lost.findings.append(Finding(Kind.MISSING, origin, "a checkpoint speaks of this log, and it is not here"))
            origins[origin] = lost
            found.append(lost)


@dataclass(slots=True)
class _Scan:
    """A segment as it was read. `tree` stands behind its last line."""

    tree: Tree
    line: int = 0
    byte: int = 0
    records: int = 0
    last: bytes = b""
    last_line: int = 0
    last_byte: int = 0
    last_tree: Tree | None = None


class _Writer:
    def __init__(
        self, directory: Path, key: PublicKey, anchors: Sequence[str], progress: Progress, patience: Patience
    ) -> None:
        self._directory, self._key, self._notes = directory, key, anchors
        self._progress, self._patience = progress, patience
        self._verdict = Verdict(directory.name)
        self._chain: tuple[SegmentKey, ...] = ()
        self._used: set[int] = set()
        self._damaged: set[int] = set()
        self._tree: Tree | None = Tree()
        self._tail: Finding | None = None
        self._torn: dict[str, Finding] = {}
        self._anchors: list[Checkpoint] = []
        self._next_anchor = -1

    def judge(self) -> Verdict:
        paths = self._read_keys()
        for index, path in enumerate(paths):
            self._segment(path, paths[index + 1] if index + 1 < len(paths) else None)
        self._verdict.findings += self._torn.values()
        self._judge_unused_keys(paths)
        self._judge_anchors()
        return self._verdict

    def _find(self, kind: Kind, file: str, message: str, *where: int) -> None:
        self._verdict.findings.append(Finding(kind, file, message, *where))

    # -- keys

    def _read_keys(self) -> list[Path]:
        """The segments are listed before the keys are read, and once more where a newer one has begun meanwhile."""
        paths = segments(self._directory)
        self._chain, failed = read_chain(self._directory, self._key)
        if failed is not None:
            self._find(Kind.KEYS, KEYS, str(failed))
        if self._chain:
            self._verdict.origin = self._chain[-1].public.name
        self._verdict.notices += [
            f"{KEYS}: key {number} (from line {key.size} of the log) was vouched for by the root key: the one before "
            "was lost"
            for number, key in enumerate(self._chain, 1)
            if key.by_root and number > 1
        ]
        self._read_anchors()
        return segments(self._directory) if len(paths) < len(self._chain) else paths

    def _judge_unused_keys(self, paths: Sequence[Path]) -> None:
        """A key that was followed by another at the same place had no lines: its start was cut off by a crash."""
        for index, key in enumerate(self._chain):
            last = index + 1 == len(self._chain)
            if index in self._used | self._damaged or (not last and self._chain[index + 1].size == key.size):
                continue
            until = "the end" if last else f"line {self._chain[index + 1].size}"
            hint = "; or the process died in the instant in which it began" if last else ""
            message = f"the segment that holds line {key.size + 1} to {until} of the log is not here{hint}"
            self._find(Kind.MISSING, self._directory.name if not paths else KEYS, message)

    # -- segments

    def _segment(self, path: Path, following: Path | None) -> None:
        self._verdict.segments += 1
        first = next(forwards(path), None)
        if first is None:
            self._empty(path, following)
            return
        try:
            header = parse_header(first)
            key = self._judge_header(path, header)
        except NoteError as error:
            self._find(Kind.ALTERED, path.name, str(error), 1, 1, 0, len(first) + 1)
            self._damaged.add(max(self._used, default=-1) + 1)
            self._tree = None
            self._skip(path)
            return
        self._go_on(path, header, len(first) + 1)
        scan = self._scan(path, header, is_last=following is None)
        if not self._judge_lines(path, header, key, scan):
            self._tree = None
            return
        self._judge_end(path, scan, is_last=following is None)

    def _empty(self, path: Path, following: Path | None) -> None:
        """A start that a crash cut off before its first line; the next start took the same number."""
        number = segment_number(path.name)
        after = segment_number(following.name) if following is not None else None
        size = length(path)
        if number is not None and after is not None and number[0] == after[0]:
            self._verdict.notices.append(f"{path.name}: a start that got no further than {size} bytes")
        elif following is not None or size:
            self._find(Kind.UNSIGNED, path.name, "it has no whole line", 1, 1, 0, size)

    def _judge_header(self, path: Path, header: SegmentHeader) -> PublicKey:
        """Raises NoteError."""
        number = segment_number(path.name)
        if number is None or header.first_seq != number[0]:
            raise NoteError(f"it says that it begins with record {header.first_seq}: the file was renamed or copied")
        place = {key.public.key: index for index, key in enumerate(self._chain)}.get(header.key.key)
        if place is None:
            raise NoteError(f"its key {header.key} is not vouched for in {KEYS}")
        key = self._chain[place]
        if header.key != key.public or header.origin != key.public.name:
            raise NoteError(f"it is of another log: {header.origin}")
        if header.size != key.size:
            raise NoteError(f"its key is good from line {key.size + 1} of the log, and it begins at {header.size + 1}")
        if self._used and place <= max(self._used):
            raise NoteError("its key belongs to a segment that came before: it was copied or put back")
        self._used.add(place)
        return key.public

    def _go_on(self, path: Path, header: SegmentHeader, end: int) -> None:
        """Compare with where the segment before ended, which only this header's checkpoints confirm."""
        tree, tail, self._tail = self._tree, self._tail, None
        if tree is None or (tree.size, tree.frontier) == (header.size, header.frontier):
            return
        if tree.size < header.size:
            message = f"{header.size - tree.size} lines of the log are missing before this segment"
            self._find(Kind.MISSING, path.name, message, 1, 1, 0, end)
        elif tail is not None:
            extra = f" ({tree.size - header.size} lines too many)" if tree.size > header.size else ""
            message = (
                f"these lines, behind the last checkpoint, are not those that the next segment goes on from{extra}"
            )
            self._verdict.findings.append(
                Finding(
                    Kind.ALTERED, tail.file, message, tail.first_line, tail.last_line, tail.first_byte, tail.end_byte
                )
            )
        else:
            message = "the header does not go on from the segment before"
            self._find(Kind.ALTERED, path.name, message, 1, 1, 0, end)

    def _scan(self, path: Path, header: SegmentHeader, *, is_last: bool) -> _Scan:
        scan = _Scan(header.tree)
        self._read(path, scan)
        while is_last and (scan.last_line != scan.line or length(path) != scan.byte) and self._patience():
            self._read(path, scan)
        self._judge_anchor_at(scan.tree)
        self._verdict.lines += scan.line
        self._verdict.bytes += scan.byte
        self._verdict.records += scan.records
        return scan

    def _read(self, path: Path, scan: _Scan) -> None:
        """From where it stands on: the loop in which all the time goes."""
        tree, line_number, byte = scan.tree, scan.line, scan.byte
        records, told, next_anchor = scan.records, byte, self._next_anchor
        look = bool(self._torn)
        for line in forwards(path, byte):
            if tree.size == next_anchor:
                self._judge_anchor_at(tree)
                next_anchor = self._next_anchor
            line_number += 1
            if line[:14] == PREFIX:
                scan.last, scan.last_line, scan.last_byte = line, line_number, byte
                scan.last_tree = Tree(tree.size, tree.frontier)
            elif line_number > 1:
                records += 1
                if look and _SUSPECT in line:
                    self._excuse(line)
                if line_number == 2 and _RECOVERED in line:
                    self._tell(path, line)
            tree.add(line)
            byte += len(line) + 1
            if not line_number % PROGRESS_LINES:
                self._progress(byte - told)
                told = byte
        self._progress(byte - told)
        scan.line, scan.byte, scan.records = line_number, byte, records

    def _judge_lines(self, path: Path, header: SegmentHeader, key: PublicKey, scan: _Scan) -> bool:
        """Whether the last checkpoint holds; if not, where the first one fails is found."""
        if scan.last_tree is None:
            return True
        try:
            checkpoint = _hold(scan.last, key, scan.last_tree)
        except NoteError:
            self._verdict.findings.append(_locate(path, header, key))
            return False
        self._verdict.size, self._verdict.root = checkpoint.size, b64encode(checkpoint.root).decode()
        self._verdict.checkpoint = note_of(scan.last)
        return True

    def _judge_end(self, path: Path, scan: _Scan, *, is_last: bool) -> None:
        self._tree = scan.tree
        end = length(path) if not is_last else max(scan.byte, length(path))
        torn = end - scan.byte
        begin = scan.last_byte + len(scan.last) + 1 if scan.last else 0
        where = (scan.last_line + 1, scan.line, begin, scan.byte)
        if is_last and (scan.line > scan.last_line or torn):
            lines = f"{scan.line - scan.last_line} lines" + (f" and {torn} bytes of an unfinished one" if torn else "")
            message = (
                f"{lines} behind the last checkpoint, signed by nobody: a process was killed here, or they were added"
            )
            self._find(Kind.UNSIGNED, path.name, message, where[0], max(where[:2]), begin, end)
        elif not is_last:
            if scan.line > scan.last_line:
                self._tail = Finding(Kind.ALTERED, path.name, "", *where)
            if torn:
                message = f"{torn} bytes behind the last line"
                self._torn[path.name] = Finding(
                    Kind.ADDED, path.name, message, scan.line + 1, scan.line + 1, scan.byte, end
                )

    def _excuse(self, line: bytes) -> None:
        """`log.suspect`: the segment was given up after an error, and may end in the middle of a line."""
        body = _body(line)
        torn = self._torn.pop(str(body.get("segment")), None)
        if torn is not None:
            self._verdict.notices.append(
                f"{torn.place}: half a line, which is no part of the log; the segment was given up: {body.get('cause')}"
            )

    def _tell(self, path: Path, line: bytes) -> None:
        body = _body(line)
        facts = {
            "cut_bytes": "bytes of an unfinished line were cut",
            "damaged_lines": "lines could not be read",
            "unsigned_lines": "lines that nobody had signed were taken over",
        }
        said = [f"{body[name]} {meaning}" for name, meaning in facts.items() if body.get(name)]
        if body.get("segment_missing"):
            said.append("the newest segment was not there")
        self._verdict.notices.append(f"{path.name}: this start put {body.get('segment')} in order: {', '.join(said)}")

    def _skip(self, path: Path) -> None:
        for line in forwards(path):
            self._verdict.lines += 1
            self._verdict.bytes += len(line) + 1
        self._progress(length(path))

    # -- anchors

    def _read_anchors(self) -> None:
        """Those of this log, by size. One that no key of this log has signed is a finding: somebody has two logs."""
        for note in self._notes:
            try:
                claimed = unverified(note)
            except NoteError:
                continue  # told for all writers together
            if claimed.origin == self._verdict.origin:
                if any(_is_by(note, key.public) for key in self._chain):
                    self._anchors.append(claimed)
                else:
                    message = f"a checkpoint of {claimed.size} lines, kept elsewhere, is signed by no key of this log"
                    self._find(Kind.ANCHOR, KEYS, message)
        self._anchors.sort(key=lambda one: one.size)
        self._next_anchor = self._anchors[0].size if self._anchors else -1

    def _judge_anchor_at(self, tree: Tree) -> None:
        while self._anchors and self._anchors[0].size <= tree.size:
            anchor = self._anchors.pop(0)
            if anchor.size < tree.size:
                message = f"a checkpoint of {anchor.size} lines, kept elsewhere, cannot be compared: they are not here"
                self._find(Kind.ANCHOR, self._directory.name, message)
            elif anchor.root != tree.root():
                message = f"the first {anchor.size} lines are not those that a checkpoint kept elsewhere speaks of"
                self._find(Kind.ANCHOR, self._directory.name, message)
            else:
                self._verdict.anchored = max(self._verdict.anchored, anchor.size)
        self._next_anchor = self._anchors[0].size if self._anchors else -1

    def _judge_anchors(self) -> None:
        for anchor in self._anchors:
            message = f"a checkpoint kept elsewhere speaks of {anchor.size} lines, and the log ends before"
            self._find(Kind.ANCHOR, self._directory.name, message)


def _hold(line: bytes, key: PublicKey, tree: Tree) -> Checkpoint:
    """A checkpoint's line, of the lines that this tree was made from. Raises NoteError."""
    checkpoint = verified(note_of(line), key, alone=True)
    if checkpoint.size != tree.size:
        less = checkpoint.size - tree.size
        what = f"{less} lines are missing" if less > 0 else f"{-less} lines were added"
        raise NoteError(f"{what} here: the checkpoint behind them counts {checkpoint.size}")
    if checkpoint.root != tree.root():
        raise NoteError("these lines are not those that the checkpoint behind them signs")
    return checkpoint


def _locate(path: Path, header: SegmentHeader, key: PublicKey) -> Finding:
    """The first checkpoint that does not hold, and the lines that it speaks of. Some checkpoint here does not."""
    tree, byte, begin, begin_line = header.tree, 0, 0, 1
    odd: tuple[int, int, int] | None = None
    seq = header.first_seq
    for number, line in enumerate(forwards(path), 1):
        end = byte + len(line) + 1
        if line[:14] == PREFIX:
            try:
                _hold(line, key, tree)
            except NoteError as error:
                if not _is_good(line, key):
                    return Finding(Kind.ALTERED, path.name, f"a checkpoint: {error}", number, number, byte, end)
                hint = f"; line {odd[0]}, bytes {odd[1]}-{odd[2]}, is the first that is odd" if odd else ""
                return Finding(Kind.ALTERED, path.name, f"{error}{hint}", begin_line, number - 1, begin, byte)
            begin, begin_line = end, number + 1
        elif number > 1:
            if odd is None and _seq(line) != seq:
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


def _is_by(note: str, key: PublicKey) -> bool:
    try:
        verified(note, key)
    except NoteError:
        return False
    return True


def _seq(line: bytes) -> int | None:
    try:
        seq = orjson.loads(line)["seq"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return seq if isinstance(seq, int) else None


def _body(line: bytes) -> dict[str, object]:
    try:
        body = orjson.loads(line)["body"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return {}
    return body if isinstance(body, dict) else {}
