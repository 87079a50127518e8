"""A witness: keeps each log's newest checkpoint, and signs a newer one only where it goes on from that.

C2SP tlog-witness, `add-checkpoint`: the body is `old <size>`, the consistency proof from that size (base64, a line for
each hash), an empty line, and the checkpoint's note. So a log that was cut or written anew gets no signature, and what
the witness keeps shows it. In this order:
 1. the body has this form, and at most `MAX_PATH` hashes: else 400;
 2. the log's key is known: else 404; the note is signed by it, for an origin that is this key's to sign for: else 403;
 3. the old size is at most the new one: else 400; it is that of the checkpoint kept: else 409 with that size;
 4. the proof holds: else 422; 5. the checkpoint is kept, on the disk; 6. it is signed.
"""

from __future__ import annotations

import binascii
import re
import threading
from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recordings.audit.anchors.anchor import file_stem
from recordings.audit.anchors.cosignature import cosigned
from recordings.audit.checkpoint import Checkpoint, parse_text
from recordings.audit.merkle import EMPTY_ROOT, MAX_PATH, ProofError, check_consistency
from recordings.audit.new_file import replace
from recordings.audit.note import MAX_NOTE_BYTES, NoteError, PublicKey, opened, parse

MAX_BODY_BYTES = MAX_NOTE_BYTES + 64 * 48
"""A note, and a proof of 64 hashes."""
SUFFIX = ".checkpoint"
SIZE_TYPE = "text/x.tlog.size"
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_FORM = "expected: old SIZE, a consistency proof, an empty line, a checkpoint"


@dataclass(frozen=True, slots=True)
class Reply:
    """Of HTTP. `cosignature`, where it was given, is the body."""

    status: int
    body: str
    content_type: str = "text/plain; charset=utf-8"


class _RefusedError(Exception):
    def __init__(self, status: int, said: str, content_type: str = "text/plain; charset=utf-8") -> None:
        super().__init__(said)
        self.reply = Reply(status, f"{said}\n", content_type)


class Witness:
    """In `directory`, a file for each log. One process has it; threads may share it."""

    def __init__(self, directory: Path, name: str, private: Ed25519PrivateKey, logs: Iterable[PublicKey]) -> None:
        """`logs`: root keys of installations, each good for the origins that begin with the key's first part."""
        self._directory, self._name, self._private = directory, name, private
        self._logs = tuple(logs)
        self._lock = threading.Lock()

    def add_checkpoint(self, body: bytes, now: float) -> Reply:
        """Raises OSError where it cannot be kept, and then nothing is signed."""
        try:
            old, proof, note = _parsed(body)
            text, claimed = self._opened(note)
            with self._lock:
                self._go_on(old, proof, claimed)
                self._keep(claimed.origin, note)
            return Reply(200, str(cosigned(text, self._name, self._private, int(now))))
        except _RefusedError as refusal:
            return refusal.reply

    def _opened(self, note: str) -> tuple[str, Checkpoint]:
        """2. whose it is."""
        try:
            signers = {(one.name, one.id) for one in parse(note).signatures}
            mine = [key for key in self._logs if (key.name, key.id) in signers]
            if not mine:
                raise _RefusedError(404, "no key of this log is known here")
            text = opened(note, mine[0])
            claimed = parse_text(text)
        except NoteError as error:
            raise _RefusedError(403, str(error)) from error
        if claimed.origin.partition("/")[0] != mine[0].name.partition("/")[0]:
            raise _RefusedError(403, f"{mine[0].name} does not sign for {claimed.origin}")
        return text, claimed

    def _go_on(self, old: int, proof: list[bytes], claimed: Checkpoint) -> None:
        """3. and 4."""
        if old > claimed.size:
            raise _RefusedError(400, "the old size is above the new one")
        kept = self._kept(claimed.origin)
        if old != kept.size:
            raise _RefusedError(409, str(kept.size), SIZE_TYPE)
        if old == claimed.size and kept.root != claimed.root:
            raise _RefusedError(409, str(kept.size), SIZE_TYPE)  # as the specification has it
        try:
            check_consistency(old, claimed.size, proof, kept.root, claimed.root)
        except ProofError as error:
            raise _RefusedError(422, str(error)) from error

    def _kept(self, origin: str) -> Checkpoint:
        """Raises OSError; what is damaged must not be taken for a log that nobody has seen."""
        try:
            note = self._path(origin).read_text(encoding="utf-8")
        except FileNotFoundError:
            return Checkpoint(origin, 0, EMPTY_ROOT)
        try:
            return parse_text(parse(note).unverified_text)
        except NoteError as error:
            raise OSError(5, f"{self._path(origin)} is damaged ({error})") from error

    def _keep(self, origin: str, note: str) -> None:
        replace(self._path(origin), note.encode())

    def _path(self, origin: str) -> Path:
        return self._directory / f"{file_stem(origin)}{SUFFIX}"


def _parsed(body: bytes) -> tuple[int, list[bytes], str]:
    """1. its form."""
    try:
        head, divider, note = body.decode().partition("\n\n")
        first, *hashes = head.split("\n")
        word, _, size = first.partition(" ")
        proof = [b64decode(one, validate=True) for one in hashes]
    except (ValueError, binascii.Error) as error:
        raise _RefusedError(400, _FORM) from error
    if not divider or word != "old" or _SIZE.fullmatch(size) is None:
        raise _RefusedError(400, _FORM)
    if len(body) > MAX_BODY_BYTES or len(hashes) > MAX_PATH:
        raise _RefusedError(400, _FORM)
    return int(size), proof, note


def request_body(old: int, proof: Iterable[str], note: str) -> bytes:
    """What `add_checkpoint` takes. `proof`: hashes in base64."""
    return f"old {old}\n{''.join(f'{one}{chr(10)}' for one in proof)}\n{note}".encode()
