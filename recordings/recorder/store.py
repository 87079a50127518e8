"""A worker's recordings: one thread writes the files of all of them, and has those synced that somebody waits for.

The loop's thread hands over chunks; the thread compresses and writes them. Syncs that were asked for meanwhile are done
together, in a few threads: a file system makes one of them. What cannot be written fails that recording for good and is
told at once: a hole would be worse than an end.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from recordings.audit.disk import Disk, RealDisk, check_whole
from recordings.recorder.chunks import ChunkPacker
from recordings.recorder.directory import SUFFIX, day_of
from recordings.recorder.footer import ChunkIndex, Footer, footer_payload, head_payload
from recordings.recorder.frames import MAGIC, START, FrameKind, sealed
from recordings.recorder.head import ID, RecordingHead
from recordings.recorder.interrupted import mark_open, unmark
from recordings.recorder.recorder import Recorder, RecordingFailedError, Sealed
from recordings.streams.outcome import Outcome

FLUSH_SECONDS = 1.0
"""A chunk is written at this age at the latest: what a crash may lose of a quiet stream."""
MAX_WAITING_JOBS = 65_536
"""Chunks and syncs handed over and not done: with the relay's own limit on a stream's backlog, those of some thousand
streams. Beyond it recordings fail rather than fill the memory."""
SYNC_THREADS = 8
"""More gain nothing: 500 files took 66 ms to sync one after another, 35 ms in 8 or 16 threads (ext4 on an SSD)."""
MAX_SYNCS = 64
"""Done together at most, so that who asked first does not wait for all who ask meanwhile."""
MAX_AHEAD = 64
"""Chunks that are written while syncs wait to be joined by others."""


@dataclass(slots=True)
class _File:
    """The thread's view of one recording."""

    fd: int
    path: Path
    digest: bytes
    whole: Any = field(default_factory=sha256)
    size: int = 0
    chunks: ChunkIndex = field(default_factory=ChunkIndex)
    cause: str = ""
    """Why it failed. The loop learns of it later than the thread, which by then has more jobs of the same recording: a
    sync behind a chunk that was lost, or behind a sync that failed, must not succeed."""


@dataclass(frozen=True, slots=True)
class _Chunk:
    """To be written. A sync that was asked for before may be done after it."""

    write: Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Sync:
    """Asked for; the future hears of it."""

    recorder: Recorder
    future: asyncio.Future[Any]


_Job = _Chunk | _Sync | Callable[[], None]


