"""Fuzz targets: the audit log and what proves it, as files that anybody may have changed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recordings.audit.anchors.cosignature import WitnessKey, witnessed_at
from recordings.audit.checkpoint import Checkpoint, note_of, parse_text, signed, to_line, unverified
from recordings.audit.cursor import CursorError
from recordings.audit.cursor import parse as parse_cursor
from recordings.audit.key_chain import SegmentKey, verified_chain, vouched
from recordings.audit.key_chain import note_of as key_note_of
from recordings.audit.key_chain import to_line as key_line
from recordings.audit.manifest import ManifestError, from_json
from recordings.audit.merkle import ProofError, Tree
from recordings.audit.note import Ed25519Signer, NoteError, PublicKey, opened, parse
from recordings.audit.proof import check_proof, parse_proof
from recordings.audit.question import moment
from recordings.audit.recovery import recover
from recordings.audit.row import harmless, is_harmless, row
from recordings.audit.segment_header import parse_header, signed_fields
from recordings.audit.stored import Sealed, SealedError
from recordings.audit.verify import verify
from recordings.errors import QuestionError

ROOT = Ed25519Signer.of("acme/audit-root", Ed25519PrivateKey.from_private_bytes(bytes(32)))
WRITER = Ed25519Signer.of("acme/audit/n1", Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32))
_PLACE = tempfile.TemporaryDirectory(prefix="kwit-fuzz-")


@cache
def small_log() -> tuple[bytes, bytes]:
    """(a segment of two records and a checkpoint, the file `keys`)."""
    tree = Tree()
    key = SegmentKey(0, WRITER.public, by_root=True)
    header = {"v": 1, "writer": "n1", "boot": "b", "first_seq": 1, "start": "", "time": "2026-11-23T00:00:00Z"}
    lines = [orjson.dumps({"header": header | signed_fields(WRITER.public.name, tree, WRITER.public)})]
    lines += [
        orjson.dumps({"v": 1, "seq": n, "id": f"{n}", "time": "2026-11-23T00:00:00Z", "type": "x", "outcome": "done"})
        for n in (1, 2)
    ]
    for line in lines:
        tree.add(line)
    lines.append(to_line(signed(Checkpoint(WRITER.public.name, tree.size, tree.root()), WRITER)).rstrip(b"\n"))
    return b"".join(line + b"\n" for line in lines), key_line(vouched(key, ROOT))


def segment(data: bytes) -> str:
    """A writer's last segment: a recovery cuts only its end, a second one finds nothing more to do, and a verifier
    that is shown what nobody signed finds something, or reads the very bytes that were signed.

    The first byte: 0, the bytes as they are; else a good segment in which they stand instead of what is there, from
    the place that the next two bytes say.
    """
    folder = Path(_PLACE.name) / "n1"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    good, keys = small_log()
    body = data[1:]
    if data[:1] != b"\0":
        at = int.from_bytes(data[1:3]) % (len(good) + 1)
        body = good[:at] + data[3:] + good[at + len(data[3:]) :]
    path = folder / "00000000000000000001.ndjson"
    path.write_bytes(body)
    (folder / "keys").write_bytes(keys)
    (verdict,) = verify(Path(_PLACE.name), ROOT.public)
    assert verdict.findings or body == good or not verdict.size
    found = recover(folder)
    left = path.read_bytes() if path.exists() else b""
    assert body.startswith(left)
    assert found.cut_bytes == len(body) - len(left)
    again = recover(folder)
    assert (again.last_seq, again.cut_bytes, again.open_intents) == (found.last_seq, 0, found.open_intents)
    kinds = sorted({str(one.kind) for one in verdict.findings})
    return f"{' '.join(kinds) or 'whole'}, {'cut' if found.cut_bytes else 'kept'}"


def note(data: bytes) -> str:
    """A signed note: what is read says itself again in the same bytes; nobody's text is opened as another's."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        read = parse(text)
    except NoteError as error:
        return _first(error)
    assert str(read) == text
    try:
        return f"opened: {len(opened(text, ROOT.public))}"
    except NoteError as error:
        return _first(error)


