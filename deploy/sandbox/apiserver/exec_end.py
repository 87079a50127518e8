"""A server's end of one exec or attach, whichever protocol the client chose: roles, not streams or channels."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from typing import Protocol

from deploy.sandbox.apiserver.spdy_end import SpdyEnd
from deploy.sandbox.apiserver.stream_options import StreamOptions
from deploy.sandbox.apiserver.websocket_end import MAX_PIECE, WebSocketEnd
from recordings.streams.channels import DIALECTS, EXEC, ChannelReader
from recordings.streams.events import Event, Purpose, Role, Side
from recordings.streams.outcome import STATUS_PROTOCOLS


class ExecEnd(Protocol):
    """What a process is connected to."""

    def receive(self, data: bytes) -> list[Event]:
        """What the client's bytes come to. Raises StreamFaultError."""
        ...

    def begin(self) -> None:
        """Say that the stream is up."""
        ...

    def write(self, role: Role, data: bytes) -> None:
        """Send output."""
        ...

    def finish(self, said: bytes) -> None:
        """Send how it ended, and end everything."""
        ...


class ChannelsEnd:
    """Over WebSocket."""

    def __init__(self, protocol: str, options: StreamOptions, send: Callable[[bytes], None]) -> None:
        events: list[Event] = []
        self._dialect, self._options = DIALECTS[protocol], options
        self._socket = WebSocketEnd(ChannelReader(Side.CLIENT, self._dialect, events.append), events, send)

    def receive(self, data: bytes) -> list[Event]:
        """As the client's messages say."""
        return self._socket.receive(data)

    def begin(self) -> None:
        """An empty message on the first channel that the client listens to."""
        first = {Role.STDOUT: self._options.stdout, Role.STDERR: self._options.stderr, Role.ERROR: True}
        self._message(next(role for role, asked in first.items() if asked), b"")

    def write(self, role: Role, data: bytes) -> None:
        """In messages of at most `MAX_PIECE`."""
        for at in range(0, len(data), MAX_PIECE):
            self._message(role, data[at : at + MAX_PIECE])

    def finish(self, said: bytes) -> None:
        """The error channel, then a Close."""
        if said:
            self._message(Role.ERROR, said)
        self._socket.close()

    def _message(self, role: Role, data: bytes) -> None:
        channel = EXEC.roles.index(role)
        if self._dialect.base64:
            self._socket.message(str(channel).encode() + b64encode(data))
        else:
            self._socket.message(bytes((channel,)) + data)


class StreamsEnd:
    """Over SPDY."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._spdy = SpdyEnd(Purpose.EXEC, send)

    def receive(self, data: bytes) -> list[Event]:
        """As the client's frames say."""
        return self._spdy.receive(data)

    def begin(self) -> None:
        """The replies to the client's streams have said it."""

    def write(self, role: Role, data: bytes) -> None:
        """On the stream of this role, if the client has opened one."""
        stream = self._spdy.stream_of(role)
        if stream is not None:
            self._spdy.write(stream, data)

    def finish(self, said: bytes) -> None:
        """The error stream, then the end of all of them."""
        self.write(Role.ERROR, said)
        self._spdy.close()


def exited(protocol: str, code: int) -> bytes:
    """What the error stream says of an exit code."""
    if code == 0:
        return _status({"status": "Success"}) if protocol in STATUS_PROTOCOLS else b""
    message = f"command terminated with non-zero exit code: command terminated with exit code {code}"
    if protocol not in STATUS_PROTOCOLS:
        return message.encode()
    causes = [{"reason": "ExitCode", "message": str(code)}]
    said: dict[str, object] = {"status": "Failure", "message": message, "reason": "NonZeroExitCode"}
    return _status(said | {"details": {"causes": causes}})


def failed(protocol: str, message: str) -> bytes:
    """What the error stream says where no command ran to its end."""
    if protocol not in STATUS_PROTOCOLS:
        return message.encode()
    return _status({"status": "Failure", "message": message, "reason": "InternalError", "code": 500})


def _status(said: dict[str, object]) -> bytes:
    return json.dumps({"metadata": {}} | said, separators=(",", ":")).encode()
