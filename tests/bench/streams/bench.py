"""The benchmark of streams: echo, flood, many shells; kwit, which records, beside nginx, which only passes bytes.

python -m tests.bench.streams.bench [--quick]
"""

from __future__ import annotations

import argparse
import asyncio
import ssl
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import uvloop

from tests.bench import certificates as pki
from tests.bench.contenders.kwit import start_kwit
from tests.bench.contenders.nginx import start_nginx
from tests.bench.processes import Running, cpu_seconds, free_port, rss_bytes, start
from tests.bench.programs import UnavailableError
from tests.bench.streams.flood import flooding
from tests.bench.streams.shell import NOT_RECORDED, RECORDED, Shell, connected, context_for

CHECKOUT = Path(__file__).parents[3]
POD = "tests.bench.streams.pod"
KEYS = 2_000
MIB = 1 << 20


@dataclass(slots=True)
class Figures:
    """Milliseconds, MB/s, CPU milliseconds for each MB, KiB."""

    echo_p50: float = 0.0
    echo_p99: float = 0.0
    flood_rate: float = 0.0
    flood_cpu: float = 0.0
    plain_rate: float = 0.0
    plain_cpu: float = 0.0
    many_p50: float = 0.0
    many_p99: float = 0.0
    beside_flood_p50: float = 0.0
    beside_flood_p99: float = 0.0
    idle_kib: float = 0.0


def percentile(values: list[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1000


async def measured(running: Running, *, flood_mib: int, shells: int, seconds: float, direct: bool) -> Figures:
    figures = Figures()
    context = context_for(running.certificate, running.key, running.ca)
    pids = () if direct else running.pids()

    before_rss = rss_bytes(pids)  # before a flood leaves memory behind that idle streams would take up
    many = [await connected(running.address, context, "echo") for _ in range(shells)]
    figures.idle_kib = (rss_bytes(pids) - before_rss) / 1024 / shells
    times = await typing(many, seconds)
    figures.many_p50, figures.many_p99 = percentile(times, 0.5), percentile(times, 0.99)
    for one in many:
        one.close()

    shell = await connected(running.address, context, "echo")
    times = [await shell.press(b"x") for _ in range(KEYS)]
    figures.echo_p50, figures.echo_p99 = percentile(times, 0.5), percentile(times, 0.99)

    figures.flood_rate, figures.flood_cpu = await flooded(running, context, pids, flood_mib, RECORDED)
    figures.plain_rate, figures.plain_cpu = await flooded(running, context, pids, flood_mib, NOT_RECORDED)

    with flooding(running):
        times = [await shell.press(b"x") for _ in range(KEYS)]
    figures.beside_flood_p50, figures.beside_flood_p99 = percentile(times, 0.5), percentile(times, 0.99)
    shell.close()
    return figures


async def flooded(
    running: Running, context: ssl.SSLContext, pids: tuple[int, ...], mib: int, target: str
) -> tuple[float, float]:
    """(MB/s, CPU milliseconds for each MB): the better of three, since noise only takes away."""
    rates, costs = [], []
    for _ in range(3):
        before, began = cpu_seconds(pids), asyncio.get_running_loop().time()
        flood = await connected(running.address, context, "flood", str(mib * MIB // 3), target=target)
        await flood.ended
        megabytes = flood.received / 1e6
        rates.append(megabytes / (asyncio.get_running_loop().time() - began))
        costs.append((cpu_seconds(pids) - before) * 1000 / megabytes)
        flood.close()
    return max(rates), min(costs)


async def typing(shells: list[Shell], seconds: float) -> list[float]:
    """Each shell echoes 1 KiB a second, in eight pieces."""
    times: list[float] = []
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds

    async def one(number: int, shell: Shell) -> None:
        next_at = loop.time() + number / len(shells) / 8
        while next_at < until:
            await asyncio.sleep(max(0.0, next_at - loop.time()))
            times.append(await shell.press(b"k" * 128))
            next_at += 0.125

    await asyncio.gather(*(one(number, shell) for number, shell in enumerate(shells)))
    return times


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tests.bench.streams.bench", description="What recording costs a stream.")
    parser.add_argument("--quick", action="store_true", help="less of everything: shows that it works")
    options = parser.parse_args(arguments)
    size, shells, seconds = (64, 50, 2.0) if options.quick else (1024, 500, 10.0)
    rows: dict[str, Figures] = {}
    with tempfile.TemporaryDirectory(prefix="kwit-streams.") as name:
        folder = Path(name)
        keys = pki.make(folder)
        port = free_port()
        pod = start(
            [
                sys.executable,
                "-m",
                "tests.bench.streams.pod",
                str(port),
                keys.server.certificate,
                keys.server.key,
                keys.ca,
            ],
            port,
            folder / "pod.log",
            CHECKOUT,
        )
        behind = Running(f"127.0.0.1:{port}", keys.client.certificate, keys.client.key, keys.ca, pod)
        starts: dict[str, Callable[[Path], Running]] = {
            "direct": lambda _: behind,
            "nginx": lambda own: start_nginx(own, behind.address, keys),
            "kwit": lambda own: start_kwit(own, behind.address, keys),
            "kwit, strict": lambda own: start_kwit(own, behind.address, keys, "strict"),
        }
        try:
            for title, begin in starts.items():
                print(f"{title} …", file=sys.stderr, flush=True)
                own = folder / title.replace(", ", "-")
                own.mkdir()
                try:
                    running = begin(own)
                except UnavailableError as error:
                    print(f"left out {title}: {error}")
                    continue
                try:
                    rows[title] = run(running, flood_mib=size, shells=shells, seconds=seconds, direct=title == "direct")
                finally:
                    if running is not behind:
                        running.stop()
        finally:
            behind.stop()
    show(rows, size, shells)
    return 0


def run(running: Running, **rest: object) -> Figures:
    job: Callable[..., Awaitable[Figures]] = measured
    return uvloop.run(job(running, **rest))  # type: ignore[arg-type]


def show(rows: dict[str, Figures], size: int, shells: int) -> None:
    lines = [
        ("echo p50 ms", "echo_p50", 2),
        ("echo p99 ms", "echo_p99", 2),
        (f"{size} MiB through exec, MB/s", "flood_rate", 0),
        ("CPU ms for each MB", "flood_cpu", 2),
        ("the same not recorded (pods/proxy), MB/s", "plain_rate", 0),
        ("CPU ms for each MB", "plain_cpu", 2),
        ("echo p50 ms beside a flood", "beside_flood_p50", 2),
        ("echo p99 ms beside a flood", "beside_flood_p99", 2),
        (f"{shells} shells of 1 KiB/s: echo p50 ms", "many_p50", 2),
        (f"{shells} shells of 1 KiB/s: echo p99 ms", "many_p99", 2),
        ("KiB for each idle stream", "idle_kib", 0),
    ]
    print("| | " + " | ".join(rows) + " |")
    print("|---|" + "---:|" * len(rows))
    for title, key, digits in lines:
        print(f"| {title} | " + " | ".join(f"{getattr(one, key):.{digits}f}" for one in rows.values()) + " |")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
