"""One recording while it is being made: takes what happens on the loop's thread, and never touches a file itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from recordings.errors import RecordingsError
from recordings.recorder.chunks import ChunkBuilder
from recordings.recorder.echo import Echo, Kept
from recordings.recorder.head import RecordingHead
from recordings.recorder.moment import OUTPUT, Kind
from recordings.recorder.tar_command import Direction, tar_command
from recordings.recorder.tar_rows import FileRow, TarRows
from recordings.streams.events import Closing, Ending, Event, Role, Side, StrayData, StreamData, StreamEnded
from recordings.streams.outcome import Outcome
from recordings.streams.resize import ResizeReader

CHUNK_BYTES = 64 * 1024
"""A chunk is closed at this size: what a crash may lose of a stream that is in a hurry."""
FLOOD_CHUNK_BYTES = 256 * 1024
"""While another waits to be written: larger ones cost the loop's thread less, and what a crash may lose is bounded by
the stream's backlog all the same."""
_CARRIES = {Direction.FROM_POD: Kind.STDOUT, Direction.TO_POD: Kind.STDIN}
_KINDS = {Role.STDIN: Kind.STDIN, Role.STDOUT: Kind.STDOUT, Role.STDERR: Kind.STDERR, Role.ERROR: Kind.ERROR}


class RecordingFailedError(RecordingsError):
    """What happens can no longer be kept; the message is the cause. The stream must end."""


class RecordingLimitError(RecordingsError):
    """The stream carried as much as one may. It must end, and its record says so."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A finished recording. `received` and `sent` are the streams' bytes, `duration` is in seconds."""

    id: str
    sha256: str
    """Of the whole file, in hexadecimal."""
    size: int
    """Of the file, in bytes."""
    chunks: int
    received: int
    sent: int
    duration: float
    outcome: Outcome
    interrupted: bool = False
    """Sealed by a later start: the process that recorded came to an end."""
    files: int = 0
    """How many files a tar stream carried, whether they are in `rows` or not."""
    rows: tuple[FileRow, ...] = ()
    doubt: str = ""
    """Why rows may be missing."""


class Keeper(Protocol):
    """What a recorder needs of its store."""

    def mono(self) -> float: ...
    def flush_later(self, recorder: Recorder) -> None:
        """Within a second, `flush` is called."""

    def keep(self, recorder: Recorder, chunk: tuple[int, int, bytearray], tar: bytes) -> None:
        """A chunk to be written, in order, and what of a tar stream is in it."""

    async def sync(self, recorder: Recorder) -> None:
        """Return when all that was kept is on the disk. Raises RecordingFailedError."""

    async def seal(self, recorder: Recorder, outcome: Outcome, why: str) -> Sealed: ...
    async def discard(self, recorder: Recorder) -> None: ...


