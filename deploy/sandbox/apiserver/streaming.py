"""exec, attach and port-forward: from an allowed request to the end of its connection."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from aiohttp import web

from deploy.sandbox.apiserver.caller import Headers
from deploy.sandbox.apiserver.exec_end import ChannelsEnd, StreamsEnd
from deploy.sandbox.apiserver.exec_stream import ExecStream
from deploy.sandbox.apiserver.kinds import Object
from deploy.sandbox.apiserver.pod_folders import PodFolders
from deploy.sandbox.apiserver.pod_process import Place, PodProcess, start
from deploy.sandbox.apiserver.port_forward import PortForward
from deploy.sandbox.apiserver.problem import Problem
from deploy.sandbox.apiserver.resources import Asked
from deploy.sandbox.apiserver.stream_handshake import Upgrade, negotiate
from deploy.sandbox.apiserver.stream_options import StreamOptions, check_running, read_options
from deploy.sandbox.apiserver.taken_connection import TakenConnection, Upgraded
from recordings.streams.events import Purpose

MAX_CONNECTIONS = 600
"""Commands and port-forwards at once: what the benchmark of recorded shells holds, and some; each is a process."""
IDLE = ("tail", "-f", "/dev/null")
"""What a container does that was not made to be typed into: attached, it says nothing."""


class Streaming:
    """`await serve(…)` for each request; `await close()` at the end."""

    def __init__(self) -> None:
        self._folders = PodFolders()
        self._open: set[asyncio.Task[None]] = set()
        self._processes: set[PodProcess] = set()

    async def serve(self, request: web.Request, headers: Headers, asked: Asked, pod: Object) -> web.StreamResponse:
        """Raises Problem, as long as nothing is upgraded."""
        forwards = asked.info.subresource == "portforward"
        if forwards:
            check_running(pod)
            options = None
        else:
            options = read_options(pod, asked)
        purpose = Purpose.PORT_FORWARD if forwards else Purpose.EXEC
        upgrade = negotiate(headers, purpose, request.headers.get("Audit-ID", ""))
        if len(self._open) >= MAX_CONNECTIONS:
            raise Problem(429, "TooManyRequests", f"the sandbox has {MAX_CONNECTIONS} commands and port-forwards open")
        work = _forward(request, upgrade, pod) if options is None else self._exec(request, upgrade, options, pod)
        task = asyncio.create_task(work)
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        try:
            await task
        finally:
            task.cancel()
        return Upgraded()

    async def close(self) -> None:
        """End all of them, and what their pods have written."""
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        for process in list(self._processes):  # whose end was broken off by the client's going
            await process.end()
        self._folders.close()

    async def _exec(self, request: web.Request, upgrade: Upgrade, options: StreamOptions, pod: Object) -> None:
        connection = TakenConnection(request)
        if upgrade.spdy:
            stream = ExecStream(StreamsEnd(connection.send), options.roles)
        else:
            stream = ExecStream(ChannelsEnd(upgrade.protocol, options, connection.send), frozenset())
        connection.begin(upgrade.head, stream.receive)
        place = Place(self._folders.of(pod["metadata"]["uid"]), pod["metadata"]["name"])
        running = options if options.command else replace(options, command=_main(pod, options.container))

        async def started() -> PodProcess:
            process = await start(running, place)
            self._processes.add(process)
            return process

        try:
            await stream.serve(connection, upgrade.protocol, started)
        finally:
            self._processes = {process for process in self._processes if not process.is_over}


async def _forward(request: web.Request, upgrade: Upgrade, pod: Object) -> None:
    connection = TakenConnection(request)
    forward = PortForward(pod, connection.send, tunnel=not upgrade.spdy)
    connection.begin(upgrade.head, forward.receive)
    await forward.serve(connection)


def _main(pod: Object, name: str) -> tuple[str, ...]:
    """What an attach gets of a container: its own command where it was made to be typed into."""
    container = next(one for one in pod["spec"]["containers"] if one["name"] == name)
    if not container.get("stdin"):
        return IDLE
    return (*container.get("command", ()), *container.get("args", ())) or ("sh",)
