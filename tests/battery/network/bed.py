"""A whole server between two fault proxies: one before it, for the client's link, one behind, for the API server's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from recordings.recorder.moment import Kind
from recordings.recorder.reader import open_recording
from tests.auth.connectors.provider import Provider
from tests.battery.network.api_server import HALF, ApiServer
from tests.battery.network.client import Asked, Reach, execute, request
from tests.battery.network.fault import SILENT, Fault, Moment
from tests.battery.network.fault_proxy import FaultProxy
from tests.proxy.running import ROLES, Running, configuration, run

ANSWER_SECONDS = 5.0
"""`kube.limits.answer_timeout`, the least that it may be."""
PATIENCE_SECONDS = 1.5
"""Of a client whose own link stands still, or whose stream does: then it leaves."""
LIMIT_SECONDS = ANSWER_SECONDS + 4.0
"""For a cell: the longest time-out of the configuration, and what a busy machine adds."""
LIMITS = {
    "handshake_timeout": "1s",
    "head_timeout": "1s",
    "connect_timeout": "1s",
    "answer_timeout": f"{ANSWER_SECONDS:.0f}s",
    "idle_timeout": "5s",
    "drain_timeout": "1s",
}
EVERYTHING = ROLES.replace("verbs: [get, list]", "verbs: [get, list, update, exec]")
ENDS = {"done", "refused", "aborted", "failed"}
UNKNOWN = "kubewitness.dev/effect"


@dataclass(frozen=True, slots=True)
class Cell:
    """`link`: client or api. `way`: get, put or exec."""

    link: str
    way: str
    fault: Fault
    moment: Moment

    @property
    def name(self) -> str:
        """Of the object, so that records and effects of a cell are found."""
        return f"{self.link}-{self.way}-{self.fault}-{self.moment}"


@dataclass(frozen=True, slots=True)
class Came:
    """What came of a cell. `word`: as the table has it; `wrong`: which rules that hold for every cell were broken."""

    word: str
    wrong: tuple[str, ...]


@dataclass
class Bed:
    running: Running
    reach: Reach
    server: ApiServer
    links: dict[str, FaultProxy]
    seconds: dict[str, float] = field(default_factory=dict)

    async def run(self, cell: Cell) -> Came:
        """One cell: ask, strike at its moment, wait for the end on both sides and in the log."""
        proxy = self.links[cell.link]
        for link in self.links.values():
            await link.heal()
        self.server.speak.clear()
        self.server.go_on.clear()
        asked, told = Asked(), asyncio.Event()
        self.server.asked = told.set
        began = time.monotonic()
        if cell.moment is Moment.BEGINNING:
            proxy.strike(cell.fault)
            self.server.go_on.set()
        if cell.moment is not Moment.ASKED:
            self.server.speak.set()
        task = asyncio.create_task(self._ask(cell, asked))
        await self._at(cell, proxy, task, asked, told)
        hung = await self._leave(task, cell)
        self.server.go_on.set()
        if hung:
            await proxy.heal()
        record = await self._record(cell)
        self.seconds[cell.name] = time.monotonic() - began
        return Came(_word(asked, record), tuple(self._wrong(cell, asked, record)))

    async def _ask(self, cell: Cell, asked: Asked) -> None:
        if cell.way == "exec":
            await execute(asked, self.reach, cell.name)
        else:
            await request(asked, self.reach, cell.way.upper(), cell.name)

    async def _at(
        self, cell: Cell, proxy: FaultProxy, task: asyncio.Task[None], asked: Asked, told: asyncio.Event
    ) -> None:
        if cell.moment is Moment.BEGINNING:
            return
        awaited = told if cell.moment is Moment.ASKED else asked.half
        waiting = asyncio.create_task(awaited.wait())
        await asyncio.wait({waiting, task}, timeout=LIMIT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        assert awaited.is_set(), f"{cell.name}: the moment did not come: {asked} {self._records(cell)}"
        proxy.strike(cell.fault)
        self.server.speak.set()
        self.server.go_on.set()

    async def _leave(self, task: asyncio.Task[None], cell: Cell) -> bool:
        """Whether the client had to give up: at last, or where nobody else has a limit."""
        free = cell.fault in SILENT and (cell.link == "client" or cell.way == "exec")
        done, _ = await asyncio.wait({task}, timeout=PATIENCE_SECONDS if free else LIMIT_SECONDS)
        if done:
            await task
            return False
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return True

    async def _record(self, cell: Cell) -> dict[str, Any]:
        """Its last record once the log has it; empty where the request was never heard of."""
        until = time.monotonic() + LIMIT_SECONDS
        while time.monotonic() < until:
            records = self._records(cell)
            if records and records[-1]["outcome"] in ENDS:
                return records[-1]
            if not records and cell.name not in self.server.effects and cell.moment is Moment.BEGINNING:
                await asyncio.sleep(0.05)  # a request that is still on its way is under a millisecond away
                if not self._records(cell):
                    return {}
            await asyncio.sleep(0.01)
        return {}

    def _records(self, cell: Cell) -> list[dict[str, Any]]:
        """Those of the request itself; for a stream kwit asks for its pod besides."""
        own = [one for one in self.running.records("kube.request") if _name(one) == cell.name]
        return [one for one in own if (cell.way == "exec") is ("/exec?" in one["event"]["requestURI"])]

    def _wrong(self, cell: Cell, asked: Asked, record: dict[str, Any]) -> list[str]:
        records, found = self._records(cell), list[str]()
        outcomes = [one["outcome"] for one in records]
        effects = self.server.effects.count(cell.name)
        if sum(outcome in ENDS for outcome in outcomes) > 1:
            found.append(f"more than one end: {outcomes}")
        if effects > 1:
            found.append(f"{effects} effects")
        if effects and (not outcomes or outcomes[0] != "intent" or outcomes[-1] not in ENDS):
            found.append(f"an effect with the records {outcomes}")
        if asked.whole and asked.status == 200 and outcomes[-1:] != ["done"]:
            found.append(f"a whole answer with the records {outcomes}")
        if effects and not asked.status and record.get("outcome") == "failed" and not _is_unknown(record):
            found.append("it may have happened, and its record says that it failed")
        if asked.status == 200 and not (HALF + HALF).startswith(asked.body):
            found.append("bytes that the API server did not send")
        if self.seconds.get(cell.name, 0.0) > LIMIT_SECONDS:
            found.append("it hung")
        if cell.way == "exec" and asked.status == 101:
            found += self._wrong_recording(asked, record)
        return found

    def _wrong_recording(self, asked: Asked, record: dict[str, Any]) -> list[str]:
        identity = record["event"]["annotations"].get("kubewitness.dev/recording")
        paths = list(self.running.config.recordings_directory.rglob(f"*{identity}*"))
        if len(paths) != 1:
            return [f"recording {identity}: {len(paths)} files"]
        with open_recording(paths[0]) as reader:
            problems = reader.verify()
            out = b"".join(one.data for one in reader.moments() if one.kind is Kind.STDOUT)
        if problems or not out.startswith(asked.stdout) or not (HALF + HALF).startswith(out):
            return [f"the recording: {problems}, {len(out)} bytes, the client has {len(asked.stdout)}"]
        return []


def _name(record: dict[str, Any]) -> str:
    return str(record["event"]["requestURI"]).partition("?")[0].split("/")[6]


def _is_unknown(record: dict[str, Any]) -> bool:
    return record["event"]["annotations"].get(UNKNOWN) == "unknown"


def _word(asked: Asked, record: dict[str, Any]) -> str:
    """What the client saw, what the record says, and a question mark where it says that nobody knows."""
    saw = str(asked.status or "nothing") if asked.whole or not asked.status else "torn"
    if not record:
        return f"{saw}, no record"
    code = record["event"].get("responseStatus", {}).get("code")
    said = record["outcome"] if code is None else f"{record['outcome']} {code}"
    ended = record["event"]["annotations"].get("kubewitness.dev/ended")
    return f"{saw}, {said}{f' {ended}' if ended else ''}{'?' if _is_unknown(record) else ''}"


@asynccontextmanager
async def bed(folder: Path) -> AsyncIterator[Bed]:
    """Everything up, somebody signed in."""
    provider = await Provider().start()
    server = await ApiServer().start(folder / "api")
    behind = await FaultProxy("127.0.0.1", server.port).start()
    (folder / "kwit").mkdir()
    path = configuration(folder / "kwit", provider.issuer, behind.port)
    document = yaml.safe_load(path.read_text())
    document["kube"]["limits"] = LIMITS
    path.write_text(yaml.safe_dump(document))
    (path.parent / "roles" / "roles.yaml").write_text(EVERYTHING)
    async with run(path) as running:
        address = running.config.kube.address
        before = await FaultProxy(address.host, address.port).start()
        reach = Reach(before.port, f"localhost:{address.port}", await running.certificate())
        yield Bed(running, reach, server, {"client": before, "api": behind})
        await before.stop()
        await behind.stop()
    await server.stop()
    await provider.stop()
