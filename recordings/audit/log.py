"""One writer's log: lines handed to the kernel in order, made durable in groups, recovered after a crash.

The rules it upholds: a sequence has no gaps; a line is either whole in the file or cut at the next start, with a
record of the cut; an fdatasync that failed is never believed later (its segment is closed as suspect and a new one
begins); when nothing can be written, `append` raises and whoever waits is refused. Signing, sealing and anchors are
left to their own modules; the header line leaves room for them.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson

from recordings.audit.encode import encode, rfc3339
from recordings.audit.record import VERSION, Outcome, RecordType
from recordings.errors import LogUnavailableError

SYNC_SECONDS = 0.2
"""What nobody waits for is synced at most this late."""
RETRY_SECONDS = 1.0
"""How often an unavailable log is tried again."""
RESERVE_BYTES = 4 * 1024 * 1024
"""Reserved ahead in the open segment, so that a full disk is met between records."""


class Disk(Protocol):
    """The system calls of the writer, so that a test can make each of them fail."""

    def open(self, path: Path) -> int: ...
    def write(self, fd: int, data: bytes) -> int: ...
    def sync(self, fd: int) -> None: ...
    def reserve(self, fd: int, offset: int, length: int) -> None: ...
    def same(self, fd: int, path: Path) -> bool: ...
    def close(self, fd: int) -> None: ...


class RealDisk:
    """`Disk` by the operating system. Files are 0600."""

    def open(self, path: Path) -> int:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def write(self, fd: int, data: bytes) -> int:
        return os.write(fd, data)

    def sync(self, fd: int) -> None:
        os.fdatasync(fd)

    def reserve(self, fd: int, offset: int, length: int) -> None:
        if hasattr(os, "posix_fallocate"):
            _fallocate_keep_size(fd, offset, length)

    def same(self, fd: int, path: Path) -> bool:
        """Whether the path still leads to the open file: it may have been unlinked or replaced under us."""
        try:
            there, here = path.stat(), os.fstat(fd)
        except FileNotFoundError:
            return False
        return (there.st_ino, there.st_dev) == (here.st_ino, here.st_dev) and here.st_nlink > 0

    def close(self, fd: int) -> None:
        os.close(fd)


def _fallocate_keep_size(fd: int, offset: int, length: int) -> None:
    """Linux fallocate(2) with FALLOC_FL_KEEP_SIZE, which os does not offer; elsewhere nothing is reserved."""
    import ctypes
    import errno
    import sys

    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.fallocate(fd, 1, ctypes.c_int64(offset), ctypes.c_int64(length)) != 0:
        number = ctypes.get_errno()
        if number in (errno.EOPNOTSUPP, errno.ENOSYS):
            return  # a file system without it: a full disk is then met by write, which is handled as well
        raise OSError(number, os.strerror(number))


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Where and how."""

    directory: Path
    writer: str
    segment_bytes: int = 256 * 1024 * 1024
    segment_seconds: float = 86_400.0


