"""Whether a log is what was written: offline, with nothing but its files and the installation's public root key.

For each writer, in this order:
 1. `keys`: each segment's key is vouched for by the one before, the first by the root;
 2. each segment's header: its key is in the chain, at this very place, and its tree goes on from what was read before;
 3. each segment's last checkpoint: signed by the segment's key, of the size and root of the lines that were read.
    Earlier checkpoints are leaves of that tree, so they need no check of their own; where the last one does not hold,
    all are checked in order, and the lines before the first that fails are named;
 4. every key of the chain has its segment; 5. checkpoints that were kept elsewhere are in the tree.
Then for all together: 6. what is missing was removed as a signed record of some writer says; 7. no two writers have
one origin; 8. every checkpoint that was kept elsewhere has its log.

A segment that fails does not end it: the next one's header says from which tree to go on.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from recordings.audit.checkpoint import note_of, unverified
from recordings.audit.kept_checkpoints import KeptCheckpoints
from recordings.audit.key_chain import SegmentKey
from recordings.audit.keys_file import KEYS, read_chain
from recordings.audit.merkle import Tree
from recordings.audit.note import NoteError, PublicKey
from recordings.audit.record import RecordType
from recordings.audit.segment_header import SegmentHeader, parse_header
from recordings.audit.segment_scan import Progress, SegmentScan, first_fault, holds
from recordings.audit.segments import backwards, forwards, length, segment_number, segments, writers
from recordings.audit.stored import SealedError
from recordings.audit.tombstone import Stretch, stretches
from recordings.audit.verdict import Finding, Kind, Verdict

FIRST_RECORD = 2
"""The line behind a segment's header: where a start says what it put in order."""

_LEFT = {Kind.ADDED: "half a line, which is no part of the log", Kind.UNSIGNED: "no whole line"}
"""What a segment that was given up may end in, or be."""

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
    """A verdict on each writer below `root`. `anchors`: checkpoints that were kept elsewhere. Raises OSError.

    NoteError for an anchor that is no checkpoint.
    """
    claimed = [_origin_of(note) for note in anchors]
    judged = [_Writer(path, key, anchors, progress, patience) for path in signed_writers(root)]
    for one in judged:
        one.judge()
    standing = {stretch for one in judged for stretch in one.standing}
    for one in judged:
        one.excuse(standing)
    found = [one.verdict for one in judged]
    _judge_origins(found, claimed)
    return found


def signed_writers(root: Path) -> list[Path]:
    """Directories that hold a log, or what is left of one. Raises OSError."""
    if (root / KEYS).exists():
        return [root]
    return [path for path in writers(root) if (path / KEYS).exists() or segments(path)]


def total_bytes(root: Path) -> int:
    """Of what `verify` will read; what cannot be read counts nothing. Raises OSError."""
    return sum(_length(path) for writer in signed_writers(root) for path in segments(writer))


def _length(path: Path) -> int:
    try:
        return length(path)
    except SealedError:
        return 0


def _origin_of(note: str) -> str:
    try:
        return unverified(note).origin
    except NoteError as error:
        raise NoteError(f"a checkpoint that was kept elsewhere is none: {error}") from error


def _judge_origins(found: list[Verdict], claimed: Iterable[str]) -> None:
    origins: dict[str, Verdict] = {}
    for verdict in found:
        first = origins.setdefault(verdict.origin, verdict)
        if first is not verdict and verdict.origin:
            message = f"{first.directory} holds a log of the same origin, {verdict.origin}"
            verdict.findings.append(Finding(Kind.ADDED, verdict.directory, message))
    for origin in claimed:
        if origin not in origins:
            lost = Verdict("", origin)
            lost.findings.append(Finding(Kind.MISSING, origin, "a checkpoint speaks of this log, and it is not here"))
            origins[origin] = lost
            found.append(lost)


