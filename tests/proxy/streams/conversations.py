"""Conversations of real kubectls with a real kubelet, as files have them, and a plane that carries them."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

from auth.rbac import Role, RoleBinding, Rule, Subject, compile_policy
from auth.rbac.role import Options
from proxy.streams.handshake import accept_of
from tests.proxy.dataplane import HOST

CAPTURED = Path(__file__).parents[2] / "vectors" / "streams" / "captured"
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
"""RFC 6455's example."""
NAMES = sorted(path.stem for path in CAPTURED.glob("*.json"))


class Conversation:
    """`request`: the client's head; `answer`: the server's; `passed`: (whether the client sent it, bytes) in order."""

    def __init__(self, name: str) -> None:
        found = json.loads((CAPTURED / f"{name}.json").read_text())
        lines = [found["request"].encode(), b"Host: " + HOST, *(line.encode() for line in found["asked"])]
        if found["request"].startswith("POST"):
            lines.append(b"Content-Length: 0")
        answered = [line.encode() for line in found["answered"]]
        if b"Upgrade: websocket" in lines:  # the captures leave out what is new each time
            lines += [b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: " + KEY]
            answered.append(b"Sec-WebSocket-Accept: " + accept_of(KEY))
        self.request = b"\r\n".join((*lines, b"", b""))
        self.answer = b"\r\n".join((b"HTTP/1.1 101 Switching Protocols", *answered, b"", b""))
        self.passed = [(piece["from"] == "client", bytes.fromhex(piece["hex"])) for piece in found["passed"]]

    def sent_by(self, *, client: bool) -> bytes:
        return b"".join(data for by_client, data in self.passed if by_client is client)


def roles(options: Options = Options()):  # noqa: B008 - it cannot change
    """Everything, our own verbs too."""
    everything = Rule(("*", "exec", "attach", "portforward", "proxy", "debug"), ("*",), ("*",))
    role = Role("shells", as_groups=("kwit:eng",), allow=(everything,), options=options)
    return compile_policy([role], [RoleBinding("devs", "shells", (Subject("Group", "eng", "corp"),))], ["corp"])


async def until(condition: Callable[[], object]) -> None:
    """Wait for what threads do; a test that waits for what never comes fails by pytest's own limit."""
    while not condition():
        await asyncio.sleep(0.001)
