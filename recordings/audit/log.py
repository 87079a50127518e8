"""One writer's log: lines handed to the kernel in order, made durable in groups, put in order after a crash.

The rules it upholds: a sequence has no gaps; a line is either whole in the file or its segment is given up and says
so in the next; an fdatasync that failed is never believed later; when nothing can be written, `append` raises and
whoever waits is refused; an intent that was written gets its outcome written, if need be when space has returned.
Before each sync the notary signs what it will cover; what is signed how is the notary's.

Everything but `_sync_all` runs on the loop's thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from errno import ETIMEDOUT
from pathlib import Path
from typing import Any

from recordings.audit.batch import Ledger, Standing
from recordings.audit.blobs import keep
from recordings.audit.checkpoint import MAX_LINE_BYTES as CHECKPOINT_BYTES
from recordings.audit.disk import Disk, RealDisk
from recordings.audit.encode import encode, encode_whole, rfc3339
from recordings.audit.intents import Intents, ending
from recordings.audit.notary import Notary
from recordings.audit.open_segment import OpenSegment, begin
from recordings.audit.record import VERSION, Outcome, RecordType
from recordings.audit.recovery import Recovered, recover
from recordings.audit.waiters import Waiters
from recordings.audit.writer_lock import WriterLock
from recordings.errors import LogUnavailableError

CLOCK_STEP_SECONDS = 1.0
"""A wall clock that goes back by more gets a record; less is how clocks are kept right."""
NO_ANSWER = "the disk does not answer"
MAX_CLOCK_BEHIND_SECONDS = 30.0
"""A start with a clock this far behind the last record is refused: certificates would be judged by it, too."""


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Where and how. `reserve_bytes`: space kept for an open segment; left out, all of `segment_bytes`."""

    directory: Path
    writer: str
    segment_bytes: int = 256 * 1024 * 1024
    segment_seconds: float = 86_400.0
    reserve_bytes: int | None = None
    sync_seconds: float = 0.2
    """What nobody waits for is synced at most this late."""
    answer_seconds: float = 10.0
    """A disk that has not synced by then has failed. Volumes that move to another host stand still for some seconds;
    controllers give up their leases after fifteen."""
    retry_seconds: float = 1.0
    """How often an unavailable log is tried again."""


