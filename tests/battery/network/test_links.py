"""Network faults between client, kwit and API server: what comes of each is in `outcomes.yaml`.

A few faults in the short form; `KWIT_NETWORK=1` for all of them, two minutes.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.battery.network.bed import Cell, bed
from tests.battery.network.fault import Fault, Moment
from tests.battery.network.fault_proxy import FaultProxy
from tests.battery.network.outcomes import FAULTS, TABLE, judged

OUTCOMES = TABLE["requests"]
LINKS = ("client", "api")
WAYS = ("get", "put", "exec")


@pytest.mark.parametrize("link", LINKS)
async def test_every_fault_at_every_moment_has_its_defined_outcome(tmp_path: Path, link: str) -> None:
    """No hang, at most one effect, an intent before it, one end, nobody holds an answer that the log does not know."""
    came: dict[tuple[str, Fault], list[str]] = {}
    wrong: list[str] = []
    expected = {(way, fault): OUTCOMES[link][way][fault] for way in WAYS for fault in FAULTS}
    async with bed(tmp_path) as it:
        for (way, fault), words in expected.items():
            results = [await it.run(Cell(link, way, fault, moment)) for moment in Moment]
            came[way, fault] = judged((one.word for one in results), words)
            wrong += [f"{way} {fault}: {broken}" for one in results for broken in one.wrong]
    assert wrong == []
    assert came == expected


def test_the_table_has_every_cell_and_no_other() -> None:
    shape = {link: {way: {fault: len(Moment) for fault in Fault} for way in WAYS} for link in LINKS}
    assert shape == {
        link: {way: {fault: len(words) for fault, words in faults.items()} for way, faults in ways.items()}
        for link, ways in OUTCOMES.items()
    }


class Echo(asyncio.Protocol):
    """Says back what it hears, and remembers it."""

    heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        Echo.heard += data
        self.transport.write(data)  # type: ignore[attr-defined]


async def through(fault: Fault) -> tuple[bytes, bytes]:
    """(what the server heard, what the client got back) of `word` on a connection that was struck beforehand."""
    Echo.heard = b""
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
    proxy = await FaultProxy("127.0.0.1", server.sockets[0].getsockname()[1]).start()
    proxy.strike(fault)
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    got = b""
    try:
        writer.write(b"word")
        async with asyncio.timeout(0.5):
            while (data := await reader.read(100)) and len(got := got + data) < 8:
                pass
    except (OSError, TimeoutError):
        pass
    writer.close()
    await proxy.stop()
    server.close()
    return Echo.heard, got


@pytest.mark.parametrize(
    ("fault", "heard", "got"),
    [
        (Fault.LATENCY, b"word", b"word"),
        (Fault.JITTER, b"word", b"word"),
        (Fault.BANDWIDTH, b"word", b"word"),
        (Fault.SLICER, b"word", b"word"),
        (Fault.SLOW_ACCEPT, b"word", b"word"),
        (Fault.RESET, b"", b""),
        (Fault.EARLY_FIN, b"", b""),
        (Fault.BLACK_HOLE, b"", b""),
        (Fault.HALF_CLOSE_TO_SERVER, b"", b""),
        (Fault.HALF_CLOSE_TO_CLIENT, b"word", b""),
        (Fault.HANDSHAKE_STALL, b"word", b""),
        (Fault.CORRUPT, b"wosd", b"wosd"),
        (Fault.DUPLICATE, b"wordword", b"wordword"),
        (Fault.RST_AFTER_REQUEST, b"word", b""),
        (Fault.TRUNCATED, b"word", b"wo"),
    ],
)
async def test_the_proxy_does_what_each_fault_says(fault: Fault, heard: bytes, got: bytes) -> None:
    assert await through(fault) == (heard, got)
