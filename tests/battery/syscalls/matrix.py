"""Each system call of the work fails at each of its occurrences, in each way, by strace's injection; then what was
promised must be true.

`python -m tests.battery.syscalls.matrix [EVERY]` runs every cell, or one in EVERY. A cell is a call, a fault and a
number n: in each thread of the work the n-th such call fails (strace counts by thread). SIGKILL comes at the call's
entry. Short writes are not here, since strace can only pretend them: see tests/battery/test_log_faults.py.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from auth.keystore import KeystoreError, load_or_create_ca
from auth.state.sqlite import SqliteStore
from recordings.audit.segments import forwards, segments
from recordings.audit.verify import verify
from recordings.errors import LogUnavailableError
from recordings.recorder.directory import RecordingDirectory
from recordings.recorder.frames import RecordingDamagedError
from recordings.recorder.interrupted import seal_interrupted
from recordings.recorder.reader import open_recording
from tests.battery.syscalls.work import HEAD, LOGIN, MISTAKE, ROOT, START, TYPED, Place, a_log

CHECKOUT = Path(__file__).parents[3]
CALLS = (
    "openat",
    "read",
    "write",
    "pread64",
    "pwrite64",
    "writev",
    "fsync",
    "fdatasync",
    "ftruncate",
    "fallocate",
    "close",
    "link",
    "linkat",
    "rename",
    "renameat2",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "sendmsg",
)
ERRORS = ("EIO", "ENOSPC", "EDQUOT", "EROFS", "ENOMEM", "EINTR")
KILL = "SIGKILL"
_COUNTED = re.compile(r"([0-9]+) +([a-z0-9]+)\(")
ATTACH_SECONDS = 10.0


class NotTracedError(RuntimeError):
    """This machine lets nobody trace."""


@dataclass(frozen=True, slots=True)
class Cell:
    """`number` counts from one."""

    call: str
    fault: str
    number: int

    def __str__(self) -> str:
        return f"{self.call} {self.number} {self.fault}"

    @property
    def injection(self) -> tuple[str, ...]:
        what = "signal=KILL" if self.fault == KILL else f"error={self.fault}"
        return ("-e", f"trace={self.call}", "-e", f"inject={self.call}:{what}:when={self.number}")


class Worker:
    """The process that forks the work. A context manager."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.battery.syscalls.work"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=CHECKOUT,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def run(
        self, directory: Path, promises: Path, *trace: str, prepare: Callable[[int], None] = lambda _pid: None
    ) -> int:
        """The work's exit status, as os.waitpid has it; `prepare` gets its process id before it begins.

        Raises NotTracedError.
        """
        pid = int(self._say(f"{directory} {promises}"))
        prepare(pid)
        tracer = traced(pid, trace) if trace else None
        status = int(self._say("go"))
        if tracer is not None:
            tracer.wait(ATTACH_SECONDS)  # it ends with what it traces
        return status

    def _say(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(line, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the work hangs, or its parent died")
        return answer


def traced(pid: int, trace: tuple[str, ...]) -> subprocess.Popen[bytes]:
    """strace, once it holds the process. Raises NotTracedError."""
    tracer = subprocess.Popen(
        ["strace", "-f", "-qq", "-p", str(pid), *trace], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until = time.monotonic() + ATTACH_SECONDS
    while "TracerPid:\t0\n" in Path(f"/proc/{pid}/status").read_text():
        if tracer.poll() is not None or time.monotonic() > until:
            raise NotTracedError("strace cannot attach to a process here")
        time.sleep(0.001)
    return tracer


def occurrences(worker: Worker, folder: Path) -> dict[str, int]:
    """How often each call is made by the thread that makes it most; the first run is to warm up."""
    worker.run(folder / "warm", folder / "warm.promises")
    seen = folder / "seen"
    worker.run(folder / "counted", folder / "counted.promises", "-o", str(seen), "-e", f"trace={','.join(CALLS)}")
    counts: Counter[tuple[str, str]] = Counter()
    for line in seen.read_text().splitlines():
        found = _COUNTED.match(line)
        if found is not None:
            counts[found[1], found[2]] += 1
    most: dict[str, int] = {}
    for (_, call), count in counts.items():
        most[call] = max(most.get(call, 0), count)
    return most


def cells(most: dict[str, int]) -> Iterator[Cell]:
    for call in CALLS:
        for number in range(1, most.get(call, 0) + 1):
            for fault in (*ERRORS, KILL):
                yield Cell(call, fault, number)


def tried(worker: Worker, folder: Path, cell: Cell) -> tuple[str, list[str]]:
    """(how the work ended, what was promised and is not true)."""
    place, promises = emptied(folder)
    status = worker.run(place.directory, promises, "-o", "/dev/null", *cell.injection)
    return judged(place, promises, status, may_be_killed=cell.fault == KILL)


def emptied(folder: Path) -> tuple[Place, Path]:
    """Where the work goes, and the file of its promises."""
    place, promises = Place(folder / "place"), folder / "promises"
    shutil.rmtree(place.directory, ignore_errors=True)
    promises.unlink(missing_ok=True)
    return place, promises


def judged(place: Place, promises: Path, status: int, *, may_be_killed: bool = False) -> tuple[str, list[str]]:
    """As `tried`, of work that has ended."""
    said = promises.read_text() if promises.exists() else ""
    promised = [json.loads(line) for line in said.split("\n")[:-1]]  # what a limit cut was not promised
    if os.WIFSIGNALED(status):
        ended, wrong = "killed", [] if may_be_killed else [f"ended by signal {os.WTERMSIG(status)}"]
    else:
        code = os.waitstatus_to_exitcode(status)
        ended, wrong = {0: "went on", MISTAKE: "stopped"}.get(code, f"exit {code}"), []
        wrong += [ended] if code not in (0, MISTAKE) else []
    why = [what for kind, what in promised if kind == "stopped"]
    return " ".join([ended, *why]), wrong + asyncio.run(broken_promises(place, promised))


async def broken_promises(place: Place, promised: list[tuple[str, Any]]) -> list[str]:
    """After the next start."""
    kept: dict[str, list[Any]] = {}
    for kind, what in promised:
        kept.setdefault(kind, []).append(what)
    wrong = [
        *await of_state(place, kept),
        *of_certificates(place, kept),
        *of_recordings(place, kept),
        *await of_log(place, kept),
    ]
    return [f"{one} (promised: {sorted(kept)})" for one in wrong]


def of_certificates(place: Place, kept: dict[str, list[Any]]) -> Iterator[str]:
    """The CA that was there stays; whatever is half there is completed by the next start."""
    try:
        pem = load_or_create_ca(place.ca, "kube", "kwit", START).pem
    except KeystoreError as error:
        yield f"the next start has no CA: {error}"
        return
    if kept.get("ca", [pem]) != [pem]:
        yield "the CA is another one"


async def of_state(place: Place, kept: dict[str, list[Any]]) -> list[str]:
    store = SqliteStore(place.state)
    await store.open()
    login = await store.get_login(LOGIN.id)
    await store.close()
    wrong = []
    if "login" in kept and login is None:
        wrong.append("a login is gone")
    if "ended" in kept and (login is None or login.ended_at is None):
        wrong.append("a login that was ended lives")
    return wrong


def of_recordings(place: Place, kept: dict[str, list[Any]]) -> Iterator[str]:
    list(seal_interrupted(place.recordings, "w"))
    path = RecordingDirectory(place.recordings).path_of(HEAD.id)
    if "stored" not in kept:
        return
    if path is None:
        yield "a recording is gone"
        return
    try:
        with open_recording(path) as reader:
            if b"".join(moment.data for moment in reader.moments()) != TYPED.data:
                yield "a recording does not hold what was stored"
            if reader.footer is None:
                yield "a recording has no end"
    except RecordingDamagedError as error:
        yield f"a recording is damaged: {error}"
    if kept.get("sealed", [sha256(path.read_bytes()).hexdigest()]) != [sha256(path.read_bytes()).hexdigest()]:
        yield "a recording is not the one that was sealed"


async def of_log(place: Place, kept: dict[str, list[Any]]) -> list[str]:
    log = a_log(place)
    try:
        await log.open()
    except LogUnavailableError as error:
        return [f"the next start refuses: {error}"]
    await log.close()
    findings = [finding for verdict in verify(place.log, ROOT.public) for finding in verdict.findings]
    records = [json.loads(line) for path in segments(place.log) for line in forwards(path)]
    by_seq = {record["seq"]: record for record in records if "seq" in record}
    wrong = [f"the verifier found {finding}" for finding in findings]
    for seq, audit_id in kept.get("intent", []) + kept.get("record", []):
        if seq not in by_seq or by_seq[seq]["event"]["auditID"] != audit_id:
            wrong.append(f"{audit_id} was acknowledged as {seq} and is not there")
    ends = Counter(one["event"]["auditID"] for one in by_seq.values() if one["outcome"] != "intent" and "event" in one)
    wrong += [f"{one} ended {ends[one]} times" for _, one in kept.get("intent", []) if ends[one] != 1]
    for digest in kept.get("sealed", []):
        if not any(one.get("body", {}).get("sha256") == digest for one in by_seq.values()):
            wrong.append("the digest of a recording is not in the log")
    return wrong


def main() -> int:
    every = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    tally: Counter[tuple[str, str]] = Counter()
    bad = 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name, Worker() as worker:
        folder = Path(name)
        chosen = list(cells(occurrences(worker, folder)))[::every]
        for number, cell in enumerate(chosen):
            ended, wrong = tried(worker, folder, cell)
            tally[cell.call, ended] += 1
            if wrong:
                bad += 1
                print(f"{cell}: {ended}: {'; '.join(wrong)}", flush=True)
            if sys.stderr.isatty():
                print(f"\r{number + 1:,} of {len(chosen):,} cells", end="", file=sys.stderr, flush=True)
    for (call, ended), count in sorted(tally.items()):
        print(f"{call:10} {count:6,} {ended}")
    print(f"{sum(tally.values()):,} cells in {time.monotonic() - began:.0f} s; promises broken in {bad}")
    return bool(bad)


if __name__ == "__main__":
    raise SystemExit(main())
