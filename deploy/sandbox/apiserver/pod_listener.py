"""What listens on a sandbox pod's ports: an HTTP server of one answer, nothing of this machine's network."""

from __future__ import annotations

from deploy.sandbox.apiserver.kinds import Object

MAX_HEAD_BYTES = 16 * 1024
"""Of a request; who sends more without an end of it gets no answer."""
_END = b"\r\n\r\n"


def ports(pod: Object) -> frozenset[int]:
    """Those that the pod's containers name."""
    containers = pod["spec"]["containers"]
    return frozenset(one["containerPort"] for container in containers for one in container.get("ports", ()))


class PodListener:
    """One connection to a port: `receive` bytes, send on what it returns; `done` when nothing more comes."""

    def __init__(self, pod: str, port: int) -> None:
        self.done = False
        self._who, self._head = f"{pod}:{port}", b""

    def receive(self, data: bytes) -> bytes:
        """The answer once the request's head is whole."""
        if self.done:
            return b""
        self._head += data
        line, found, _ = self._head.partition(b"\r\n")
        if _END not in self._head:
            self.done = len(self._head) > MAX_HEAD_BYTES
            return b""
        self.done = True
        asked = line.decode("latin-1") if found else ""
        body = f"{self._who} heard {asked}\n".encode()
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        return head.encode() + body