@dataclass(slots=True)
class _Suspect:
    segment: OpenSegment
    cause: str
    lost: tuple[int, int] | None
    is_open: bool = True


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
        notary: Notary | None = None,
    ) -> None:
        """Without a notary nothing is signed: for tests and measurements of what a log costs without."""
        self._settings = settings
        self._loop = loop
        self._clock = clock
        self._mono = mono
        self._new_id = new_id
        self._boot = boot
        self._disk = disk or RealDisk()
        self._notary = notary
        self._ledger = Ledger()
        self._segment: OpenSegment | None = None
        self._retired: list[OpenSegment] = []
        self._suspect: list[_Suspect] = []
        self._cause = "the audit log is not open"
        self._waiters = Waiters()
        self._sync: asyncio.Future[None] | None = None
        self._generation = 0
        self._timer: asyncio.TimerHandle | None = None
        self._overdue: asyncio.TimerHandle | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="audit-sync")
        self._lock = WriterLock()
        self._intents = Intents()
        self._last_time = 0.0

    # -- life

    async def open(self) -> None:
        """Take the writer's lock, put in order what a crash left, start a segment. Raises LogUnavailableError."""
        directory = self._settings.directory
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock.take(directory)
            recovered = await asyncio.to_thread(recover, directory)
            self._check_clock(recovered)
            if self._notary is not None:
                await asyncio.to_thread(self._notary.open, recovered.tree)
            self._ledger = Ledger(recovered.last_seq, recovered.last_seq)
            self._begin_segment(start=True)
            self._write_start(recovered)
            await self.durable(self._ledger.written)
        except BaseException as error:
            await self._abandon()
            if isinstance(error, OSError):
                raise LogUnavailableError(_cause(error, directory)) from error
            raise

    def _check_clock(self, recovered: Recovered) -> None:
        """Both are RFC 3339 of one width, so text compares as time."""
        now = self._clock()
        if rfc3339(now + MAX_CLOCK_BEHIND_SECONDS) < recovered.last_time:
            raise LogUnavailableError(
                f"this machine's clock says {rfc3339(now)}, but the audit log's last record is of "
                f"{recovered.last_time}; set the clock right"
            )

    def _write_start(self, recovered: Recovered) -> None:
        """`log.start` is last: where it stands, everything before it has been put in order."""
        unsigned = self._what_nobody_signed(recovered)
        if recovered.cut_bytes or recovered.damaged_lines or recovered.given_up or unsigned:
            self.append(
                RecordType.LOG_RECOVERED,
                Outcome.DONE,
                body={
                    "segment": recovered.segment,
                    "cut_bytes": recovered.cut_bytes,
                    "cut_sha256": recovered.cut_sha256,
                    "damaged_lines": recovered.damaged_lines,
                    "last_seq": recovered.last_seq,
                    **({"given_up": recovered.given_up} if recovered.given_up else {}),
                    **unsigned,
                },
            )
        for intent in recovered.open_intents.values():
            self.append(**ending(intent, Outcome.UNKNOWN_AFTER_CRASH, self._clock()))
        self.append(RecordType.LOG_START, Outcome.DONE, body={"writer": self._settings.writer, "format": VERSION})

    def _what_nobody_signed(self, recovered: Recovered) -> dict[str, Any]:
        """The next checkpoint vouches for these lines as well, so the log says that it cannot know who wrote them."""
        if self._notary is None:
            return {}
        lines = {"unsigned_lines": recovered.unsigned_lines} if recovered.unsigned_lines else {}
        missing = {"segment_missing": True} if self._notary.is_segment_missing else {}
        return {**lines, **missing}

    async def close(self) -> None:
        """Write the end, sync, let the lock go. Raises LogUnavailableError when the end cannot be made durable."""
        try:
            if self._segment is not None:
                body = {"writer": self._settings.writer}
                await self.durable(self.append(RecordType.LOG_STOP, Outcome.DONE, body=body))
        finally:
            await self._abandon()

    async def _abandon(self) -> None:
        for handle in (self._timer, self._overdue, self._retry):
            if handle is not None:
                handle.cancel()
        self._timer = self._overdue = self._retry = None
        if self._sync is not None:
            await asyncio.wait([self._sync])
        self._cause = "the audit log is closed"
        self._waiters.fail(self._cause)
        if self._segment is not None:
            self._retired.append(self._segment)
            self._segment = None
        for segment in self._retired:
            segment.close(release=True)
        self._retired.clear()
        self._close_suspect()
        self._thread.shutdown(wait=True)
        self._lock.release()

    @property
    def available(self) -> bool:
        return self._segment is not None

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

        The line is in the file, though not yet on the disk, when this returns. An intent's effect must wait for
        `durable`: if that fails, the log says later that it was refused. Where the outcome of a written intent
        cannot be written, this raises as well, and the record follows as soon as the log can be written again.
        """
        now = self._clock()
        record: dict[str, Any] = {
            "v": VERSION,
            "seq": 0,
            "id": record_id or self._new_id(),
            "time": rfc3339(now),
            "boot": self._boot,
            "mono": round(self._mono(), 6),
            "type": record_type,
            "outcome": outcome,
        }
        if cluster is not None:
            record["cluster"] = cluster
        if actor is not None:
            record["actor"] = actor
        if login is not None:
            record["login"] = login
        if source is not None:
            record["source"] = source
        if event is not None:
            record["event"] = event
        if body is not None:
            record["body"] = body
        try:
            self._follow_clock(now)
            seq = self._hand_over(record)
        except LogUnavailableError:
            self._intents.owe(record)
            raise
        self._intents.written(seq, record)
        return seq

    def append_encoded(
        self, record_type: RecordType, outcome: Outcome, members: bytes, *, now: float, time: str
    ) -> int:
        """As `append`, of a record that has no intent and whose members behind the envelope are encoded already.

        `members` goes on to the end of the line. `now` is what the clock just said, `time` the same as text.
        """
        self._follow_clock(now)
        segment = self._segment
        if segment is None:
            raise LogUnavailableError(self._cause)
        line = b'{"v":%d,"seq":%d,"id":"%b","time":"%b","boot":"%b","mono":%.6f,"type":"%b","outcome":"%b",%b' % (
            VERSION,
            self._ledger.written + 1,
            self._new_id().encode(),
            time.encode(),
            self._boot.encode(),
            self._mono(),
            record_type.encode(),
            outcome.encode(),
            members,
        )
        return self._write(segment, line)

    def _follow_clock(self, now: float) -> None:
        """A step back is recorded before what is written after it. Raises LogUnavailableError."""
        earlier, self._last_time = self._last_time, now
        if now < earlier - CLOCK_STEP_SECONDS:
            self.append(RecordType.LOG_CLOCK, Outcome.DONE, body={"from": rfc3339(earlier), "to": rfc3339(now)})

    def _hand_over(self, record: dict[str, Any]) -> int:
        segment = self._segment
        if segment is None:
            raise LogUnavailableError(self._cause)
        record["seq"] = self._ledger.written + 1
        return self._write(segment, *encode_whole(record))

    def _write(self, segment: OpenSegment, line: bytes, whole: bytes | None = None) -> int:
        """`whole`: what the line was before it was cut."""
        try:
            if segment.records and self._is_full(segment, len(line)):
                segment = self._rotate(segment)
            if whole is not None:
                keep(segment.path, whole)
            segment.write(line)
        except OSError as error:
            self._fail(error)
            raise LogUnavailableError(self._cause) from error
        segment.records += 1
        if self._notary is not None:
            self._notary.add(line)
        if self._timer is None:
            self._timer = self._loop.call_later(self._settings.sync_seconds, self._sync_tick)
        return self._ledger.write()

    # -- durability

    async def durable(self, seq: int) -> None:
        """Return once an fdatasync that covers `seq` has succeeded. Raises LogUnavailableError."""
        standing = self._ledger.standing(seq)
        if standing is Standing.DURABLE:
            return
        if standing is Standing.LOST or self._segment is None:
            raise LogUnavailableError(self._cause)
        future: asyncio.Future[None] = self._loop.create_future()
        self._waiters.add(seq, future)
        self._start_sync()
        await future

    def _sync_tick(self) -> None:
        self._timer = None
        self._start_sync()

    def _start_sync(self) -> None:
        """One sync at a time; those who come while it runs share the next one."""
        segment, ledger = self._segment, self._ledger
        if self._sync is not None or segment is None or ledger.synced >= ledger.written:
            return
        try:
            self._sign(segment)
        except OSError as error:
            self._fail(error)
            return
        retired, self._retired = self._retired, []
        sizes = [one.size for one in (*retired, segment)]
        upto, generation = ledger.written, self._generation
        self._sync = self._loop.run_in_executor(self._thread, self._sync_all, [*retired, segment], sizes)
        self._sync.add_done_callback(lambda done: self._sync_done(done, retired, upto, generation))
        self._overdue = self._loop.call_later(self._settings.answer_seconds, self._sync_overdue)

    def _sync_overdue(self) -> None:
        """Whoever waits is refused; a new segment is not begun before the disk has answered (`_try_again`)."""
        self._overdue = None
        self._fail(OSError(ETIMEDOUT, NO_ANSWER))

    def _sync_all(self, owing: list[OpenSegment], sizes: list[int]) -> None:
        """Oldest first, in the thread: what a segment owes is on the disk before a later one counts."""
        for segment, size in zip(owing, sizes, strict=True):
            segment.sync(size)
        if self._notary is not None:
            self._notary.tidy()

    def _sign(self, segment: OpenSegment) -> None:
        """A checkpoint over every line so far, if the last line is none. Raises OSError."""
        line = self._notary.checkpoint() if self._notary is not None else None
        if self._notary is None or line is None:
            return
        segment.write(line)
        self._notary.signed(line)

    def _sync_done(self, done: asyncio.Future[None], retired: list[OpenSegment], upto: int, generation: int) -> None:
        self._sync = None
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None
        for segment in retired:
            segment.close(release=True)
        error = done.exception()
        if generation != self._generation:  # the log failed meanwhile; those who waited were told
            self._close_suspect()
            return
        if error is not None:
            self._fail(error if isinstance(error, OSError) else OSError(5, str(error)))
            return
        self._ledger.sync(upto)
        self._waiters.release(upto)
        if self._waiters:
            self._start_sync()
        elif self._ledger.synced < self._ledger.written and self._timer is None:
            self._timer = self._loop.call_later(self._settings.sync_seconds, self._sync_tick)

    # -- segments

    def _is_full(self, segment: OpenSegment, more: int) -> bool:
        if self._notary is not None:
            more += CHECKPOINT_BYTES  # there is always room to sign what is there
        return (
            segment.size + more > self._settings.segment_bytes
            or self._mono() - segment.opened_at > self._settings.segment_seconds
        )

    def _rotate(self, full: OpenSegment) -> OpenSegment:
        """A new segment; the next sync begins with what the old one owes. Raises OSError.

        A signed one is on the disk first: the next segment's key is vouched for at the number of its last line, so a
        power cut must not take that line away.
        """
        if self._notary is not None:
            self._sign(full)
            self._disk.sync(full.fd)
        fresh = self._begin_segment()
        self._retired.append(full)
        return fresh

    def _begin_segment(self, *, start: bool = False) -> OpenSegment:
        """`start`: the writer begins. Its name is on the disk when this returns. Raises OSError; no state changed."""
        settings, first_seq = self._settings, self._ledger.written + 1
        fresh, header = begin(
            self._disk,
            settings.directory,
            first_seq,
            lambda: self._header(first_seq, start=start),
            reserve_bytes=settings.segment_bytes if settings.reserve_bytes is None else settings.reserve_bytes,
            mono=self._mono,
        )
        if self._notary is not None:
            self._notary.begun(header)
        self._segment = fresh
        return fresh

    def _header(self, first_seq: int, *, start: bool) -> bytes:
        """The first line. Raises OSError: a signed one needs a key of its own."""
        header = {
            "v": VERSION,
            "writer": self._settings.writer,
            "boot": self._boot,
            "first_seq": first_seq,
            "start": start,
            "time": rfc3339(self._clock()),
        }
        if self._notary is None:
            return encode({"header": header})
        if not start and not self._ledger.lost and not self._suspect:
            # the segments before are on the disk to their last lines, so what they say of intents is what a start reads
            header["open_from"] = self._intents.open_from()
        return encode({"header": {**header, **self._notary.header()}})

    # -- failure

    def _fail(self, error: OSError) -> None:
        """The segment is suspect: nobody who waits is told that it was written; a new one is tried every second."""
        self._cause = _cause(error, self._settings.directory)
        self._generation += 1
        lost = self._ledger.fail()
        segment, self._segment = self._segment, None
        given_up = [*self._retired, segment] if segment is not None else self._retired
        self._suspect += [_Suspect(one, self._cause, lost) for one in given_up]
        self._retired.clear()
        if self._sync is None:
            self._close_suspect()
        if lost is not None:
            self._intents.refuse(lost[0], self._clock())
        self._waiters.fail(self._cause)
        if self._retry is None:
            self._retry = self._loop.call_later(self._settings.retry_seconds, self._try_again)

    def _close_suspect(self) -> None:
        """Not while a sync runs: its file descriptor would be somebody else's."""
        for one in self._suspect:
            if one.is_open:
                one.is_open = False
                one.segment.close(release=False)

    def _try_again(self) -> None:
        """Begin elsewhere, say what happened, pay what is owed."""
        self._retry = None
        if self._segment is not None or not self._lock.is_held:
            return
        try:
            if self._sync is not None:  # a slow disk still holds the old sync
                raise OSError(ETIMEDOUT, NO_ANSWER)  # noqa: TRY301 - tried again like any other error
            self._begin_segment()
        except OSError as error:
            self._cause = _cause(error, self._settings.directory)
            self._retry = self._loop.call_later(self._settings.retry_seconds, self._try_again)
            return
        try:
            self._pay()
        except LogUnavailableError:
            return  # failed again, and `_fail` has asked for the next try
        self._start_sync()  # until this is on the disk, lines that were lost would look stolen

    def _pay(self) -> None:
        while self._suspect:
            one = self._suspect[0]
            first, last = one.lost or (None, None)
            body = {"segment": one.segment.path.name, "cause": one.cause, "from_seq": first, "to_seq": last}
            self.append(RecordType.LOG_SUSPECT, Outcome.FAILED, body=body)
            del self._suspect[0]
        while self._intents.owed:
            key, record = next(iter(self._intents.owed.items()))
            if "record_type" in record:
                self.append(**record)
            else:
                self._hand_over(record)
            self._intents.owed.pop(key, None)


def _cause(error: OSError, directory: Path) -> str:
    return f"the audit log in {directory} cannot be written ({error.strerror or error})"
