"""`kwit serve` as a process of its own, ended as an operator or a supervisor of services ends it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from proxy.config import Config
from proxy.server import SAME_SIGNAL_SECONDS, Told
from tests.proxy.running import configuration

ROOT = Path(__file__).parents[2]


class Server:
    """The running command; `said` are its lines so far."""

    def __init__(self, process: asyncio.subprocess.Process, config: Config) -> None:
        self.process, self.config, self.said = process, config, list[str]()

    async def until(self, beginning: str) -> None:
        """Raises AssertionError with all it said if it ends before."""
        assert self.process.stderr is not None
        while not (self.said and self.said[-1].startswith(beginning)):
            line = (await self.process.stderr.readline()).decode()
            assert line, self.said
            self.said.append(line.rstrip("\n"))

    async def end(self, number: int = signal.SIGTERM) -> tuple[int, list[str]]:
        """The exit code, and what it said after the signal."""
        assert self.process.stderr is not None
        self.process.send_signal(number)
        rest = (await self.process.stderr.read()).decode().splitlines()
        return await self.process.wait(), rest

    async def ready(self) -> tuple[int, str]:
        url = f"http://{self.config.operations.address}/readyz"
        async with aiohttp.ClientSession() as client, client.get(url) as answer:
            return answer.status, await answer.text()

    def last_records(self) -> dict[str, str]:
        """The type of the last record of each writer, without the host's name."""
        found = {}
        for segment in sorted(self.config.audit_directory.glob("*/*.ndjson")):
            lines = [json.loads(line) for line in segment.read_text().splitlines() if line.strip("\0")]
            records = [line for line in lines if "type" in line]
            found[segment.parent.name.rpartition("-")[2]] = records[-1]["type"]
        return found


@asynccontextmanager
async def serving(path: Path) -> AsyncIterator[Server]:
    command = [sys.executable, "-m", "proxy.cli", "serve", "-c", str(path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE, env=environment)
    try:
        yield Server(process, Config.load(path))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_runs_until_it_is_told_to_stop(number: int, tmp_path: Path) -> None:
    async with serving(configuration(tmp_path, "https://id.example.com", 1)) as server:
        await server.until("kwit: operators")
        config = server.config
        assert [line for line in server.said if not line.startswith("kwit: kubewitness ")] == [
            "kwit: roles: developer",
            "kwit: clusters: staging",
            f"kwit: kubectl   {config.kube.url}  (listens on {config.kube.address})",
            f"kwit: sign-in   {config.web.url}  (listens on {config.web.address})",
            f"kwit: operators http://{config.operations.address}/readyz  /metrics",
        ]
        assert await server.end(number) == (
            0,
            ["kwit: stopping: requests under way may take 1 s more; again to cut them", "kwit: stopped"],
        )
        assert server.last_records() == {"0": "log.stop", "web": "log.stop"}


async def test_the_same_signal_twice_at_once_is_one(tmp_path: Path) -> None:
    async with serving(configuration(tmp_path, "https://id.example.com", 1)) as server:
        await server.until("kwit: operators")
        server.process.send_signal(signal.SIGTERM)
        code, said = await server.end()
        assert (code, said[-1]) == (0, "kwit: stopped")
        assert server.last_records() == {"0": "log.stop", "web": "log.stop"}


class Clock:
    now = 100.0

    def time(self) -> float:
        return self.now


@pytest.mark.parametrize(("seconds", "again"), [(0.0, False), (SAME_SIGNAL_SECONDS, True)])
def test_a_second_signal_cuts_what_runs(seconds: float, again: bool) -> None:
    clock = Clock()
    told = Told(clock)  # type: ignore[arg-type]
    told()
    assert (told.once.is_set(), told.again.is_set()) == (True, False)
    clock.now += seconds
    told()
    assert told.again.is_set() is again


async def test_what_keeps_it_from_starting_is_one_sentence_and_code_1(tmp_path: Path) -> None:
    path = configuration(tmp_path, "https://id.example.com", 1)
    (tmp_path / "secret").unlink()
    async with serving(path) as server:
        code, said = await server.end(0)
    assert code == 1
    assert len(said) == 1
    assert said[0].startswith("kwit: nothing was started: connector corp")


async def test_workers_serve_one_address_report_and_end_together(tmp_path: Path) -> None:
    async with serving(configuration(tmp_path, "https://id.example.com", 1, workers=2)) as server:
        await server.until("kwit: operators")
        assert f"(listens on {server.config.kube.address}, 2 workers)" in "\n".join(server.said)
        assert await server.ready() == (
            200,
            "[+]log ok\n[+]state ok\n[+]worker-0 ok\n[+]worker-1 ok\nreadyz check passed\n",
        )
        code, said = await server.end()
        assert (code, said[-1]) == (0, "kwit: stopped")
        assert server.last_records() == {"0": "log.stop", "1": "log.stop", "web": "log.stop"}


async def test_a_worker_that_dies_is_started_again(tmp_path: Path) -> None:
    async with serving(configuration(tmp_path, "https://id.example.com", 1, workers=2)) as server:
        await server.until("kwit: operators")
        workers = _workers(server.process.pid)
        assert len(workers) == 2
        os.kill(workers[0], signal.SIGKILL)
        await server.until("kwit: worker ")
        assert server.said[-1] == "kwit: worker 0 ended with code -9; it is started again"
        async with asyncio.timeout(30):
            while (await server.ready())[0] != 200:
                await asyncio.sleep(0.05)
        assert (await server.end())[0] == 0


async def test_workers_do_not_outlive_it(tmp_path: Path) -> None:
    async with serving(configuration(tmp_path, "https://id.example.com", 1, workers=2)) as server:
        await server.until("kwit: operators")
        workers = _workers(server.process.pid)
        await server.end(signal.SIGKILL)
        async with asyncio.timeout(30):
            while any(b"spawn_main" in _command(pid) for pid in workers):
                await asyncio.sleep(0.05)
        assert server.last_records()["0"] == "log.stop"


async def test_workers_that_cannot_start_stop_the_rest(tmp_path: Path) -> None:
    path = configuration(tmp_path, "https://id.example.com", 1, workers=2)
    address = Config.load(path).kube.address
    taken = await asyncio.start_server(lambda _r, _w: None, address.host, address.port)
    async with taken, serving(path) as server:
        code, said = await server.end(0)
    assert code == 1
    assert said[-1] == (
        f"kwit: nothing was started: kube.address {address}: Address already in use; free it, or choose another"
    )


def _workers(parent: int) -> list[int]:
    """The processes that a thread of `parent` spawned, first to last."""
    listed = sorted(Path(f"/proc/{parent}/task").glob("*/children"))
    if not listed:
        pytest.skip("this kernel does not list a process's children")
    children = [int(pid) for path in listed for pid in path.read_text().split()]
    return sorted(pid for pid in children if b"spawn_main" in _command(pid))


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
