"""Bit rot in a large log: one drawn bit of a segment flips on the disk, verification must name the place, and the bit
flips back.

To verify a gigabyte for each bit would take all day, so the verifier is shown a directory that holds `keys`, the
touched segment and the one behind it, as hard links. That is honest: `verify` judges a segment by its own header, its
key in the chain and its own checkpoints, and looks beyond it only to compare its end with the next header. What it says
of the segments that this view lacks is known beforehand. Every `WHOLE_EVERY`th bit the whole log is verified as
well: there, nothing but that place may be found, and all other segments up to the last checkpoint must hold.

`python -m tests.battery.log.flips 1000 1000000000` flips 1,000 bits in a log of so many bytes.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from recordings.audit.record import Outcome, RecordType
from recordings.audit.segments import segments
from recordings.audit.verdict import Finding, Kind, Verdict
from recordings.audit.verify import verify
from tests.battery.log.tamper import KEYS, ROOT, a_log

SEGMENT_BYTES = 4 * 1024 * 1024
"""A verification reads two of them."""
RECORD_CHARACTERS = 600
BATCH = 100
"""Records for one checkpoint, as on a busy server."""
WHOLE_EVERY = 500
AFTERMATH = {Kind.MISSING, Kind.ALTERED}
"""What the next segment's header may be found to lack, where the end of the touched one is the end no more."""


@dataclass(frozen=True, slots=True)
class Rotting:
    """A log in a directory: its segments, and what is said of it while it is whole."""

    directory: Path
    paths: tuple[Path, ...]
    true: Verdict

    @property
    def bytes(self) -> int:
        return sum(path.stat().st_size for path in self.paths)


@dataclass(slots=True)
class Tally:
    """`unseen`: (file, byte, bit, what was found instead); should be empty. `wholes`: times the whole was verified."""

    flips: int = 0
    wholes: int = 0
    unseen: list[tuple[str, int, int, str]] = field(default_factory=list)


def rotting(directory: Path, size: int, *, segment_bytes: int = SEGMENT_BYTES) -> Rotting:
    """Write a signed log of about so many bytes."""
    asyncio.run(_write(directory, size, segment_bytes))
    (true,) = verify(directory, ROOT.public)
    assert true.is_whole, true.findings
    return Rotting(directory, tuple(segments(directory)), true)


async def _write(directory: Path, size: int, segment_bytes: int) -> None:
    random = Random(size)
    log = a_log(directory, origin=f"acme/{directory.name}", segment_bytes=segment_bytes)
    await log.open()
    left = size
    while left > 0:
        for _ in range(BATCH):
            what = random.randbytes(RECORD_CHARACTERS // 2).hex()
            seq = log.append(RecordType.CONFIG_CHANGE, Outcome.DONE, body={"what": what})
            left -= RECORD_CHARACTERS
        await log.durable(seq)
    await log.close()


def run(log: Rotting, count: int, random: Random, *, whole_every: int = WHOLE_EVERY) -> Tally:
    """Flip so many drawn bits, one after another; the files are as before when it returns."""
    tally = Tally()
    while tally.flips < count:
        at = random.randrange(len(log.paths))
        with _view(log, at) as view:
            (before,) = verify(view, ROOT.public)
            for _ in range(min(50, count - tally.flips)):
                flip_one(log, at, view, before, random, tally, whole=tally.flips % whole_every == 0)
    return tally


@contextmanager
def _view(log: Rotting, at: int) -> Iterator[Path]:
    """`keys`, this segment and the one behind it."""
    with tempfile.TemporaryDirectory(dir=log.directory.parent) as folder:
        view = Path(folder) / log.directory.name
        view.mkdir()
        for path in (log.directory / KEYS, *log.paths[at : at + 2]):
            (view / path.name).hardlink_to(path)
        yield view


def flip_one(log: Rotting, at: int, view: Path, before: Verdict, random: Random, tally: Tally, *, whole: bool) -> None:
    """One bit, judged in the view, and in the whole log where wanted."""
    path = log.paths[at]
    place, bit = random.randrange(path.stat().st_size), random.randrange(8)
    behind = log.paths[at + 1].name if at + 1 < len(log.paths) else ""
    with _flipped(path, place, bit):
        (verdict,) = verify(view, ROOT.public)
        found = [one for one in verdict.findings if one not in before.findings]
        complaint = "" if is_named(found, path.name, place) else f"the segment alone: {found}"
        if whole:
            (verdict,) = verify(log.directory, ROOT.public)
            tally.wholes += 1
            complaint = complaint or unusable(log, verdict, path.name, place, behind)
    tally.flips += 1
    if complaint:
        tally.unseen.append((path.name, place, bit, complaint))


@contextmanager
def _flipped(path: Path, place: int, bit: int) -> Iterator[None]:
    file = os.open(path, os.O_RDWR)
    try:
        (byte,) = os.pread(file, 1, place)
        os.pwrite(file, bytes((byte ^ 1 << bit,)), place)
        try:
            yield
        finally:
            os.pwrite(file, bytes((byte,)), place)
    finally:
        os.close(file)


def is_named(found: list[Finding], name: str, place: int) -> bool:
    """A finding is of this file, gives lines, and its bytes hold the place."""
    return any(one.file == name and one.first_line > 0 and one.first_byte <= place < one.end_byte for one in found)


def unusable(log: Rotting, verdict: Verdict, name: str, place: int, behind: str) -> str:
    """A sentence where the verdict on the whole log is another than: this place, its aftermath, the rest holds."""
    if not is_named(verdict.findings, name, place):
        return f"the whole log: {verdict.findings}"
    strange = [
        one for one in verdict.findings if one.file != name and not (one.file == behind and one.kind in AFTERMATH)
    ]
    if strange:
        return f"elsewhere in the whole log: {strange}"
    if behind and (verdict.checkpoint, verdict.size) != (log.true.checkpoint, log.true.size):
        return f"the log does not reach its last checkpoint: {verdict.size} of {log.true.size} lines"
    return "" if verdict.segments == len(log.paths) else f"{verdict.segments} segments were read"


def main() -> int:
    """1 where a bit rotted unseen or was misplaced."""
    count, size = int(sys.argv[1]), int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        log = rotting(Path(folder) / "node-0", size)
        print(f"{log.bytes:,} bytes, {log.true.lines:,} lines, {len(log.paths)} segments", flush=True)
        began = time.monotonic()
        tally = run(log, count, Random(count))
        (after,) = verify(log.directory, ROOT.public)
    print(f"{tally.flips:,} bits, {tally.wholes} with the whole log, in {time.monotonic() - began:.0f} s")
    print(f"whole again: {after.is_whole}; unseen or misplaced: {tally.unseen}")
    return bool(tally.unseen) or not after.is_whole


if __name__ == "__main__":
    raise SystemExit(main())