class AuditLog:
    """Append records; await `durable(seq)` where the record must survive a power cut before something happens."""

    def __init__(
        self,
        settings: LogSettings,
        *,
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], float],
        mono: Callable[[], float],
        new_id: Callable[[], str],
        boot: str,
        disk: Disk | None = None,
    ) -> None:
        self._settings = settings
        self._loop = loop
        self._clock = clock
        self._mono = mono
        self._new_id = new_id
        self._boot = boot
        self._disk = disk or RealDisk()
        self._seq = 0
        self._written = 0
        self._synced = 0
        self._fd = -1
        self._path = settings.directory
        self._size = 0
        self._reserved = 0
        self._opened_at = 0.0
        self._cause = "the log is not open"
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._syncing = False
        self._timer: asyncio.TimerHandle | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="audit-sync")
        self._lock_fd = -1
        self._open_intents: dict[str, Mapping[str, Any]] = {}

    # -- life

    async def open(self) -> None:
        """Take the writer's lock, recover what a crash left, start a segment. Raises LogUnavailableError, OSError."""
        directory = self._settings.directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock_fd = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock_fd)
            raise LogUnavailableError(f"another process writes the log in {directory}") from error
        recovered = await asyncio.to_thread(recover, directory)
        self._seq = self._written = self._synced = recovered.last_seq
        self._begin_segment()
        self.append(RecordType.LOG_START, Outcome.DONE, body={"writer": self._settings.writer, "format": VERSION})
        if recovered.cut_bytes:
            self.append(
                RecordType.LOG_RECOVERED,
                Outcome.DONE,
                body={
                    "segment": recovered.segment,
                    "cut_bytes": recovered.cut_bytes,
                    "last_seq": recovered.last_seq,
                },
            )
        for intent in recovered.open_intents:
            self._unknown(intent)
        await self.durable(self._seq)

    async def close(self) -> None:
        """Write the end, sync, let the lock go."""
        if self._fd >= 0:
            try:
                await self.durable(
                    self.append(RecordType.LOG_STOP, Outcome.DONE, body={"writer": self._settings.writer})
                )
            finally:
                self._close_segment()
        for handle in (self._timer, self._retry):
            if handle is not None:
                handle.cancel()
        self._thread.shutdown(wait=True)
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    @property
    def available(self) -> bool:
        return self._fd >= 0

    @property
    def cause(self) -> str:
        """Why the log is not available; empty while it is."""
        return "" if self.available else self._cause

    # -- writing

    def append(
        self,
        record_type: RecordType,
        outcome: Outcome,
        *,
        record_id: str | None = None,
        cluster: str | None = None,
        actor: Mapping[str, Any] | None = None,
        login: str | None = None,
        source: str | None = None,
        event: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> int:
        """Hand one record to the kernel; returns its sequence number. Raises LogUnavailableError.

        The line is in the file, though not yet on the disk, when this returns.
        """
        if self._fd < 0:
            raise LogUnavailableError(self._cause)
        now = self._clock()
        record: dict[str, Any] = {
            "v": VERSION,
            "seq": self._seq + 1,
            "id": record_id or self._new_id(),
            "time": rfc3339(now),
            "boot": self._boot,
            "mono": round(self._mono(), 6),
            "type": record_type,
            "outcome": outcome,
        }
        known = {"cluster": cluster, "actor": actor, "login": login, "source": source}
        record.update({key: value for key, value in known.items() if value is not None})
        if event is not None:
            record["event"] = event
        if body is not None:
            record["body"] = body
        self._write(encode(record))
        self._seq += 1
        self._written = self._seq
        if self._timer is None:
            self._timer = self._loop.call_later(SYNC_SECONDS, self._sync_tick)
        return self._seq

    def _write(self, line: bytes) -> None:
        if self._size + len(line) > self._settings.segment_bytes or self._due():
            self._rotate()
        try:
            if self._size + len(line) > self._reserved:
                self._disk.reserve(self._fd, self._reserved, RESERVE_BYTES)
                self._reserved += RESERVE_BYTES
            written = self._disk.write(self._fd, line)
        except OSError as error:
            self._fail(error)
            raise LogUnavailableError(self._cause) from error
        if written != len(line):
            self._fail(OSError(28, "short write"))
            raise LogUnavailableError(self._cause)
        self._size += len(line)

    def _due(self) -> bool:
        return self._mono() - self._opened_at > self._settings.segment_seconds

    # -- durability

    async def durable(self, seq: int) -> None:
        """Return once an fdatasync that covers `seq` has succeeded. Raises LogUnavailableError."""
        if seq <= self._synced:
            return
        if self._fd < 0:
            raise LogUnavailableError(self._cause)
        future: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append((seq, future))
        self._start_sync()
        await future

    def _sync_tick(self) -> None:
        self._timer = None
        self._start_sync()

    def _start_sync(self) -> None:
        """One sync at a time; those who come while it runs share the next one."""
        if self._syncing or self._fd < 0 or self._synced >= self._written:
            return
        self._syncing = True
        fd, path, upto = self._fd, self._path, self._written
        job = self._loop.run_in_executor(self._thread, self._sync, fd, path)
        job.add_done_callback(lambda done: self._sync_done(done, fd, upto))

    def _sync(self, fd: int, path: Path) -> None:
        if not self._disk.same(fd, path):
            raise OSError(2, f"the log's file {path.name} was removed or replaced")
        self._disk.sync(fd)

    def _sync_done(self, done: asyncio.Future[None], fd: int, upto: int) -> None:
        self._syncing = False
        error = done.exception()
        if fd != self._fd:
            return  # the segment failed or was closed meanwhile; its waiters were told
        if error is not None:
            self._fail(error if isinstance(error, OSError) else OSError(5, str(error)))
            return
        self._synced = upto
        still: list[tuple[int, asyncio.Future[None]]] = []
        for seq, future in self._waiting:
            if seq > upto:
                still.append((seq, future))
            elif not future.done():
                future.set_result(None)
        self._waiting = still
        if still:
            self._start_sync()

    # -- segments

    def _begin_segment(self) -> None:
        path = self._settings.directory / f"{self._seq + 1:020d}.ndjson"
        number = 0
        while True:
            try:
                fd = self._disk.open(path)
                break
            except FileExistsError:  # a segment that failed before its first record
                number += 1
                path = self._settings.directory / f"{self._seq + 1:020d}-{number}.ndjson"
        header = encode(
            {
                "header": {
                    "v": VERSION,
                    "writer": self._settings.writer,
                    "boot": self._boot,
                    "first_seq": self._seq + 1,
                    "time": rfc3339(self._clock()),
                }
            }
        )
        try:
            self._disk.reserve(fd, 0, RESERVE_BYTES)
            if self._disk.write(fd, header) != len(header):
                raise OSError(28, "short write")  # noqa: TRY301 - the same clean-up
        except OSError:
            self._disk.close(fd)
            raise
        self._fd, self._path = fd, path
        self._size, self._reserved = len(header), RESERVE_BYTES
        self._opened_at = self._mono()
        _sync_directory(self._settings.directory)

    def _rotate(self) -> None:
        """A new segment; what the old one still owes is synced here, once, since its waiters belong to it."""
        try:
            self._disk.sync(self._fd)
        except OSError as error:
            self._fail(error)
            raise LogUnavailableError(self._cause) from error
        self._synced = self._written
        for _, future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()
        self._close_segment()
        try:
            self._begin_segment()
        except OSError as error:
            self._fail(error)
            raise LogUnavailableError(self._cause) from error

    def _close_segment(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            self._disk.close(fd)

    def _fail(self, error: OSError) -> None:
        """The segment is suspect: nobody who waits is told it was written; a new segment is tried every second."""
        self._cause = f"the audit log cannot be written ({error.strerror or error})"
        self._close_segment()
        self._seq = self._written  # numbers of lines that failed are not used again within this file
        waiting, self._waiting = self._waiting, []
        for _, future in waiting:
            if not future.done():
                future.set_exception(LogUnavailableError(self._cause))
        if self._retry is None:
            self._retry = self._loop.call_later(RETRY_SECONDS, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        if self._fd >= 0 or self._lock_fd < 0:
            return
        try:
            self._begin_segment()
        except OSError as error:
            self._cause = f"the audit log cannot be written ({error.strerror or error})"
            self._retry = self._loop.call_later(RETRY_SECONDS, self._try_again)
            return
        self._synced = self._written

    def _unknown(self, intent: Mapping[str, Any]) -> None:
        event = dict(intent.get("event") or {})
        event["stage"] = "ResponseComplete"
        event.pop("responseStatus", None)
        self.append(
            RecordType(str(intent["type"])),
            Outcome.UNKNOWN_AFTER_CRASH,
            cluster=intent.get("cluster"),
            actor=intent.get("actor"),
            login=intent.get("login"),
            source=intent.get("source"),
            event=event,
        )


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a start found: the last sequence number, what was cut, and intents that have no outcome."""

    last_seq: int
    segment: str
    cut_bytes: int
    open_intents: tuple[Mapping[str, Any], ...]


def recover(directory: Path) -> Recovered:
    """Cut a torn tail of the last segment; find intents without outcome. Raises OSError."""
    segments = sorted(directory.glob("*.ndjson"))
    if not segments:
        return Recovered(0, "", 0, ())
    last = segments[-1]
    size = last.stat().st_size
    good, intents, seq = 0, {}, 0
    with last.open("rb") as lines:
        for line in lines:
            if not line.endswith(b"\n"):
                break
            try:
                record = orjson.loads(line)
            except orjson.JSONDecodeError:
                break
            good += len(line)
            if "header" in record:
                seq = int(record["header"]["first_seq"]) - 1
                continue
            seq = int(record["seq"])
            audit_id = (record.get("event") or {}).get("auditID")
            if record.get("outcome") == Outcome.INTENT:
                intents[audit_id] = record
            elif record.get("outcome") != Outcome.STARTED:
                intents.pop(audit_id, None)
    if good < size:
        with last.open("r+b") as file:
            file.truncate(good)
            os.fsync(file.fileno())
    return Recovered(seq, last.name, size - good, tuple(intents.values()))


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
