"""A server that is killed again and again while people work: `kill -9` at a random moment after it is up.

`python -m tests.battery.kills.kills KILLS [SEED]` says what each promise came to. What was answered is in the log,
exactly once; nothing reached the API server without an intent; what was under way ended as unknown; recordings that a
kill cut are readable and sealed; the log verifies, without a gap.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from proxy.config import Config
from recordings.audit.note import PublicKey
from recordings.audit.query import oldest_first
from recordings.audit.question import Question
from recordings.audit.verify import verify
from recordings.recorder.directory import RecordingDirectory
from recordings.recorder.reader import open_recording
from tests.battery.kills.upstream import BODY, ApiServer
from tests.bench import certificates as pki
from tests.bench.contenders.kwit_server import configuration, sign_in
from tests.bench.streams.shell import connected, context_for

CHECKOUT = Path(__file__).parents[3]
CLIENTS = 6
SHELLS = 3
PAUSE_SECONDS = 0.01
"""Between two requests of a client: some hundred requests a second in all."""
START_SECONDS = 10.0
ENDS = frozenset({"done", "refused", "aborted", "failed", "unknown-after-crash"})


@dataclass
class Life:
    """What happened over all lives of the server. `acked`: (method, name) of what was answered with 200."""

    rng: random.Random
    acked: list[tuple[str, str]] = field(default_factory=list)
    effects: list[str] = field(default_factory=list)
    shells: int = 0
    slowest_start: float = 0.0
    count: int = 0

    def name(self) -> str:
        self.count += 1
        return f"object-{self.count}"


class Server:
    """The process whose children are the lives. A context manager."""

    def __init__(self, kwit_yaml: Path, errors: Path) -> None:
        self._errors = errors.open("w")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.battery.kills.server", str(kwit_yaml)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=CHECKOUT,
        )

    def begin(self) -> int:
        """The process id of a new life."""
        assert self._process.stdin is not None
        print(file=self._process.stdin, flush=True)
        return int(self._line())

    def end(self, pid: int, by: signal.Signals) -> int:
        """Its status, as os.waitpid has it."""
        with suppress(ProcessLookupError):  # it ended by itself, which its status tells
            os.kill(pid, by)
        return int(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server's parent died: {self.said}")
        return line

    @property
    def said(self) -> str:
        """The end of its error output."""
        return Path(self._errors.name).read_text()[-2000:]

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()


@dataclass(frozen=True)
class People:
    """Who works: where the server listens, and their certificate."""

    life: Life
    address: str
    context: ssl.SSLContext

    async def connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, _, port = self.address.partition(":")
        return await asyncio.open_connection(host, int(port), ssl=self.context, server_hostname="localhost")

    async def request_again_and_again(self) -> None:
        reader, writer = await self.connected()
        try:
            while True:
                await self.request(reader, writer)
                await asyncio.sleep(PAUSE_SECONDS)
        finally:
            writer.transport.abort()

    async def request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name, method = self.life.name(), self.life.rng.choice(["GET", "PUT"])
        body = BODY if method == "PUT" else b""
        path = f"/api/v1/namespaces/default/configmaps/{name}"
        lines = (f"{method} {path} HTTP/1.1", f"Host: {self.address}", f"Content-Length: {len(body)}", "", "")
        writer.write("\r\n".join(lines).encode() + body)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head + await reader.read(1000)
        await reader.readexactly(len(BODY))
        self.life.acked.append((method, name))

    async def type_again_and_again(self) -> None:
        shell = await connected(self.address, self.context, "echo")
        self.life.shells += 1
        try:
            while True:
                await shell.press(b"ls -l\r")
        finally:
            shell.close()

    def begin(self) -> list[asyncio.Task[None]]:
        requests = [asyncio.create_task(self.request_again_and_again()) for _ in range(CLIENTS)]
        return requests + [asyncio.create_task(self.type_again_and_again()) for _ in range(SHELLS)]


async def one_request(people: People) -> None:
    reader, writer = await people.connected()
    await people.request(reader, writer)
    writer.transport.abort()


async def interrupted(tasks: list[asyncio.Task[None]]) -> None:
    """All have lost their server, and nothing else happened to them."""
    async with asyncio.timeout(START_SECONDS):
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(outcome, OSError | EOFError), f"not what a dying server does to clients: {outcome!r}"


def port_of_its_own(rng: random.Random) -> int:
    """Below those that the kernel gives to clients: it must still be free after each kill."""
    while True:
        port = rng.randrange(20_000, 30_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


async def is_up(server: Server, address: str, life: Life) -> None:
    began, (host, _, port) = time.monotonic(), address.partition(":")
    while True:
        with suppress(ConnectionError):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.transport.abort()
            break
        if time.monotonic() - began > START_SECONDS:
            raise AssertionError(f"the server does not start again: {server.said}")
        await asyncio.sleep(0.002)
    life.slowest_start = max(life.slowest_start, time.monotonic() - began)


async def a_random_moment(life: Life, longest: float) -> None:
    """Two in three kills come when there is something to lose: from the first answer on."""
    answered, until = len(life.acked), time.monotonic() + START_SECONDS
    if life.rng.randrange(3):
        while len(life.acked) == answered and time.monotonic() < until:
            await asyncio.sleep(0.001)
    await asyncio.sleep(life.rng.uniform(0, longest))


async def lives(folder: Path, kills: int, *, seed: int, longest: float, told: bool = False) -> tuple[Life, Config]:
    """Kill a server so many times, each at a random moment up to `longest` seconds after it is up or has answered;
    then end it in order."""
    life, keys = Life(random.Random(seed)), pki.make(folder)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(keys.server.certificate, keys.server.key)
    api = await asyncio.get_running_loop().create_server(
        lambda: ApiServer(life.effects), "127.0.0.1", 0, ssl=serving, backlog=256
    )
    upstream = f"127.0.0.1:{api.sockets[0].getsockname()[1]}"
    proof = (str(keys.ca), str(keys.proxy.certificate), str(keys.proxy.key))
    kube, operations = port_of_its_own(life.rng), port_of_its_own(life.rng)
    config = configuration(folder, kube, upstream, *proof, record="standard", operations=operations)
    await sign_in(config, folder)
    ca = config.data_dir / "ca" / "servers.crt"
    people = People(life, str(config.kube.address), context_for(folder / "person.pem", folder / "person.key", ca))
    server = Server(folder / "kwit.yaml", folder / "errors")
    try:
        for number in range(kills):
            pid = server.begin()
            await is_up(server, str(config.kube.address), life)
            tasks = people.begin()
            await a_random_moment(life, longest)
            status = server.end(pid, signal.SIGKILL)
            assert os.WIFSIGNALED(status), f"it had ended by itself: {os.waitstatus_to_exitcode(status)}"
            await interrupted(tasks)
            if told:
                print(f"\r{number + 1:,} of {kills:,} kills", end="", file=sys.stderr, flush=True)
        pid = server.begin()
        await is_up(server, str(config.kube.address), life)
        await one_request(people)  # from then on it ends in order
        assert server.end(pid, signal.SIGTERM) == 0
    finally:
        server.close()
        api.close()
    return life, config


def broken_promises(life: Life, config: Config) -> Iterator[str]:
    """What the log, the verifier and the recordings say against it."""
    directory = config.audit_directory
    root = PublicKey.parse((directory / "root.pub").read_text().strip())
    for verdict in verify(directory, root):
        yield from (f"the verifier found {finding}" for finding in verdict.findings)
    records = [dict(record) for record in oldest_first(directory, Question())]
    requests = [record for record in records if record["type"] == "kube.request"]
    ends = Counter(named(record) for record in requests if record["outcome"] == "done")
    begun = Counter(named(record) for record in requests if record["outcome"] == "intent")
    for method, name in life.acked:
        if ends[name] != 1 or (method == "PUT" and begun[name] != 1):
            yield f"{method} {name} was answered, and has {begun[name]} intents and {ends[name]} ends"
    yield from (f"{name} reached the API server {begun[name]} intents" for name in life.effects if begun[name] != 1)
    over = Counter(record["event"]["auditID"] for record in requests if record["outcome"] in ENDS)
    for record in requests:
        if record["outcome"] == "intent" and over[record["event"]["auditID"]] != 1:
            yield f"{record['event']['auditID']} ended {over[record['event']['auditID']]} times"
    yield from of_recordings(config, records, life)


def named(record: dict[str, Any]) -> str:
    return str(record["event"].get("objectRef", {}).get("name", ""))


def of_recordings(config: Config, records: list[dict[str, Any]], life: Life) -> Iterator[str]:
    sealed = {one["body"]["recording"]: one["body"] for one in records if one["type"] == "recording.seal"}
    paths = list(RecordingDirectory(config.recordings_directory).paths())
    if len(paths) < life.shells:
        yield f"{life.shells} shells were opened, {len(paths)} recordings are there"
    for path in paths:
        with open_recording(path) as reader:
            yield from (f"{path.name}: {finding}" for finding in reader.verify())
            body = sealed.get(reader.head.id)
            if body is None or body["sha256"] != sha256(path.read_bytes()).hexdigest():
                yield f"{path.name} is not what the log says of it: {body}"


def main() -> int:
    kills, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kwit-kills.") as name:
        life, config = asyncio.run(lives(Path(name), kills, seed=seed, longest=0.4, told=sys.stderr.isatty()))
        size = sum(path.stat().st_size for path in config.audit_directory.rglob("*") if path.is_file())
        wrong = list(broken_promises(life, config))
    print("\n".join(wrong[:50]))
    print(
        f"{kills:,} kills in {time.monotonic() - began:.0f} s (seed {seed}): {len(life.acked):,} requests answered, "
        f"{len(life.effects):,} effects, {life.shells:,} shells; a log of {size / 1e6:.0f} MB; the slowest start took "
        f"{life.slowest_start:.2f} s; promises broken: {len(wrong)}"
    )
    return bool(wrong)


if __name__ == "__main__":
    raise SystemExit(main())
