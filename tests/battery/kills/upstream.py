"""An API server that remembers what was done to it: its effects, by the name of the object."""

from __future__ import annotations

import re

from tests.bench.streams.pod import Pod

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
BODY = b'{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"x"}}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


class ApiServer(Pod):
    """One connection: requests one after another, or an exec that echoes."""

    def __init__(self, effects: list[str]) -> None:
        super().__init__()
        self._effects = effects

    def data_received(self, data: bytes) -> None:
        if self._reader is not None or b"upgrade: websocket" in (self._head + data).lower():
            super().data_received(data)
            return
        self._head += data
        while self._request():
            pass

    def _request(self) -> bool:
        head, end, rest = self._head.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        size = int(length[1]) if length is not None else 0
        if not end or len(rest) < size:
            return False
        self._head = rest[size:]
        method, target, _ = head.split(b" ", 2)
        if method == b"PUT":
            self._effects.append(target.rsplit(b"/", 1)[1].decode())
        self._transport.write(ANSWER)
        return True
