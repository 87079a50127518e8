"""Which key signs which part of a writer's log: every segment has its own, vouched for by the one before.

A line of the file `keys` is `{"key":"<note>"}`. The note's text has four lines: `kubewitness.dev/segment-key/v1`, the
origin, the number of leaves before the segment, the public key. The installation's root key signs the first one, and
any later one whose predecessor was lost. Since a segment's private key is destroyed when the next one begins, who
steals the newest can sign nothing that was signed before.

No note of this kind can be taken for a checkpoint, nor the other way round: their first lines differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from recordings.audit.checkpoint import only
from recordings.audit.note import NoteError, PublicKey, Signer, opened, sign

KIND = "kubewitness.dev/segment-key/v1"
_TEXT = re.compile(rf"{re.escape(KIND)}\n([^\n]+)\n(0|[1-9][0-9]{{0,18}})\n([^\n]+)\n", re.ASCII)


@dataclass(frozen=True, slots=True)
class SegmentKey:
    """The key of the segment before which there are `size` leaves. `by_root`: vouched for by the root key."""

    size: int
    public: PublicKey
    by_root: bool

    @property
    def text(self) -> str:
        return f"{KIND}\n{self.public.name}\n{self.size}\n{self.public}\n"


def vouched(key: SegmentKey, signer: Signer) -> str:
    """The note. Raises NoteError, and what the signer raises."""
    return sign(key.text, signer)


def to_line(note: str) -> bytes:
    """The line of `keys`, its newline included."""
    return orjson.dumps({"key": note}, option=orjson.OPT_APPEND_NEWLINE)


def note_of(line: bytes) -> str:
    """Raises NoteError."""
    return only(line, "key")


def verified_chain(notes: Iterable[str], root: PublicKey) -> tuple[SegmentKey, ...]:
    """Every key, each vouched for by the one before or by the root. Raises NoteError, saying which one is not."""
    chain: list[SegmentKey] = []
    seen: set[bytes] = set()
    for number, note in enumerate(notes, 1):
        try:
            key = _verified(note, root, chain[-1] if chain else None)
            if key.public.key in seen:
                raise NoteError("it was there already")  # noqa: TRY301 - named like what `_verified` raises
        except NoteError as error:
            raise NoteError(f"key {number}: {error}") from error
        seen.add(key.public.key)
        chain.append(key)
    return tuple(chain)


def _verified(note: str, root: PublicKey, before: SegmentKey | None) -> SegmentKey:
    """1. signed by the key before, or by the root; 2. of this form; 3. same origin; 4. not before the key before."""
    text, by_root = _opened(note, root, before.public if before is not None else None)
    found = _TEXT.fullmatch(text)
    if found is None:
        raise NoteError("it is not a segment key's note")
    key = SegmentKey(int(found[2]), PublicKey.parse(found[3]), by_root)
    if key.public.name != found[1] or key.text != text:
        raise NoteError("its name is not the log's origin")
    if before is not None and (key.public.name != before.public.name or key.size < before.size):
        raise NoteError("it belongs to another log, or to a place before the key before")
    return key


def _opened(note: str, root: PublicKey, before: PublicKey | None) -> tuple[str, bool]:
    if before is None:
        return opened(note, root, alone=True), True
    try:
        return opened(note, before, alone=True), False
    except NoteError:
        return opened(note, root, alone=True), True
