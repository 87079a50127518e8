"""Checkpoints (C2SP tlog-checkpoint): a log's size and root, signed; and the line of a segment that holds one.

Text: origin, size, root in base64; no extension lines. Key name and origin are the same. In a segment a checkpoint is
a line `{"checkpoint":"<note>"}` that speaks of all lines before it; it is itself a leaf, so later ones speak of it.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass

import orjson

from recordings.audit.merkle import HASH_BYTES
from recordings.audit.note import NoteError, PublicKey, Signer, check_name, opened, parse, sign

PREFIX = b'{"checkpoint":'
"""How such a line begins; a record's begins otherwise."""
MAX_LINE_BYTES = 1024
"""Of such a line, its newline included: a note of a long origin; a segment keeps so much room for its last one."""
MAX_ORIGIN = 200
"""Characters: what keeps a line under its maximum."""
_TEXT = re.compile(r"([^\n]+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\n", re.ASCII)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log of this origin had so many leaves, with this root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


def check_origin(origin: str) -> None:
    """Raises NoteError."""
    check_name(origin)
    if len(origin) > MAX_ORIGIN or not origin.isascii():
        raise NoteError(f"a log's origin has at most {MAX_ORIGIN} ASCII characters: {origin[:80]!r}")


def signed(checkpoint: Checkpoint, signer: Signer) -> str:
    """The note. Raises NoteError, and what the signer raises."""
    return sign(checkpoint.text, signer)


def parse_text(text: str) -> Checkpoint:
    """Of a note's text. Raises NoteError."""
    found = _TEXT.fullmatch(text)
    if found is None:
        raise NoteError("a checkpoint is three lines: origin, size, root")
    checkpoint = Checkpoint(found[1], int(found[2]), b64decode(found[3]))
    if len(checkpoint.root) != HASH_BYTES or checkpoint.text != text:
        raise NoteError("a checkpoint's root is 32 bytes, in the base64 that an encoder writes")
    return checkpoint


def verified(note: str, key: PublicKey, *, alone: bool = False) -> Checkpoint:
    """Signed by this key, for the origin that is the key's name. Raises NoteError.

    `alone`: as it stands in a segment; one that was kept elsewhere may bear the signatures of witnesses.
    """
    checkpoint = parse_text(opened(note, key, alone=alone))
    if checkpoint.origin != key.name:
        raise NoteError(f"it speaks for {checkpoint.origin}, but is signed by {key.name}")
    return checkpoint


def unverified(note: str) -> Checkpoint:
    """What a note claims. Raises NoteError."""
    return parse_text(parse(note).unverified_text)


def to_line(note: str) -> bytes:
    """The segment's line, its newline included."""
    return orjson.dumps({"checkpoint": note}, option=orjson.OPT_APPEND_NEWLINE)


def note_of(line: bytes) -> str:
    """The note of such a line, without newline. Raises NoteError where we would not have written just these bytes."""
    return only(line, "checkpoint")


def only(line: bytes, key: str) -> str:
    """The text of a line `{key: text}`, which must be the bytes that we write for it. Raises NoteError."""
    try:
        found = orjson.loads(line)
        text = found[key] if isinstance(found, dict) else None
    except (orjson.JSONDecodeError, KeyError) as error:
        raise NoteError(f"the line is not a {key}'s") from error
    if not isinstance(text, str) or orjson.dumps({key: text}) != line:
        raise NoteError(f"the line is not as a {key}'s is written")
    return text
