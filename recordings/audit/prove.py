"""Making a proof from a log's files: only the segment that holds the record is read twice."""

from __future__ import annotations

from pathlib import Path

from recordings.audit.checkpoint import PREFIX, note_of, verified
from recordings.audit.encode import decode
from recordings.audit.key_chain import note_of as key_note_of
from recordings.audit.keys_file import KEYS
from recordings.audit.merkle import ProofError, Stretch, check_inclusion, leaf_hash
from recordings.audit.note import NoteError
from recordings.audit.proof import Proof, ProvenRecord
from recordings.audit.question import ids
from recordings.audit.segment_header import SegmentHeader, parse_header
from recordings.audit.segments import forwards, segments
from recordings.audit.verify import signed_writers


def prove(root: Path, wanted: str) -> Proof:
    """Of all records of one id, a request's or a record's own. Raises ProofError, saying why not; OSError.

    What it makes holds by the segment's own key; that this key is the installation's is for `check_proof`.
    """
    found: list[tuple[Path, list[ProvenRecord], SegmentHeader]] = []
    for writer in signed_writers(root):
        for path in segments(writer):
            lines = _lines_of(path, wanted)
            if lines:
                found.append((writer, *_proven(path, lines)))
    if not found:
        raise ProofError(f"no record has the id {wanted[:80]!r}; `kwit audit search -o name` lists ids")
    if len({writer for writer, _, _ in found}) > 1:
        raise ProofError("several writers have records of this id; name the directory of one with --dir")
    records = [one for _, proven, _ in found for one in proven]
    return Proof(_keys_to(found[0][0], found[-1][2]), tuple(records))


def _lines_of(path: Path, wanted: str) -> list[int]:
    """Which lines, from 0, are records of this id."""
    needle = wanted.encode("utf-8", "surrogatepass")
    return (
        [number for number, line in enumerate(forwards(path)) if needle in line and wanted in ids(_record(line))]
        if needle
        else []
    )


def _record(line: bytes) -> dict[str, object]:
    try:
        return decode(line)
    except ValueError:
        return {}


def _proven(path: Path, wanted: list[int]) -> tuple[list[ProvenRecord], SegmentHeader]:
    """By the first checkpoint behind the last of them: the tree over what is before it needs nothing behind it."""
    leaves: list[bytes] = []
    records: dict[int, bytes] = {}
    note = ""
    try:
        header = parse_header(next(forwards(path), b""))
        for number, line in enumerate(forwards(path)):
            if number > wanted[-1] and line.startswith(PREFIX):
                note = note_of(line)
                break
            if number in wanted:
                records[number] = line
            leaves.append(leaf_hash(line))
        if not note:
            raise ProofError(f"{path.name}: no checkpoint speaks of the record yet; it is written within a second")
        checkpoint = verified(note, header.key)
        stretch = Stretch(header.tree, leaves)
        proven = [
            ProvenRecord(line, header.size + number, stretch.inclusion(header.size + number, checkpoint.size), note)
            for number, line in records.items()
        ]
        for one in proven:
            check_inclusion(leaf_hash(one.record), one.index, checkpoint.size, one.path, checkpoint.root)
    except NoteError as error:
        raise ProofError(f"{path.name} does not verify ({error}); see `kwit audit verify`") from error
    return proven, header


def _keys_to(writer: Path, header: SegmentHeader) -> tuple[str, ...]:
    """The notes of `keys` up to that of the segment. Raises ProofError."""
    notes: list[str] = []
    text = f"\n{header.key}\n"
    for line in forwards(writer / KEYS) if (writer / KEYS).exists() else ():
        try:
            notes.append(key_note_of(line))
        except NoteError as error:
            raise ProofError(f"{KEYS} does not verify ({error}); see `kwit audit verify`") from error
        if text in notes[-1]:
            return tuple(notes)
    raise ProofError(f"{KEYS} has no key for the segment of this record; see `kwit audit verify`")
