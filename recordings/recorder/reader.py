"""A recording, read back: also while it is being made, and when a crash ended it."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from recordings.recorder.chunks import moments, span
from recordings.recorder.directory import open_without_following
from recordings.recorder.footer import Footer, read_footer, read_head
from recordings.recorder.frames import MAGIC, START, Frame, FrameKind, RecordingDamagedError, frame_at, frames
from recordings.recorder.moment import Moment


def open_recording(path: Path) -> RecordingReader:
    """Raises RecordingDamagedError where not even the head can be read, OSError."""
    return RecordingReader(os.fdopen(open_without_following(path), "rb"))


class RecordingReader:
    """What a file holds, as far as it is whole. To be closed; a context manager."""

    def __init__(self, file: BinaryIO) -> None:
        """Takes the file over. Raises RecordingDamagedError."""
        self._file = file
        self._chunks: list[tuple[int, int, bytes]] = []
        """Time of the first moment, offset, and the digest of the frame before."""
        self.footer: Footer | None = None
        """None: it is still being made, or was interrupted."""
        self.seal = b""
        """The digest of the last whole frame, and so of all before it."""
        self.damage: RecordingDamagedError | None = None
        """What is wrong behind the last whole frame."""
        try:
            self.head = read_head(self._first())
        except BaseException:
            file.close()
            raise
        self._scan()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def _first(self) -> bytes:
        frame = next(frames(self._file), None)
        if frame is None or frame.kind is not FrameKind.HEAD:
            raise RecordingDamagedError("it has no head", len(MAGIC))
        return frame.payload

    def _scan(self) -> None:
        """Note where each chunk is; their payloads are not kept."""
        previous = START
        try:
            for frame in frames(self._file):
                self._check_is_last(frame)
                self.seal = frame.digest
                if frame.kind is FrameKind.CHUNK:
                    first, _, _ = span(frame.payload)
                    self._chunks.append((first, frame.offset, previous))
                elif frame.kind is FrameKind.FOOTER:
                    self.footer = read_footer(frame.payload)
                previous = frame.digest
        except RecordingDamagedError as error:
            self.damage = error

    def _check_is_last(self, frame: Frame) -> None:
        if self.footer is not None:
            raise RecordingDamagedError("something stands behind its footer", frame.offset)

    def moments(self, start: int = 0) -> Iterator[Moment]:
        """What happened, from `start` (microseconds) on; only what is needed is decompressed."""
        number = max(0, bisect_right([first for first, _, _ in self._chunks], start) - 1)
        while number > 0 and self._chunks[number][0] == start:
            number -= 1  # a moment of the same time may stand in the chunk before
        for index in range(number, len(self._chunks)):
            payload = self._payload(index)
            for moment in moments(payload):
                if moment.at >= start:
                    yield moment

    def _payload(self, index: int) -> bytes:
        _, offset, previous = self._chunks[index]
        return frame_at(self._file, offset, previous).payload

    @property
    def duration(self) -> int:
        """Microseconds; of one without a footer, until its last moment."""
        if self.footer is not None:
            return self.footer.duration
        return span(self._payload(len(self._chunks) - 1))[1] if self._chunks else 0

    def verify(self) -> list[str]:
        """What is wrong with it; empty: it is whole and unchanged. That it is the one that was made, its digest in the
        audit log says.
        """
        found = [f"{self.damage} (byte {self.damage.offset})"] if self.damage else []
        try:
            last = 0
            for moment in self.moments():
                if moment.at < last:
                    found.append("time goes back in it")
                    break
                last = moment.at
        except RecordingDamagedError as error:
            found.append(str(error))
        if self.footer is None:
            found.append("it has no footer: it is still being made, or was interrupted")
        elif self.footer.chunks != len(self._chunks):
            found.append(f"its footer speaks of {self.footer.chunks} chunks, and it has {len(self._chunks)}")
        return found
