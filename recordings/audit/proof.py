"""A proof that records are in the log: one small JSON file that anybody can check with the root key alone.

`{"format", "keys": [note, …], "proofs": [{"record", "index", "path": [base64, …], "checkpoint"}, …]}`. What each part
means and how to check it without this program is in recordings/audit/FORMAT.md.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from recordings.audit.checkpoint import Checkpoint, unverified, verified
from recordings.audit.key_chain import SegmentKey, verified_chain
from recordings.audit.merkle import ProofError, check_inclusion, leaf_hash
from recordings.audit.note import NoteError, PublicKey

FORMAT = "kubewitness.dev/audit-proof/v1"
MAX_BYTES = 64 * 1024 * 1024
"""Of a proof's file: a few records of at most 1 MiB, and 400 bytes for each segment that there ever was."""


@dataclass(frozen=True, slots=True)
class ProvenRecord:
    """One stored line (without newline), its number among the log's lines from 0, and the way to a checkpoint."""

    record: bytes
    index: int
    path: tuple[bytes, ...]
    checkpoint: str


@dataclass(frozen=True, slots=True)
class Proof:
    """Of some records of one log. `keys`: the notes that lead from the root key to the checkpoints' keys."""

    keys: tuple[str, ...]
    records: tuple[ProvenRecord, ...]

    def as_json(self) -> bytes:
        """The file. Raises ProofError for a record that is no UTF-8, which nothing that we write is."""
        try:
            proofs = [
                {
                    "record": one.record.decode(),
                    "index": one.index,
                    "path": [b64encode(node).decode() for node in one.path],
                    "checkpoint": one.checkpoint,
                }
                for one in self.records
            ]
        except UnicodeDecodeError as error:
            raise ProofError("the record's line is damaged: it is no UTF-8") from error
        return orjson.dumps(
            {"format": FORMAT, "keys": self.keys, "proofs": proofs},
            option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
        )


def parse_proof(data: bytes) -> Proof:
    """Raises ProofError."""
    if len(data) > MAX_BYTES:
        raise ProofError(f"a proof has at most {MAX_BYTES} bytes")
    try:
        read = orjson.loads(data)
        if read["format"] != FORMAT:
            raise ProofError(f"it is not of the format {FORMAT}")
        keys = tuple(_typed(str, one) for one in _typed(list, read["keys"]))
        return Proof(keys, tuple(_record(one) for one in _typed(list, read["proofs"])))
    except (orjson.JSONDecodeError, KeyError, TypeError, binascii.Error, ValueError) as error:
        raise ProofError("it is not a proof: a member is missing or of another type") from error


def check_proof(proof: Proof, root: PublicKey) -> list[Checkpoint]:
    """That each record is in the log; gives the checkpoints that speak for them. Raises ProofError.

    1. The keys lead from the root key, each vouched for by the one before; 2. each checkpoint is signed by the key in
    whose part of the log it stands; 3. the record stands in that part, too: who steals the newest key can sign a tree
    with other lines before, and must prove nothing of them by it; 4. each record is the leaf of this number in the
    checkpoint's tree.
    """
    if not proof.records:
        raise ProofError("it proves nothing: there is no record in it")
    try:
        chain = verified_chain(proof.keys, root)
    except NoteError as error:
        raise ProofError(f"its keys do not lead from the root key {root.name}+{root.id.hex()}: {error}") from error
    found = []
    for number, one in enumerate(proof.records, 1):
        try:
            key = _key_at(chain, unverified(one.checkpoint).size)
            checkpoint = verified(one.checkpoint, key.public)
            if one.index < key.size:
                raise NoteError(f"it is signed with a key that is good from line {key.size + 1} on only")  # noqa: TRY301
        except NoteError as error:
            raise ProofError(f"record {number}: its checkpoint: {error}") from error
        try:
            check_inclusion(leaf_hash(one.record), one.index, checkpoint.size, one.path, checkpoint.root)
        except ProofError as error:
            raise ProofError(f"record {number}: {error}") from error
        found.append(checkpoint)
    return found


def _key_at(chain: Sequence[SegmentKey], size: int) -> SegmentKey:
    """Of the segment in which a checkpoint of this size stands. Raises NoteError."""
    before = [key for key in chain if key.size < size]
    if not before:
        raise NoteError(f"no key is good for a log of {size} lines")
    return before[-1]


def _record(read: Any) -> ProvenRecord:
    record: Mapping[str, Any] = _typed(dict, read)
    path = tuple(b64decode(_typed(str, node), validate=True) for node in _typed(list, record["path"]))
    line, checkpoint = _typed(str, record["record"]), _typed(str, record["checkpoint"])
    return ProvenRecord(line.encode(), _typed(int, record["index"]), path, checkpoint)


def _typed(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise TypeError(kind)
    return value
