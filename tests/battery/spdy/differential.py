"""Our SPDY reader beside Kubernetes' own library, live, on as many drawn directions as wanted.

`python -m tests.battery.spdy.differential 1000000 [FIRST]` says how many were read alike and what we alone refused.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.battery.spdy.comparing import compared
from tests.battery.spdy.drawn import captured, cut, direction
from tests.battery.spdy.framer import Framer, framer
from tests.e2e.cluster import Unavailable
from tests.recordings.streams.spdy_reading import reading

BATCH = 2_000
"""Directions for one run of the program: a megabyte or two, and a few seconds."""


@dataclass(slots=True)
class Tally:
    """How many came to what; frames read alike; (seed of the batch, bytes, sentence) of each finding."""

    kinds: Counter[str] = field(default_factory=Counter)
    frames: int = 0
    findings: list[tuple[int, str, str]] = field(default_factory=list)


def run(library: Framer, count: int, first: int = 0) -> Tally:
    """Draw and compare; the same numbers draw the same."""
    tally, real = Tally(), captured()
    for seed in range(first, first + count, BATCH):
        dice = random.Random(seed)
        sent = [direction(dice, real) for _ in range(min(BATCH, first + count - seed))]
        for one, theirs in zip(sent, library.read(sent), strict=True):
            ours = reading(cut(dice, one))
            result = compared(one, ours, theirs)
            tally.kinds[result.kind] += 1
            tally.frames += len(ours.frames)
            if result.finding:
                tally.findings.append((seed, one.hex(), result.finding))
    return tally


def main() -> int:
    """1 where something was found, 2 where the library cannot be had."""
    try:
        library = framer()
    except Unavailable as error:
        print(error)
        return 2
    began = time.monotonic()
    tally = run(library, int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    for kind, times in tally.kinds.most_common():
        print(f"{times:10,} {kind or 'DIFFERENT'}")
    for finding in tally.findings[:10]:
        print(*finding)
    print(f"{tally.frames:,} frames read alike in {time.monotonic() - began:.0f} s; differences: {len(tally.findings)}")
    return bool(tally.findings)


if __name__ == "__main__":
    raise SystemExit(main())