class Recorder:
    """Call `take` with every event before it is passed on; where the role is strict, wait for `stored` in between."""

    __slots__ = (
        "_began",
        "_builder",
        "_drained",
        "_echo",
        "_failed",
        "_handed",
        "_keeper",
        "_last",
        "_limit",
        "_resizes",
        "_tar",
        "_tar_kind",
        "cause",
        "handle",
        "head",
        "image",
        "is_waiting",
        "node",
        "received",
        "sent",
        "tar_rows",
    )

    def __init__(self, head: RecordingHead, keeper: Keeper, *, max_bytes: int) -> None:
        self.head = head
        self._handed = 0
        self.received = self.sent = 0
        self.cause = ""
        self.image = self.node = ""
        """Of the pod; whoever learns them sets them before the recording is closed."""
        self.handle: object = None
        self.is_waiting = False
        self._keeper = keeper
        self._limit = max_bytes
        self._began = keeper.mono()
        self._last = 0
        self._builder = ChunkBuilder()
        self._resizes = ResizeReader()
        self._echo = Echo() if head.hides_input and head.tty else None
        found = None if head.tty or head.subresource != "exec" else tar_command(head.command)
        self.tar_rows = None if found is None else TarRows(found.direction, skipped=found.skipped)
        """Fed and read by the store's thread."""
        self._tar: list[bytes] = []
        self._tar_kind = None if found is None else _CARRIES[found.direction]
        self._drained: Callable[[], None] | None = None
        self._failed: Callable[[RecordingFailedError], None] | None = None

    @property
    def backlog(self) -> int:
        """Bytes that were taken and are not with the kernel yet."""
        return self._handed + len(self._builder)

    def take(self, events: Sequence[Event]) -> None:
        """Account for what happened now. Raises RecordingFailedError, RecordingLimitError, and StreamFaultError for a
        terminal size that is none; the stream must then end, and these events must not be passed on.
        """
        if self.cause:
            raise RecordingFailedError(self.cause)
        at = self._now()
        for event in events:
            match event:
                case StreamData():
                    self._data(at, event)
                case StreamEnded():
                    reset = "" if event.ending is Ending.FINISHED else " reset"
                    self._add(at, Kind.ENDED, f"{event.role}{reset}".encode())
                case StrayData():
                    self._count(event.side, len(event.data))
                    self._stray(at, event)
                case Closing():
                    self._add(at, Kind.ENDED, f"{event.side} {event.code or ''}".rstrip().encode())
                case _:
                    pass

    def _data(self, at: int, event: StreamData) -> None:
        if event.role is Role.RESIZE:
            for size in self._resizes.feed(event.data):
                self._add(at, Kind.RESIZE, f"{size.width}x{size.height}".encode())
        elif event.role in _KINDS:
            kind = _KINDS[event.role]
            self._count(event.side, len(event.data))
            if kind is self._tar_kind:
                self._tar.append(event.data)
            if self._echo is not None and kind is Kind.STDIN:
                self._keep(at, self._echo.typed(at, event.data))
                return
            if self._echo is not None and kind in OUTPUT:
                self._keep(at, self._echo.shown(event.data))
            self._add(at, kind, event.data)

    def _stray(self, at: int, event: StrayData) -> None:
        if self._echo is not None and event.side is Side.CLIENT:
            self._add(at, Kind.HIDDEN, b"%d" % len(event.data))  # nothing answers it, so nothing shows it
        else:
            self._add(at, Kind.STRAY, event.data)

    def _keep(self, at: int, kept: Iterable[Kept]) -> None:
        for kind, data in kept:
            self._add(at, kind, data)
        if not self.is_waiting:
            self._flush_later()

    def _count(self, side: Side, size: int) -> None:
        if side is Side.CLIENT:
            self.received += size
        else:
            self.sent += size
        if self.received + self.sent > self._limit:
            raise RecordingLimitError(f"a stream may carry {self._limit} bytes (recordings.max_bytes)")

    def _add(self, at: int, kind: Kind, data: bytes) -> None:
        builder = self._builder
        builder.add(at, kind, data)
        if len(builder) >= (FLOOD_CHUNK_BYTES if self._handed else CHUNK_BYTES):
            self._hand_over()
        if not self.is_waiting:
            self._flush_later()

    def _flush_later(self) -> None:
        if self._builder or self._echo:
            self.is_waiting = True
            self._keeper.flush_later(self)

    def flush(self, *, waits: bool = True) -> None:
        """Close the chunk at hand, and hand it over to be written; without `waits` also what could come back yet."""
        if self._echo:
            at = self._now()
            self._keep(at, self._echo.due(at) if waits else self._echo.all())
        self._hand_over()
        self.is_waiting = False
        self._flush_later()

    def _hand_over(self) -> None:
        if self._builder:
            self._handed += len(self._builder)
            tar, self._tar = self._tar, []
            self._keeper.keep(self, self._builder.take(), b"".join(tar))

    async def stored(self) -> None:
        """Return when everything taken so far is on the disk. Raises RecordingFailedError."""
        if self.cause:
            raise RecordingFailedError(self.cause)
        self.flush(waits=False)
        await self._keeper.sync(self)

    async def close(self, outcome: Outcome, why: str = "") -> Sealed:
        """End the recording; `why` is our own reason, where we ended it. Raises RecordingFailedError."""
        self.flush(waits=False)
        return await self._keeper.seal(self, outcome, why)

    async def discard(self) -> None:
        """There is nothing to record: take the file away. Raises RecordingFailedError."""
        await self._keeper.discard(self)

    def when_drained(self, callback: Callable[[], None]) -> None:
        """Call once the backlog is written."""
        self._drained = callback

    def on_failure(self, callback: Callable[[RecordingFailedError], None]) -> None:
        """Call when writing failed behind the scenes."""
        self._failed = callback

    # -- told by the store

    def written(self, size: int) -> None:
        """So many bytes are with the kernel."""
        self._handed -= size
        if self._handed <= 0 and self._drained is not None:
            callback, self._drained = self._drained, None
            callback()

    def fail(self, cause: str) -> None:
        """Nothing more can be written."""
        if self.cause:
            return
        self.cause = cause
        if self._failed is not None:
            self._failed(RecordingFailedError(cause))

    def _now(self) -> int:
        self._last = max(self._last, int((self._keeper.mono() - self._began) * 1_000_000))
        return self._last

    @property
    def elapsed(self) -> int:
        """Microseconds until now."""
        return self._now()
