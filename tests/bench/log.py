"""What a signed log costs: `python -m tests.bench.log [--quick] [--directory DIR]`.

Requests wait for their record as a server's do, in one process with one log. The disk is the real one of DIR, and the
real one with each fdatasync drawn out to 1.5 ms, which is what the goals speak of. CPU is that of the whole process,
its waiting requests included.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recordings.audit.disk import RealDisk
from recordings.audit.event import RequestFacts, event
from recordings.audit.keyring import Keyring
from recordings.audit.log import AuditLog, LogSettings
from recordings.audit.notary import Notary
from recordings.audit.note import Ed25519Signer
from recordings.audit.record import Outcome, RecordType
from recordings.audit.verify import verify

ROOT = Ed25519Signer.of("bench/audit-root", Ed25519PrivateKey.from_private_bytes(bytes(32)))
GOAL_SYNC_SECONDS = 0.0015
CALLERS = 128
STEADY_PER_SECOND = 200
START = 1_790_000_000.0
FACTS = RequestFacts(
    audit_id="0" * 36,
    verb="update",
    request_uri="/apis/apps/v1/namespaces/team-7/deployments/checkout",
    user_agent="kubectl/v1.30.0 (linux/amd64) kubernetes/7c48c2b",
    source="10.0.12.7",
    received_at=START,
    is_resource_request=True,
    api_version="v1",
    resource="deployments",
    namespace="team-7",
    name="checkout",
)
EVENT = event(
    FACTS,
    "RequestReceived",
    START,
    user={"username": "ann@example.com", "uid": "0" * 32, "groups": ["eng", "oncall"], "extra": {}},
    annotations={"authorization.k8s.io/decision": "allow", "kubewitness.dev/role": "developer"},
)


@dataclass
class DrawnOutDisk(RealDisk):
    """Each sync takes `seconds` at least."""

    seconds: float
    took: list[float] = field(default_factory=list)

    def sync(self, fd: int) -> None:
        began = time.monotonic()
        super().sync(fd)
        time.sleep(max(0.0, self.seconds - (time.monotonic() - began)))
        self.took.append(time.monotonic() - began)


@dataclass(frozen=True, slots=True)
class Goal:
    """`bound` is the least, or the most where `at_most`."""

    name: str
    value: float
    unit: str
    bound: float | None = None
    at_most: bool = True

    @property
    def line(self) -> str:
        met = "" if self.bound is None else "met" if (self.value <= self.bound) is self.at_most else "MISSED"
        goal = "" if self.bound is None else f" (goal: {'≤' if self.at_most else '≥'} {self.bound:,g})"
        return f"{met:6} {self.name}: {self.value:,.{0 if self.value >= 100 else 2}f} {self.unit}{goal}"


def a_log(directory: Path, disk: DrawnOutDisk) -> AuditLog:
    numbers = itertools.count()
    return AuditLog(
        LogSettings(directory, "bench"),
        loop=asyncio.get_running_loop(),
        clock=time.time,
        mono=time.monotonic,
        new_id=lambda: f"{next(numbers):032x}",
        boot="bench",
        disk=disk,
        notary=Notary(Keyring(directory, "bench/audit/bench", ROOT)),
    )


def a_record(log: AuditLog) -> int:
    return log.append(
        RecordType.KUBE_REQUEST,
        Outcome.INTENT,
        cluster="prod",
        actor={"connector": "corp", "issuer": "https://id.example.com", "subject": "s", "username": "ann@example.com"},
        login="l" * 26,
        source=FACTS.source,
        event=EVENT,
    )


async def sustained(directory: Path, sync_seconds: float, seconds: float) -> tuple[float, float, float]:
    """(durable records a second, CPU µs for each, ms of a sync)."""
    disk = DrawnOutDisk(sync_seconds)
    log, count = a_log(directory, disk), 0
    await log.open()
    until = time.monotonic() + seconds

    async def caller() -> None:
        nonlocal count
        while time.monotonic() < until:
            await log.durable(a_record(log))
            count += 1

    disk.took.clear()
    cpu, began = time.process_time(), time.monotonic()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    cpu, took = time.process_time() - cpu, time.monotonic() - began
    await log.close()
    return count / took, cpu / count * 1e6, sorted(disk.took)[len(disk.took) // 2] * 1e3


async def steady(directory: Path, sync_seconds: float, seconds: float) -> tuple[float, float]:
    """ms that a request waits for its record, p50 and p99, where so many come in a second."""
    log, waits = a_log(directory, DrawnOutDisk(sync_seconds)), []
    await log.open()

    async def request() -> None:
        began = time.monotonic()
        await log.durable(a_record(log))
        waits.append(time.monotonic() - began)

    began, requests = time.monotonic(), []
    for number in range(int(seconds * STEADY_PER_SECOND)):
        await asyncio.sleep(max(0.0, began + number / STEADY_PER_SECOND - time.monotonic()))
        requests.append(asyncio.ensure_future(request()))
    await asyncio.gather(*requests)
    await log.close()
    waits.sort()
    return waits[len(waits) // 2] * 1e3, waits[int(len(waits) * 0.99)] * 1e3


def verified(directory: Path) -> float:
    """Records a second, on one core."""
    cpu = time.process_time()
    (verdict,) = verify(directory, ROOT.public)
    assert verdict.is_whole, verdict
    return verdict.lines / (time.process_time() - cpu)


def measured(folder: Path, seconds: float) -> list[Goal]:
    rate, cpu, sync = uvloop.run(sustained(folder / "fast", 0.0, seconds))
    slow_rate, slow_cpu, slow_sync = uvloop.run(sustained(folder / "slow", GOAL_SYNC_SECONDS, seconds))
    p50, p99 = uvloop.run(steady(folder / "steady", 0.0, seconds))
    slow_p50, slow_p99 = uvloop.run(steady(folder / "steady-slow", GOAL_SYNC_SECONDS, seconds))
    return [
        Goal(f"durable records, {CALLERS} waiting, fdatasync {sync:.2f} ms", rate, "a second"),
        Goal("CPU for each", cpu, "µs"),
        Goal(f"durable records, {CALLERS} waiting, fdatasync {slow_sync:.2f} ms", slow_rate, "a second", 10_000, False),
        Goal("CPU for each", slow_cpu, "µs"),
        Goal(f"a request's wait at {STEADY_PER_SECOND} a second, p50", p50, "ms"),
        Goal(f"a request's wait at {STEADY_PER_SECOND} a second, p99", p99, "ms"),
        Goal("the same with fdatasync at 1.5 ms, p50", slow_p50, "ms", 3.0),
        Goal("the same with fdatasync at 1.5 ms, p99", slow_p99, "ms"),
        Goal("verified records on one core", verified(folder / "fast"), "a second", 300_000, False),
    ]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tests.bench.log", description="What a signed log costs.")
    parser.add_argument("--quick", action="store_true", help="a second of each: shows that it works")
    parser.add_argument("--directory", type=Path, help="on the disk to measure; left out, the temporary folder's")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="kwit-bench-log.", dir=options.directory) as name:
        for goal in measured(Path(name), 1.0 if options.quick else 10.0):
            print(goal.line)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
