"""A listener before a server that passes bytes on, until it is told to do to them what networks do."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from random import Random

from tests.battery.network.fault import AT_ONCE, Fault

PIECE_BYTES = 64 * 1024
LATE_SECONDS = 0.01
PAUSE_SECONDS = 0.2
BYTES_PER_MILLISECOND = 1024
RST = struct.pack("ii", 1, 0)
"""SO_LINGER on, for no time: closing says RST."""


class FaultProxy:
    """`start`, then `strike` and `heal` in turn, then `stop`."""

    def __init__(self, host: str, port: int, *, seed: int = 0) -> None:
        self.port = 0
        self.fault: Fault | None = None
        self.dice = Random(seed)
        self.delivered = asyncio.Event()
        """Set when something went on to a client."""
        self._target = (host, port)
        self._links: set[_Link] = set()
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> FaultProxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await self.heal()

    def strike(self, fault: Fault) -> None:
        """On every connection that there is and will be."""
        self.fault = fault
        for link in list(self._links):
            link.strike(fault)

    async def heal(self) -> None:
        """New connections pass; those that there are end."""
        self.fault = None
        tasks = [link.task for link in self._links]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        link = _Link(self, task, (reader, writer))
        self._links.add(link)
        try:
            await link.run(*self._target)
        except (OSError, asyncio.CancelledError):
            link.end()
        finally:
            self._links.discard(link)


class _Link:
    """One connection: two sides and what passes between them."""

    def __init__(
        self,
        proxy: FaultProxy,
        task: asyncio.Task[None],
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self.task = task
        self._proxy = proxy
        self._client, self._server = client[1], client[1]
        self._reader = client[0]
        self._once: Fault | None = proxy.fault
        """What has yet to happen once."""
        self._over = False

    async def run(self, host: str, port: int) -> None:
        if self._proxy.fault is Fault.SLOW_ACCEPT:
            await self._pause()
        reader, self._server = await asyncio.open_connection(host, port)
        for writer in (self._client, self._server):
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._proxy.fault is not None:
            self.strike(self._proxy.fault)
        if not self._over:
            await asyncio.gather(
                self._pump(self._reader, self._server, to_client=False),
                self._pump(reader, self._client, to_client=True),
            )
        self.end()

    def strike(self, fault: Fault) -> None:
        self._once = fault
        if fault not in AT_ONCE:
            return
        if fault is Fault.RESET:
            self._reset()
        elif fault is Fault.EARLY_FIN:
            self.end()
        else:
            writer = self._server if fault is Fault.HALF_CLOSE_TO_SERVER else self._client
            with suppress(OSError, RuntimeError):
                writer.write_eof()

    def end(self) -> None:
        """Orderly, both ways."""
        self._over = True
        self._client.close()
        self._server.close()

    def _reset(self) -> None:
        self._over = True
        for writer in (self._client, self._server):
            if not writer.is_closing():
                with suppress(OSError):
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
                writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, to_client: bool) -> None:
        with suppress(OSError):
            while data := await reader.read(PIECE_BYTES):
                await self._pass(data, writer, to_client=to_client)
            if not self._swallows(to_client=to_client) and not writer.is_closing() and writer.can_write_eof():
                writer.write_eof()

    def _swallows(self, *, to_client: bool) -> bool:
        match self._proxy.fault:
            case Fault.BLACK_HOLE:
                return True
            case Fault.HANDSHAKE_STALL | Fault.HALF_CLOSE_TO_CLIENT:
                return to_client
            case Fault.HALF_CLOSE_TO_SERVER:
                return not to_client
            case _:
                return False

    async def _pass(self, data: bytes, writer: asyncio.StreamWriter, *, to_client: bool) -> None:
        if self._swallows(to_client=to_client) or writer.is_closing():
            return
        match self._proxy.fault:
            case Fault.LATENCY:
                await asyncio.sleep(LATE_SECONDS)
            case Fault.JITTER:
                await asyncio.sleep(self._proxy.dice.random() * LATE_SECONDS)
            case Fault.BANDWIDTH:
                await asyncio.sleep(len(data) / BYTES_PER_MILLISECOND / 1000)
            case Fault.SLICER:
                for at in range(len(data)):
                    if writer.is_closing():
                        return
                    writer.write(data[at : at + 1])
                    await asyncio.sleep(0)
                return
            case Fault.SLOW_ACCEPT if self._happens(Fault.SLOW_ACCEPT):
                await self._pause()
            case Fault.CORRUPT if self._happens(Fault.CORRUPT):
                middle = len(data) // 2
                data = data[:middle] + bytes((data[middle] ^ 1,)) + data[middle + 1 :]
            case Fault.DUPLICATE if self._happens(Fault.DUPLICATE):
                data += data
            case Fault.RST_AFTER_REQUEST if to_client:
                self._reset()
                return
            case Fault.TRUNCATED if to_client:
                writer.write(data[: len(data) // 2])
                self.end()
                return
        writer.write(data)
        await writer.drain()
        if to_client:
            self._proxy.delivered.set()

    def _happens(self, fault: Fault) -> bool:
        happens, self._once = self._once is fault, None
        return happens

    async def _pause(self) -> None:
        await asyncio.sleep(PAUSE_SECONDS)
