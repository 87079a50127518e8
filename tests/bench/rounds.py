"""One round: the load generator against one contender, the kernel's counters read on both sides of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.processes import Running, cpu_seconds, forget_peak, peak_bytes, rss_bytes, stop
from tests.bench.scenarios import Scenario

ROUND_SECONDS = 180.0
"""Beyond its measured part: warming up, 1,000 handshakes, 2 GB; the slowest takes a third of it."""


class RoundError(Exception):
    """A round without a result; the message is the load generator's."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one round gave. CPU is of the contender's and of upstream's processes, seconds; latencies microseconds.

    `rss_before` is before the first connection, `rss_after` at the end of the measured part, bytes; `rss_peak` the
    highest in between.
    """

    operations: int
    errors: int
    first_error: str
    seconds: float
    cpu_seconds: float
    upstream_cpu_seconds: float
    p50_us: float
    p99_us: float
    rss_before: int
    rss_after: int
    rss_peak: int
    cipher: str


NAMES_A_ROUND = 100_000
"""New names of one connection: more than it can ask for in a round, so that no round meets another one's."""


def measure(
    scenario: Scenario, loadgen: Path, contender: Running, upstream: Running, pids: Sequence[int], number: int
) -> Round:
    """`pids` are the processes that are charged: none when upstream is asked directly. Raises RoundError.

    `number` is the round's, from 0 on.
    """
    command = command_of(scenario, loadgen, contender, number)
    rss_before = rss_bytes(pids)
    forget_peak(pids)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as load:
        try:
            assert load.stdin is not None
            assert load.stdout is not None
            if load.stdout.readline() != b"ready\n":
                raise RoundError(load.communicate(timeout=ROUND_SECONDS)[1].decode(errors="replace").strip())
            before, upstream_before = cpu_seconds(pids), cpu_seconds(upstream.pids())
            load.stdin.write(b"go\n")
            load.stdin.flush()
            line = load.stdout.readline()
            after, upstream_after = cpu_seconds(pids), cpu_seconds(upstream.pids())
            rss_after, rss_peak = rss_bytes(pids), peak_bytes(pids)
            if not line:
                raise RoundError(load.communicate(timeout=ROUND_SECONDS)[1].decode(errors="replace").strip())
        finally:
            stop(load)
    answer = json.loads(line)
    return Round(
        operations=answer["operations"],
        errors=answer["errors"],
        first_error=answer["first_error"],
        seconds=answer["seconds"],
        cpu_seconds=after - before,
        upstream_cpu_seconds=upstream_after - upstream_before,
        p50_us=answer["p50_us"],
        p99_us=answer["p99_us"],
        rss_before=rss_before,
        rss_after=rss_after,
        rss_peak=rss_peak,
        cipher=answer["cipher"],
    )


def command_of(scenario: Scenario, loadgen: Path, contender: Running, number: int) -> list[str]:
    """The load generator's, for one round."""
    given = {
        "mode": scenario.mode,
        "address": contender.address,
        "path": scenario.path,
        "certificate": contender.certificate,
        "key": contender.key,
        "ca": contender.ca,
        "connections": scenario.connections,
        "duration": f"{scenario.seconds}s",
        "bytes": scenario.upload_bytes,
        "first": number * NAMES_A_ROUND,
    }
    return [str(loadgen), *(f"-{name}={value}" for name, value in given.items())]
