"""One port-forward: pairs of streams over SPDY, in a connection of its own or inside a WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from deploy.sandbox.apiserver.kinds import Object
from deploy.sandbox.apiserver.pod_listener import PodListener, ports
from deploy.sandbox.apiserver.spdy_end import SpdyEnd
from deploy.sandbox.apiserver.taken_connection import TakenConnection
from deploy.sandbox.apiserver.websocket_end import WebSocketEnd
from recordings.streams.events import Closing, Ending, Event, Purpose, Role, Side, StreamData, StreamEnded, StreamOpened
from recordings.streams.fault import StreamFaultError
from recordings.streams.frames import Opcode

MAX_SECONDS = 4 * 3600.0
"""What a kubelet allows an idle one."""


class Tunnelled:
    """The content of a tunnel's messages: one run of bytes. `received` gets them."""

    opcode = Opcode.BINARY
    opcodes = frozenset({Opcode.BINARY})
    fragments = True
    midway = False
    understood = 0

    def __init__(self, received: Callable[[bytes], None]) -> None:
        self.take = received

    def end_of_message(self) -> None:
        """Where messages end means nothing."""


@dataclass(slots=True)
class _Pair:
    error: int | None = None
    data: int | None = None
    listener: PodListener | None = None


class PortForward:
    """`receive` the client's bytes; `await serve()` once. `tunnel`: the SPDY bytes are inside WebSocket messages."""

    def __init__(self, pod: Object, send: Callable[[bytes], None], *, tunnel: bool) -> None:
        self._pod, self._ports = pod, ports(pod)
        self._pairs: dict[str, _Pair] = {}
        self._requests: dict[int, str] = {}
        self._over = asyncio.Event()
        self._happened: list[Event] = []
        self._socket = WebSocketEnd(Tunnelled(self._inside), self._happened, send) if tunnel else None
        self._spdy = SpdyEnd(Purpose.PORT_FORWARD, self._socket.message if self._socket else send)

    def receive(self, data: bytes) -> None:
        """What the client does wrong ends it all."""
        try:
            happened = self._socket.receive(data) if self._socket is not None else self._spdy.receive(data)
            for event in happened:
                self._take(event)
        except StreamFaultError:
            self._over.set()

    async def serve(self, connection: TakenConnection) -> None:
        """Until the client ends it."""
        try:
            async with asyncio.timeout(MAX_SECONDS):
                waits = [asyncio.ensure_future(one.wait()) for one in (self._over, connection.lost)]
                try:
                    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for wait in waits:
                        wait.cancel()
        except TimeoutError:
            self._spdy.close()
        if self._socket is not None:
            self._socket.close()
        connection.cut()

    def _inside(self, data: bytes) -> None:
        self._happened.extend(self._spdy.receive(data))

    def _take(self, event: Event) -> None:
        match event:
            case StreamOpened():
                self._open(event)
            case StreamData(role=Role.DATA):
                self._data(self._requests.get(event.stream, ""), event.data)
            case StreamEnded(role=Role.DATA, side=Side.CLIENT, ending=Ending.RESET):
                self._pairs.pop(self._requests.pop(event.stream, ""), None)
            case Closing(side=Side.CLIENT):
                self._over.set()
            case _:
                pass

    def _open(self, event: StreamOpened) -> None:
        assert event.request is not None
        assert event.port is not None
        self._requests[event.stream] = event.request
        pair = self._pairs.setdefault(event.request, _Pair())
        if event.role is Role.ERROR:
            pair.error = event.stream
        else:
            pair.data = event.stream
        if pair.error is None or pair.data is None:
            return
        name = self._pod["metadata"]["name"]
        if event.port in self._ports:
            pair.listener = PodListener(name, event.port)
            return
        uid = self._pod["metadata"]["uid"]
        why = f"error forwarding port {event.port} to pod {name}, uid {uid}: nothing listens on port {event.port}"
        self._spdy.write(pair.error, why.encode())
        self._spdy.end(pair.data)
        self._spdy.reset(pair.error)

    def _data(self, request: str, data: bytes) -> None:
        pair = self._pairs.get(request)
        if pair is None or pair.listener is None or pair.data is None or pair.error is None:
            return
        self._spdy.write(pair.data, pair.listener.receive(data))
        if pair.listener.done:  # ended twice is ended once
            self._spdy.end(pair.data)
            self._spdy.end(pair.error)
