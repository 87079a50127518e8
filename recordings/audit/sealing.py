"""Sealing: a segment that grows no more becomes a small file of the same bytes, and a manifest.

In this order, so that a crash or a power cut leaves the whole segment in one form at least (`security.md` F4):
 1. the sealed file is written under a name that nobody reads, and is on the disk;
 2. it is read back, and gives the plain file's bytes;
 3. it gets its name, the manifest too, and the names are on the disk;
 4. only then the plain file goes.
A run that was cut off is simply done again.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

from recordings.audit.manifest import Manifest, Summary, manifest_path
from recordings.audit.new_file import sync_directory
from recordings.audit.note import NoteError
from recordings.audit.placing import finish, make, place, temporary, write
from recordings.audit.segment_header import SegmentHeader, parse_header
from recordings.audit.segments import forwards, is_sealed, segment_number, segments
from recordings.audit.stored import FRAME_BYTES, Packer, Sealed, SealedError, open_stored, sealed_path

SETTLE_SECONDS = 60.0
"""A segment is left alone so long after its last byte: its writer still syncs it under its name within a second, and
on a disk that hangs for longer it has given it up by then."""


def ready(directory: Path, now: float) -> list[tuple[Path, Path]]:
    """A writer's plain segments that have a successor, each with it. Raises OSError.

    The newest is never ready: its writer, or the next start, may write to it.
    """
    return [
        (path, following)
        for path, following in pairwise(segments(directory))
        if not is_sealed(path) and now - path.stat().st_mtime >= SETTLE_SECONDS
    ]


def seal(path: Path, following: Path) -> Manifest:
    """Replace the plain segment by its sealed form. Raises OSError, SealedError; the plain one is then still there."""
    target, before = sealed_path(path), path.stat()
    summary = _packed(path, temporary(target))
    _read_back(temporary(target), summary)
    after = path.stat()
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns) or summary.length != after.st_size:
        raise SealedError(path, "it was written to while it was sealed")
    manifest = manifest_for(path, summary, following)
    place(target)
    write(manifest_path(path), manifest.to_json())
    path.unlink()
    sync_directory(path.parent)
    return manifest


def manifest_for(path: Path, summary: Summary, following: Path) -> Manifest:
    """Raises OSError."""
    number = segment_number(path.name)
    assert number is not None
    plain_name = path.name.removesuffix(".zst")
    return summary.manifest(path.parent.name, plain_name, number[0], _header(following))


def _packed(path: Path, target: Path) -> Summary:
    summary, packer = Summary(), Packer()
    with make(target) as file:
        for block in blocks(path):
            summary.add(block)
            file.write(packer.add(block))
        file.write(packer.end())
        finish(file)
    return summary


def blocks(path: Path) -> Iterator[bytes]:
    """A segment in pieces of a frame's length at most. Raises OSError."""
    with open_stored(path) as stored:
        at = 0
        while block := stored.read(at, FRAME_BYTES):
            at += len(block)
            yield block


def _read_back(path: Path, summary: Summary) -> None:
    """Raises SealedError."""
    digest, at = sha256(), 0
    with Sealed(path) as stored:
        while block := stored.read(at, FRAME_BYTES):
            digest.update(block)
            at += len(block)
    if digest.hexdigest() != summary.sha256:
        raise SealedError(path, "what was written cannot be read back")


def _header(path: Path) -> SegmentHeader | None:
    try:
        return parse_header(next(forwards(path), b""))
    except NoteError:
        return None
