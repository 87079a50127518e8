"""Recordings that a crash interrupted: found by the mark that stands while one is made, and sealed at the next start.

A mark is an empty file `open/<writer>/<id>` beside the recordings. What a crash tore is cut; every whole chunk stays.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from recordings.audit.new_file import sync_directory
from recordings.recorder.chunks import moments, span
from recordings.recorder.directory import RecordingDirectory
from recordings.recorder.footer import ChunkIndex, Footer, footer_payload, read_footer, read_head
from recordings.recorder.frames import Frame, FrameKind, RecordingDamagedError, frames, sealed
from recordings.recorder.head import ID, RecordingHead
from recordings.recorder.moment import OUTPUT, Kind
from recordings.recorder.recorder import Sealed
from recordings.streams.outcome import Ended, Outcome

OPEN = "open"
WHY = "the process that recorded it came to an end"


def mark_open(root: Path, writer: str, recording: str) -> None:
    """A recording begins. Raises OSError."""
    folder = root / OPEN / writer
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / recording).touch(mode=0o600)
    sync_directory(folder)


def unmark(root: Path, writer: str, recording: str) -> None:
    """It has its footer, or was taken away."""
    (root / OPEN / writer / recording).unlink(missing_ok=True)


def seal_interrupted(root: Path, writer: str) -> Iterator[tuple[RecordingHead, Sealed]]:
    """Seal what this writer left open; to be called before it begins anew. Each mark goes once its recording is given,
    so that a crash in between finds it again. Raises OSError.
    """
    folder = root / OPEN / writer
    marks = sorted(path for path in folder.iterdir() if ID.fullmatch(path.name)) if folder.is_dir() else []
    directory = RecordingDirectory(root)
    for mark in marks:
        path = directory.path_of(mark.name)
        found = _seal(path) if path is not None else None
        if found is not None:
            yield found
        mark.unlink(missing_ok=True)


def _seal(path: Path) -> tuple[RecordingHead, Sealed] | None:
    """None for a file of which not even the head was written, which is taken away."""
    with path.open("r+b") as file:
        head: RecordingHead | None = None
        last: Frame | None = None
        footer: Footer | None = None
        index = ChunkIndex()
        carried = _Carried()
        with suppress(RecordingDamagedError):  # what is behind the last whole frame is cut
            for frame in frames(file):
                if frame.kind is FrameKind.HEAD and last is None:
                    head = read_head(frame.payload)
                elif frame.kind is FrameKind.CHUNK:
                    carried.add(frame.payload)
                    index.add(span(frame.payload)[0], frame.offset)
                elif frame.kind is FrameKind.FOOTER:
                    footer = read_footer(frame.payload)
                last = Frame(frame.kind, b"", frame.offset, frame.digest, frame.end)
        if head is None or last is None:
            path.unlink()
            return None
        if footer is None:
            footer = Footer(
                Ended.UNKNOWN, None, "", WHY, carried.received, carried.sent, carried.last, index.count, index.entries()
            )
            data, _ = sealed(last.digest, FrameKind.FOOTER, footer_payload(footer))
            file.truncate(last.end)
            file.seek(last.end)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.tell()
    seconds = carried.last / 1_000_000
    counts = (index.count, carried.received, carried.sent, seconds)
    ended = Ended(footer.ended) if footer.ended in tuple(Ended) else Ended.UNKNOWN
    outcome = Outcome(ended, footer.exit_code, footer.message)  # a crash may have come right behind the footer
    return head, Sealed(head.id, digest, size, *counts, outcome, interrupted=True)


class _Carried:
    """Bytes from the client and to it, and the time of the last moment in microseconds."""

    def __init__(self) -> None:
        self.received = self.sent = self.last = 0

    def add(self, payload: bytes) -> None:
        for moment in tuple(moments(payload)):  # of a chunk that cannot be read to its end nothing counts
            self.received += len(moment.data) if moment.kind is Kind.STDIN else 0
            self.received += int(moment.data) if moment.kind is Kind.HIDDEN and moment.data.isdigit() else 0
            self.sent += len(moment.data) if moment.kind in OUTPUT else 0
            self.last = moment.at