def checkpoint(data: bytes) -> str:
    """A checkpoint's text, and its line in a segment: one spelling for one meaning."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        read = parse_text(text)
        assert read.text == text
    except NoteError:
        pass
    try:
        note = note_of(data)
        assert to_line(note).rstrip(b"\n") == data
        return f"of {unverified(note).size}"
    except NoteError as error:
        return _first(error)


def key(data: bytes) -> str:
    """A public key as text."""
    found = []
    for kind in (PublicKey, WitnessKey):
        try:
            read = kind.parse(data.decode("utf-8", "surrogateescape"))
            assert str(read).encode() == data
            found.append("key")
        except NoteError as error:
            found.append(_first(error))
    return ", ".join(found)


def key_chain(data: bytes) -> str:
    """The lines of `keys`."""
    try:
        notes = [key_note_of(line) for line in data.split(b"\n") if line]
        return f"{len(verified_chain(notes, ROOT.public))} keys"
    except NoteError as error:
        return _first(error)


def witness(data: bytes) -> str:
    """A note with cosignatures."""
    try:
        return str(witnessed_at(data.decode("utf-8", "surrogateescape"), WitnessKey("w", ROOT.public.key)))
    except NoteError as error:
        return _first(error)


def proof(data: bytes) -> str:
    """A proof's file: parsed or refused, and what is parsed proves something or is refused."""
    try:
        read = parse_proof(data)
        again = parse_proof(read.as_json())
        assert again == read
        return f"{len(check_proof(read, ROOT.public))} proven"
    except ProofError as error:
        return str(error)[:100].encode("ascii", "backslashreplace").decode()


def segment_header(data: bytes) -> str:
    """A segment's first line."""
    try:
        return f"from {parse_header(data).first_seq}"
    except NoteError as error:
        return _first(error)


def manifest(data: bytes) -> str:
    """What a sealed segment says beside itself."""
    try:
        read = from_json(data)
    except ManifestError as error:
        return _first(error)
    assert from_json(read.to_json()) == read
    return f"{read.records} records"


def sealed_segment(data: bytes) -> str:
    """A sealed segment's file: bounded memory whatever its table says."""
    path = Path(_PLACE.name) / "sealed"
    path.write_bytes(data)
    try:
        with Sealed(path) as stored:
            size, at = stored.size, 0
            while piece := stored.read(at, 1 << 16):
                at += len(piece)
            assert at == size
    except SealedError as error:
        return str(error.strerror)[:80]
    return f"{size} bytes"


def cursor(data: bytes) -> str:
    """An exporter's place."""
    try:
        return f"{len(parse_cursor(data))} places"
    except CursorError as error:
        return _first(error)


def time_asked(data: bytes) -> str:
    """`2h`, a date, a time."""
    try:
        found = moment(data.decode("utf-8", "replace"), 1_800_000_000.0)
    except QuestionError as error:
        return "refused" if error.args else ""
    assert isinstance(found, float | int)
    return str(int(found))


def shown_row(data: bytes) -> str:
    """A record as a row of a table: whatever is in it commands no terminal."""
    assert is_harmless(harmless(data.decode("utf-8", "surrogateescape")))
    try:
        record = orjson.loads(data)
    except orjson.JSONDecodeError:
        return "no JSON"
    if not isinstance(record, dict):
        return "no record"
    cells = row(record)
    assert all(is_harmless(cell) for cell in cells.values())
    return f"{len(cells)} cells"


def _first(error: Exception) -> str:
    return str(error).split(":")[0][:60].encode("ascii", "backslashreplace").decode()


TARGETS: dict[str, Callable[[bytes], str]] = {
    "segment": segment,
    "note": note,
    "checkpoint": checkpoint,
    "key": key,
    "key-chain": key_chain,
    "witness": witness,
    "proof": proof,
    "segment-header": segment_header,
    "manifest": manifest,
    "sealed-segment": sealed_segment,
    "cursor": cursor,
    "time-asked": time_asked,
    "shown-row": shown_row,
}
