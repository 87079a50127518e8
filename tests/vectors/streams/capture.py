"""Writes down what real kubectl and Kubernetes' own servers say: `capture.py SERVER KUBECTL...` makes `captured/`.

SERVER is the program of `kubelet/` (built with `go build`): the API server's handlers in front of the kubelet's. Each
KUBECTL is a binary in a folder that bears its version; without one only `fragments.json` is made. Every connection that
is upgraded becomes a file: what the heads say of the protocol, then what each side sent, in the order in which it
passed. The files are for ever; run this again only to add a version.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
LARGE = bytes(range(256)) * 160
"""40 KB: more than the 32 KiB that kubectl and the servers copy at a time."""


@dataclass
class Connection:
    """What passed, as (side, bytes), neighbours joined."""

    passed: list[tuple[str, bytearray]] = field(default_factory=list)

    def note(self, side: str, data: bytes) -> None:
        if self.passed and self.passed[-1][0] == side:
            self.passed[-1][1].extend(data)
        else:
            self.passed.append((side, bytearray(data)))


class Relay:
    """Passes everything on and notes it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connections: list[Connection] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection()
        self.connections.append(connection)
        onward, back = await asyncio.open_connection("127.0.0.1", self.port)
        async with asyncio.TaskGroup() as both:
            both.create_task(self._copy("client", reader, back, connection))
            both.create_task(self._copy("server", onward, writer, connection))

    async def _copy(
        self, side: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: Connection
    ) -> None:
        try:
            while data := await reader.read(1 << 16):
                connection.note(side, data)
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        writer.close()


def upgraded(connection: Connection) -> dict[str, object] | None:
    """The connection without its heads' private parts, or nothing when it was not upgraded."""
    (_, asked), *rest = connection.passed
    if not rest or not rest[0][1].startswith(b"HTTP/1.1 101 "):
        return None
    request, _, first = bytes(asked).partition(b"\r\n\r\n")
    answer, _, behind = bytes(rest[0][1]).partition(b"\r\n\r\n")
    parts = [("client", first), ("server", behind), *((side, bytes(data)) for side, data in rest[1:])]
    return {
        "request": request.decode().split("\r\n")[0],
        "asked": headers(request),
        "answered": headers(answer),
        "passed": [{"from": side, "hex": data.hex()} for side, data in parts if data],
    }


def headers(head: bytes) -> list[str]:
    wanted = re.compile(r"(connection|upgrade|sec-websocket-protocol|x-stream-protocol-version):", re.IGNORECASE)
    return [line for line in head.decode().split("\r\n")[1:] if wanted.match(line)]


CASES: dict[str, tuple[list[str], bytes]] = {
    "exec": (["exec", "p", "--", "sh", "-c", "echo out; echo err >&2; exit 7"], b""),
    "exec-stdin": (["exec", "-i", "p", "--", "cat"], b"typed\n"),
    "exec-large": (["exec", "-i", "p", "--", "cat"], LARGE),
    "exec-terminal": (["exec", "-it", "p", "--", "sh", "-c", "read line; echo got $line"], b"x\n"),
    "attach": (["attach", "-i", "p"], b"typed\n"),
}


WANTED = {("spdy", "1.24"), ("websocket", "1.30"), ("websocket", "1.37"), ("spdy", "1.37")}
"""Before 1.29 there is no WebSocket in kubectl; in 1.30 both were optional."""

SWITCHES = ("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", "KUBECTL_PORT_FORWARD_WEBSOCKETS")

LARGE_WANTED = {("spdy", "1.24"), ("websocket", "1.37")}


def asking(kubectl: str, port: int) -> list[str]:
    return [kubectl, f"--server=http://127.0.0.1:{port}", "--kubeconfig=" + os.devnull]


async def run(kubectl: str, port: int, arguments: list[str], typed: bytes, environment: dict[str, str]) -> None:
    command = [*asking(kubectl, port), *arguments]
    if "-it" in arguments:
        command = ["script", "-qec", f"stty cols 99 rows 33; {shlex.join(command)}", os.devnull]
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | environment,
    )
    _, errors = await asyncio.wait_for(process.communicate(typed), 30)
    print(Path(kubectl).parent.name, arguments, process.returncode, errors.decode()[-200:])


async def forward(kubectl: str, port: int, environment: dict[str, str]) -> None:
    """Two connections to one port, then one to a port on which nothing listens."""
    command = [*asking(kubectl, port), "port-forward", "p", ":80", ":1"]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env=os.environ | environment
    )
    assert process.stdout is not None
    local: dict[str, int] = {}
    while set(local) != {"80", "1"}:
        line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
        if found := re.match(r"Forwarding from 127\.0\.0\.1:(\d+) -> (\d+)", line):
            local[found[2]] = int(found[1])
    for target in ("80", "80", "1"):
        reader, writer = await asyncio.open_connection("127.0.0.1", local[target])
        writer.write(b"ask!")
        try:
            answer = await asyncio.wait_for(reader.read(), 30)
        except ConnectionResetError:
            answer = b""
        print(Path(kubectl).parent.name, "port-forward", target, answer)
        writer.close()
        await asyncio.sleep(0.5)
    if process.returncode is None:
        process.terminate()
    await process.wait()


async def fragments(port: int) -> None:
    """Speak to `cat` as no client does: one message in two fragments, then one that is whole."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [
        "GET /api/v1/namespaces/default/pods/p/exec?command=cat&stdin=true&stdout=true HTTP/1.1",
        "Host: p",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Protocol: v5.channel.k8s.io",
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    await reader.readuntil(b"\r\n\r\n")
    for first, payload in ((0x02, b"\0A"), (0x80, b"\0B"), (0x82, b"\0C"), (0x82, b"\xff\0")):
        writer.write(bytes((first, 0x80 | len(payload), 0, 0, 0, 0)) + payload)
    await asyncio.wait_for(reader.read(), 30)
    writer.close()


async def main(server: str, kubectls: list[str]) -> None:
    backend = await asyncio.create_subprocess_exec(
        server, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert backend.stdout is not None
    relay = Relay(int(await backend.stdout.readline()))
    front = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    port = front.sockets[0].getsockname()[1]
    await fragments(port)
    keep(relay, "../fragments", [])
    for kubectl in kubectls:
        version = re.search(r"1\.\d+", Path(kubectl).parent.name)
        assert version
        for transport, value in (("websocket", "true"), ("spdy", "false")):
            environment = dict.fromkeys(SWITCHES, value)
            if (transport, version[0]) not in WANTED:
                continue
            for name, (arguments, typed) in CASES.items():
                if name == "exec-large" and (transport, version[0]) not in LARGE_WANTED:
                    continue
                relay.connections.clear()
                await run(kubectl, port, arguments, typed, environment)
                keep(relay, f"{name}-{transport}-{version[0]}", arguments)
            relay.connections.clear()
            await forward(kubectl, port, environment)
            keep(relay, f"port-forward-{transport}-{version[0]}", ["port-forward", "p", ":80", ":1"])
    assert backend.stdin is not None
    backend.stdin.close()
    await backend.wait()
    front.close()


def keep(relay: Relay, name: str, arguments: list[str]) -> None:
    found = [story for connection in relay.connections if (story := upgraded(connection))]
    assert len(found) == 1, (name, len(found))
    path = HERE / "captured" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"command": ["kubectl", *arguments], **found[0]}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