@dataclass(slots=True)
class _Gap:
    """Lines `start` to `end` are not here, after which the tree has this root; at the log's end, nobody knows that."""

    start: int
    end: int
    root: str
    findings: list[Finding] = field(default_factory=list)
    behind: str = ""
    last_seq: int = 0
    """The segment that it is behind, and the last record there."""
    given_up: str = ""
    """Why the log gave up that segment, where it says that it was never sure of the records behind `last_seq`."""


class _Writer:
    """`judge`, then `excuse` once all writers were judged; then `verdict` is what it is."""

    def __init__(
        self, directory: Path, key: PublicKey, anchors: Sequence[str], progress: Progress, patience: Patience
    ) -> None:
        self.verdict = Verdict(directory.name)
        self.standing: list[Stretch] = []
        """What signed records of this writer say is gone, of any writer."""
        self._directory, self._key, self._notes = directory, key, anchors
        self._progress, self._patience = progress, patience
        self._chain: tuple[SegmentKey, ...] = ()
        self._used: set[int] = set()
        self._damaged: set[int] = set()
        self._tree: Tree | None = Tree()
        self._tail: Finding | None = None
        self._torn: dict[str, Finding] = {}
        self._gaps: list[_Gap] = []
        self._before: Path | None = None
        self._heard: list[tuple[Path, int, Mapping[str, Any]]] = []
        """What lines say that a later checkpoint has yet to sign."""
        self._kept = KeptCheckpoints((), "", ())

    def judge(self) -> None:
        paths = self._read_keys()
        for index, path in enumerate(paths):
            self._segment(path, paths[index + 1] if index + 1 < len(paths) else None)
        self.verdict.findings += self._torn.values()
        self._judge_unused_keys(paths)
        self._judge_kept()

    def excuse(self, standing: set[Stretch]) -> None:
        """What is missing is in order where it was removed as the log says, or else it is found."""
        for gap in self._gaps:
            lines = f"lines {gap.start + 1}-{gap.end} of the log"
            if gap.given_up:
                self.verdict.notices.append(
                    f"{gap.behind}: {lines} never got to the disk, and nobody was told that they had; the segment was "
                    f"given up: {gap.given_up}"
                )
            elif self._is_excused(gap, standing):
                self.verdict.removed += gap.end - gap.start
                self.verdict.notices.append(f"{lines} were removed, as a record of log.removed says")
            else:
                self.verdict.findings += gap.findings

    def _is_excused(self, gap: _Gap, standing: set[Stretch]) -> bool:
        """All of it must be gone by the log's own word; a removal that a crash cut off left some of it here."""
        for one in standing:
            if one.origin == self.verdict.origin and one.start <= gap.start < gap.end <= one.end:
                if not gap.root:
                    gap.end = one.end
                    return True
                if gap.end < one.end or gap.root == one.root:
                    return True
        return False

    def _find(self, kind: Kind, file: str, message: str, *where: int) -> None:
        self.verdict.findings.append(Finding(kind, file, message, *where))

    # -- keys

    def _read_keys(self) -> list[Path]:
        """The segments are listed before the keys are read, and once more where a newer one has begun meanwhile."""
        paths = segments(self._directory)
        self._chain, failed = read_chain(self._directory, self._key)
        if failed is not None:
            self._find(Kind.KEYS, KEYS, str(failed))
        if self._chain:
            self.verdict.origin = self._chain[-1].public.name
        self.verdict.notices += [
            f"{KEYS}: key {number} (from line {key.size} of the log) was vouched for by the root key: the one before "
            "was lost"
            for number, key in enumerate(self._chain, 1)
            if key.by_root and number > 1
        ]
        self._kept = KeptCheckpoints(self._notes, self.verdict.origin, self._chain)
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
            finding = Finding(Kind.MISSING, self._directory.name if not paths else KEYS, message)
            self._gap_at(key.size).findings.append(finding)

    def _gap_at(self, size: int) -> _Gap:
        """The gap that begins at or before this line; behind all that was read there is one without an end."""
        for gap in self._gaps:
            if gap.start <= size < gap.end or (not gap.root and gap.start <= size):
                gap.end = max(gap.end, size + 1)
                return gap
        start = self._tree.size if self._tree is not None else size
        self._gaps.append(_Gap(start, size + 1, ""))
        return self._gaps[-1]

    # -- segments

    def _segment(self, path: Path, following: Path | None) -> None:
        self.verdict.segments += 1
        try:
            self._judge_segment(path, following)
        except SealedError as error:
            self._find(Kind.ALTERED, path.name, f"it cannot be read: {error.strerror}")
            self._give_up()

    def _give_up(self) -> None:
        """The key that would come next belongs to a segment that is there, but damaged."""
        self._damaged.add(max(self._used | self._damaged, default=-1) + 1)
        self._tree = None

    def _judge_segment(self, path: Path, following: Path | None) -> None:
        """Raises SealedError."""
        first = next(forwards(path), None)
        if first is None:
            self._empty(path, following)
            return
        try:
            header = parse_header(first)
            key = self._judge_header(path, header)
        except NoteError as error:
            self._find(Kind.ALTERED, path.name, str(error), 1, 1, 0, len(first) + 1)
            self._give_up()
            self._skip(path)
            return
        self._go_on(path, header, len(first) + 1)
        self._before = path
        scan = self._scan(path, header, is_last=following is None)
        if not self._judge_lines(path, header, key, scan):
            self._tree = None
            return
        self._judge_end(path, scan, is_last=following is None)

    def _empty(self, path: Path, following: Path | None) -> None:
        """A start that a crash cut off before its first line; the next start took the same number."""
        self._before = path
        number = segment_number(path.name)
        after = segment_number(following.name) if following is not None else None
        size = length(path)
        if number is not None and after is not None and number[0] == after[0]:
            self.verdict.notices.append(f"{path.name}: a start that got no further than {size} bytes")
        elif following is not None or size:
            self._torn[path.name] = Finding(Kind.UNSIGNED, path.name, "it has no whole line", 1, 1, 0, size)

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
        if tree is not None and (tree.size, tree.frontier) == (header.size, header.frontier):
            return
        self._heard.clear()
        if tree is None:
            return
        if tree.size < header.size:
            message = f"{header.size - tree.size} lines of the log are missing before this segment"
            missing = Finding(Kind.MISSING, path.name, message, 1, 1, 0, end)
            gap = _Gap(tree.size, header.size, b64encode(header.tree.root()).decode(), [missing])
            if self._before is not None:
                gap.behind, gap.last_seq = self._before.name, _last_seq(self._before)
            self._gaps.append(gap)
        elif tail is not None:
            extra = f" ({tree.size - header.size} lines too many)" if tree.size > header.size else ""
            message = (
                f"these lines, behind the last checkpoint, are not those that the next segment goes on from{extra}"
            )
            self.verdict.findings.append(
                Finding(
                    Kind.ALTERED, tail.file, message, tail.first_line, tail.last_line, tail.first_byte, tail.end_byte
                )
            )
        else:
            message = "the header does not go on from the segment before"
            self._find(Kind.ALTERED, path.name, message, 1, 1, 0, end)

    def _scan(self, path: Path, header: SegmentHeader, *, is_last: bool) -> SegmentScan:
        """Raises SealedError."""
        scan = SegmentScan(header.tree)
        scan.read(path, self._kept.compare, self._progress)
        while is_last and (scan.last_line != scan.line or length(path) != scan.byte) and self._patience():
            scan.read(path, self._kept.compare, self._progress)
        self._kept.compare(scan.tree)
        self.verdict.lines += scan.line
        self.verdict.bytes += scan.byte
        self.verdict.records += scan.records
        return scan

    def _judge_lines(self, path: Path, header: SegmentHeader, key: PublicKey, scan: SegmentScan) -> bool:
        """Whether the last checkpoint holds; if not, where the first one fails is found."""
        if scan.last_tree is None:
            self._heard += [(path, *one) for one in scan.told]
            return True
        try:
            checkpoint = holds(scan.last, key, scan.last_tree)
        except NoteError:
            self.verdict.findings.append(first_fault(path, header, key))
            return False
        self.verdict.size, self.verdict.root = checkpoint.size, b64encode(checkpoint.root).decode()
        self.verdict.checkpoint = note_of(scan.last)
        self._heard += [(path, number, record) for number, record in scan.told if number < scan.last_line]
        for one in self._heard:
            self._listen(*one)
        self._heard = [(path, number, record) for number, record in scan.told if number > scan.last_line]
        return True

    def _listen(self, path: Path, number: int, record: Mapping[str, Any]) -> None:
        """What a signed record says of the log's files."""
        body = record.get("body")
        if not isinstance(body, Mapping):
            return
        if record["type"] == RecordType.LOG_SUSPECT:
            self._forgive(body)
        elif record["type"] == RecordType.LOG_REMOVED:
            self.standing += stretches(record)
        elif number == FIRST_RECORD:
            self._tell(path, body)

    def _judge_end(self, path: Path, scan: SegmentScan, *, is_last: bool) -> None:
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

    def _forgive(self, body: Mapping[str, Any]) -> None:
        """`log.suspect`: the segment was given up after an error.

        It may end in the middle of a line, and lack the lines that were never confirmed to be on the disk.
        """
        for gap in self._gaps:
            unsure = body.get("from_seq")  # None: all records that were there were safe
            if gap.behind == body.get("segment") and (unsure is None or _is_upto(unsure, gap.last_seq + 1)):
                gap.given_up = str(body.get("cause"))
        torn = self._torn.pop(str(body.get("segment")), None)
        if torn is not None:
            self.verdict.notices.append(
                f"{torn.place}: {_LEFT[torn.kind]}; the segment was given up: {body.get('cause')}"
            )

    def _tell(self, path: Path, body: Mapping[str, Any]) -> None:
        """`log.recovered`: what a start found and did."""
        facts = {
            "cut_bytes": "bytes of an unfinished line were cut",
            "damaged_lines": "lines could not be read",
            "unsigned_lines": "lines that nobody had signed were taken over",
        }
        said = [f"{body[name]} {meaning}" for name, meaning in facts.items() if body.get(name)]
        if body.get("segment_missing"):
            said.append("the newest segment was not there")
        self.verdict.notices.append(f"{path.name}: this start put {body.get('segment')} in order: {', '.join(said)}")

    def _skip(self, path: Path) -> None:
        for line in forwards(path):
            self.verdict.lines += 1
            self.verdict.bytes += len(line) + 1
        self._progress(length(path))

    # -- checkpoints that were kept elsewhere

    def _judge_kept(self) -> None:
        kept, here = self._kept, self._directory.name
        self.verdict.anchored = kept.anchored
        for size in kept.forged:
            message = f"a checkpoint of {size} lines, kept elsewhere, is signed by no key of this log"
            if size > self.verdict.size:
                message += f"; the log ends at line {self.verdict.size}: the key may be gone with the newest lines"
            self._find(Kind.ANCHOR, KEYS, message)
        for size in kept.absent:
            message = f"a checkpoint of {size} lines, kept elsewhere, cannot be compared: they are not here"
            gap = next((one for one in self._gaps if one.start < size < one.end), None)
            found = gap.findings if gap is not None else self.verdict.findings
            found.append(Finding(Kind.ANCHOR, here, message))
        for size in kept.wrong:
            message = f"the first {size} lines are not those that a checkpoint kept elsewhere speaks of"
            self._find(Kind.ANCHOR, here, message)
        for size in kept.beyond():
            message = f"a checkpoint kept elsewhere speaks of {size} lines, and the log ends before"
            tail = next((one for one in self._gaps if not one.root), None)
            (tail.findings if tail is not None else self.verdict.findings).append(Finding(Kind.ANCHOR, here, message))


def _is_upto(given: object, limit: int) -> bool:
    return type(given) is int and given <= limit


def _last_seq(path: Path) -> int:
    """Of a segment's last record; where it has none, the one before its first."""
    for line in backwards(path):
        try:
            seq = orjson.loads(line)["seq"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            continue
        if type(seq) is int:
            return seq
    return (segment_number(path.name) or (0, 0))[0] - 1