class RecordingStore:
    """`open` gives a Recorder for each stream. One store per process; not for two threads."""

    def __init__(
        self,
        directory: Path,
        *,
        loop: asyncio.AbstractEventLoop,
        mono: Callable[[], float],
        max_bytes: int,
        writer: str,
        disk: Disk | None = None,
    ) -> None:
        """`max_bytes`: what one stream may carry both ways. `writer`: this process's name, as the audit log has it."""
        self._directory = directory
        self._loop = loop
        self._mono = mono
        self._max_bytes = max_bytes
        self._writer = writer
        self._disk = disk or RealDisk()
        self._packer = ChunkPacker()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._open: set[Recorder] = set()
        self._due: list[Recorder] = []
        self._timer: asyncio.TimerHandle | None = None
        self._syncing: ThreadPoolExecutor | None = None
        """Made with the first syncs that can be done together, which only strict recordings ask for."""
        self._thread = threading.Thread(target=self._work, name="recordings", daemon=True)
        self._thread.start()

    def mono(self) -> float:
        return self._mono()

    # -- life

    async def open(self, head: RecordingHead) -> Recorder:
        """Begin a recording: its file is there, and its head on the disk, when this returns. RecordingFailedError."""
        if not ID.fullmatch(head.id):
            raise RecordingFailedError("a recording's id is 26 characters of base32")
        recorder = Recorder(head, self, max_bytes=self._max_bytes)
        recorder.handle = await self._run(lambda: self._create(head), recorder)
        self._open.add(recorder)
        return recorder

    async def close(self) -> None:
        """Write what is left of every recording, without ending them: whoever holds one has to `close` it before."""
        if self._timer is not None:
            self._timer.cancel()
        for recorder in list(self._open):
            recorder.flush(waits=False)
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)
        if self._syncing is not None:
            self._syncing.shutdown()

    # -- what recorders ask for

    def flush_later(self, recorder: Recorder) -> None:
        self._due.append(recorder)
        if self._timer is None:
            self._timer = self._loop.call_later(FLUSH_SECONDS, self._flush_due)

    def _flush_due(self) -> None:
        self._timer = None
        due, self._due = self._due, []
        for recorder in due:
            if recorder.is_waiting:
                recorder.flush()

    def keep(self, recorder: Recorder, chunk: tuple[int, int, bytearray], tar: bytes) -> None:
        if self._jobs.qsize() > MAX_WAITING_JOBS:
            recorder.fail("the disk does not keep up with what is to be recorded")
            return
        self._jobs.put(_Chunk(lambda: self._write_chunk(recorder, chunk, tar)))

    async def sync(self, recorder: Recorder) -> None:
        future: asyncio.Future[Any] = self._loop.create_future()
        self._jobs.put(_Sync(recorder, future))
        await future

    async def seal(self, recorder: Recorder, outcome: Outcome, why: str) -> Sealed:
        elapsed = recorder.elapsed
        sealed_: Sealed = await self._run_last(lambda: self._finish(recorder, outcome, why, elapsed), recorder)
        return sealed_

    async def discard(self, recorder: Recorder) -> None:
        await self._run_last(lambda: self._forget(recorder), recorder)

    async def _run_last(self, job: Callable[[], Any], recorder: Recorder) -> Any:
        """As `_run`; the file is closed after it, also where it fails."""
        try:
            return await self._run(job, recorder)
        finally:
            self._open.discard(recorder)
            self._jobs.put(lambda: self._let_go(recorder))

    async def _run(self, job: Callable[[], Any], recorder: Recorder) -> Any:
        """Do a job in the thread, after what was handed over before. Raises RecordingFailedError."""
        future: asyncio.Future[Any] = self._loop.create_future()

        def work() -> None:
            try:
                _check(recorder)
                result = job()
            except RecordingFailedError as error:
                self._tell(_resolve, future, None, error)
            except Exception as error:  # noqa: BLE001 - the thread is everybody's: one recording's mistake must not end it
                cause = self._lost(recorder, error)
                self._tell(_resolve, future, None, RecordingFailedError(cause))
            else:
                self._tell(_resolve, future, result, None)

        self._jobs.put(work)
        return await future

    # -- the thread

    def _work(self) -> None:
        job = self._jobs.get()
        while job is not None:
            if isinstance(job, _Sync):
                job = self._sync_with(job)
                continue
            (job.write if isinstance(job, _Chunk) else job)()
            job = self._jobs.get()

    def _sync_with(self, first: _Sync) -> _Job | None:
        """Sync this one and those that others have asked for; the job that comes behind them."""
        syncs, job = [first], None
        for _ in range(MAX_AHEAD):
            if len(syncs) == MAX_SYNCS or self._jobs.empty():
                self._sync_all(syncs)
                return self._jobs.get()
            job = self._jobs.get()
            if isinstance(job, _Sync):
                syncs.append(job)
            elif isinstance(job, _Chunk):
                job.write()
            else:  # it may close a file
                break
        self._sync_all(syncs)
        return job if not isinstance(job, _Sync | _Chunk) else self._jobs.get()

    def _sync_all(self, syncs: list[_Sync]) -> None:
        """Each file once, whoever asks how often for it: of two syncs the second does not hear that the first failed.
        All are told at once.
        """
        futures: dict[Recorder, list[asyncio.Future[Any]]] = {}
        for one in syncs:
            futures.setdefault(one.recorder, []).append(one.future)
        if len(futures) == 1:
            errors = [self._synced(syncs[0].recorder)]
        else:
            if self._syncing is None:
                self._syncing = ThreadPoolExecutor(SYNC_THREADS, "recordings-sync")
            errors = list(self._syncing.map(self._synced, futures))
        told = [(future, error) for all_, error in zip(futures.values(), errors, strict=True) for future in all_]
        self._tell(_resolve_all, told)

    def _synced(self, recorder: Recorder) -> RecordingFailedError | None:
        try:
            _check(recorder)
            self._disk.sync(_file(recorder).fd)
        except RecordingFailedError as error:
            return error
        except Exception as error:  # noqa: BLE001 - as in `_run`
            return RecordingFailedError(self._lost(recorder, error))
        return None

    def _tell(self, callback: Callable[..., None], *arguments: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback, *arguments)

    def _create(self, head: RecordingHead) -> _File:
        day = day_of(self._directory, head.started)
        self._make(day)
        path = day / f"{head.id}{SUFFIX}"
        mark_open(self._directory, self._writer, head.id)  # before the file: a crash leaves none that nobody looks for
        fd = self._disk.open(path)
        file = _File(fd, path, START)
        try:
            self._put(file, MAGIC)
            self._frame(file, FrameKind.HEAD, head_payload(head))
            self._disk.sync(fd)
            self._disk.sync_directory(day)
        except OSError:
            self._disk.close(fd)
            raise
        return file

    def _make(self, day: Path) -> None:
        """Each folder that is new has its name on the disk."""
        missing = [day]
        while not missing[-1].parent.is_dir():
            missing.append(missing[-1].parent)
        for path in reversed(missing):
            if not path.is_dir():
                path.mkdir(mode=0o700, exist_ok=True)
                self._disk.sync_directory(path.parent)

    def _write_chunk(self, recorder: Recorder, chunk: tuple[int, int, bytearray], tar: bytes) -> None:
        first, last, raw = chunk
        try:
            _check(recorder)
            file = _file(recorder)
            if recorder.tar_rows is not None:
                recorder.tar_rows.feed(tar)
            file.chunks.add(first, file.size)
            self._frame(file, FrameKind.CHUNK, self._packer.packed(first, last, raw))
        except RecordingFailedError:
            return
        except Exception as error:  # noqa: BLE001 - as in `_run`
            self._lost(recorder, error)
            return
        self._tell(recorder.written, len(raw))

    def _lost(self, recorder: Recorder, error: Exception) -> str:
        """From here on nothing more of this recording is written or believed. The cause."""
        if isinstance(error, OSError):
            cause = f"{error.strerror or error} ({self._directory})"
        else:
            cause = f"a mistake of ours ({type(error).__name__}: {error})"
        if isinstance(recorder.handle, _File):
            recorder.handle.cause = cause
        self._tell(recorder.fail, cause)
        return cause

    def _frame(self, file: _File, kind: FrameKind, payload: bytes) -> None:
        data, file.digest = sealed(file.digest, kind, payload)
        self._put(file, data)

    def _put(self, file: _File, data: bytes) -> None:
        """A short write leaves a torn frame behind, which readers pass over; the recording has failed."""
        check_whole(self._disk.write(file.fd, data), data)
        file.whole.update(data)
        file.size += len(data)

    def _finish(self, recorder: Recorder, outcome: Outcome, why: str, elapsed: int) -> Sealed:
        file = _file(recorder)
        footer = Footer(
            outcome.ended,
            outcome.exit_code,
            outcome.message,
            why,
            recorder.received,
            recorder.sent,
            elapsed,
            file.chunks.count,
            file.chunks.entries(),
            recorder.image,
            recorder.node,
        )
        self._frame(file, FrameKind.FOOTER, footer_payload(footer))
        self._disk.sync(file.fd)
        unmark(self._directory, self._writer, recorder.head.id)
        return Sealed(
            recorder.head.id,
            file.whole.hexdigest(),
            file.size,
            file.chunks.count,
            recorder.received,
            recorder.sent,
            elapsed / 1_000_000,
            outcome,
            **_rows(recorder),
        )

    def _forget(self, recorder: Recorder) -> None:
        _file(recorder).path.unlink(missing_ok=True)
        unmark(self._directory, self._writer, recorder.head.id)

    def _let_go(self, recorder: Recorder) -> None:
        file, recorder.handle = recorder.handle, None
        if isinstance(file, _File):
            self._disk.close(file.fd)


def _rows(recorder: Recorder) -> dict[str, Any]:
    """What a tar stream carried, as `Sealed` has it."""
    tar = recorder.tar_rows
    if tar is None:
        return {}
    tar.end()
    return {"files": tar.files, "rows": tuple(tar.rows), "doubt": tar.doubt}


def _check(recorder: Recorder) -> None:
    cause = recorder.cause or (recorder.handle.cause if isinstance(recorder.handle, _File) else "")
    if cause:
        raise RecordingFailedError(cause)


def _file(recorder: Recorder) -> _File:
    assert isinstance(recorder.handle, _File)
    return recorder.handle


def _resolve_all(told: list[tuple[asyncio.Future[Any], RecordingFailedError | None]]) -> None:
    for future, error in told:
        _resolve(future, None, error)


def _resolve(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
