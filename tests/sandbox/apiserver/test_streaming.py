"""exec, attach and port-forward as a client's sockets see them; what real clients sent gets what real servers said."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from deploy.sandbox.apiserver import SandboxAPIServer, exec_stream
from deploy.sandbox.apiserver import streaming as module
from deploy.sandbox.apiserver.access import READ_ONLY
from recordings.streams.events import Closing, Ending, Purpose, Role, Side, StreamData, StreamEnded, StreamOpened
from recordings.streams.tap import Tap, spdy_tap, websocket_tap

PODS = "/api/v1/namespaces/default/pods"
CAPTURED = Path(__file__).parents[2] / "vectors/streams/captured"
FILES = sorted(CAPTURED.glob("*.json"))
LIMIT = 20.0  # seconds for one conversation; each takes some ten milliseconds

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the sandbox runs commands on POSIX systems only")


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[SandboxAPIServer]:
    """With the pod of the captured traffic: `p`, which listens on port 80 and echoes what it is given when attached."""
    sandbox = SandboxAPIServer(tmp_path / "sandbox", clock=time.time)
    await sandbox.start()
    container = {"name": "c", "image": "i", "stdin": True, "command": ["cat"], "ports": [{"containerPort": 80}]}
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [container]}}
    assert (await ask(sandbox, "POST", PODS, body=json.dumps(pod).encode()))[0] == 201
    yield sandbox
    for client in CLIENTS:
        await client.close()
    CLIENTS.clear()
    await sandbox.stop()


class Client:
    """A socket on which an upgrade was asked for."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.head = b""

    @property
    def status(self) -> int:
        return int(self.head.split()[1])

    async def body(self) -> dict[str, Any]:
        lengths = [line for line in self.head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        told: dict[str, Any] = json.loads(await self.reader.readexactly(int(lengths[0].split()[1])))
        return told

    async def close(self) -> None:
        self.writer.transport.abort()
        with suppress(OSError):
            await self.writer.wait_closed()


CLIENTS: list[Client] = []
"""Those of the test that runs."""


async def connect(
    sandbox: SandboxAPIServer, method: str, path: str, *lines: str, body: bytes = b"", groups: tuple[str, ...] = ()
) -> Client:
    host, port = sandbox.url.removeprefix("https://").split(":")
    context = ssl.create_default_context(cadata=sandbox.ca_pem)
    reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
    head = [
        f"{method} {path} HTTP/1.1",
        f"Host: {host}",
        f"Authorization: Bearer {sandbox.token}",
        "Impersonate-User: alice",
        *(f"Impersonate-Group: {group}" for group in groups),
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *lines,
    ]
    writer.write("\r\n".join([*head, "", ""]).encode() + body)
    client = Client(reader, writer)
    CLIENTS.append(client)
    client.head = await reader.readuntil(b"\r\n\r\n")
    return client


async def ask(
    sandbox: SandboxAPIServer, method: str, path: str, *, lines: tuple[str, ...] = (), **more: Any
) -> tuple[int, dict[str, Any]]:
    client = await connect(sandbox, method, path, *lines, **more)
    return client.status, await client.body()


WEBSOCKET = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
)
SPDY = ("Connection: Upgrade", "Upgrade: SPDY/3.1")
V5 = (*WEBSOCKET, "Sec-WebSocket-Protocol: v5.channel.k8s.io")


class Conversation:
    """What both sides have said, as the taps of `recordings.streams` understand it: a fault fails the test."""

    def __init__(self, client: Client, tap: Tap) -> None:
        self.client, self.tap = client, tap
        self.said: defaultdict[Role, bytes] = defaultdict(bytes)
        self.events: list[object] = []
        self.raw, self.opened = b"", 0

    def send(self, data: bytes) -> None:
        self.opened += sum(isinstance(event, StreamOpened) for event in self.tap.feed(Side.CLIENT, data).events)
        self.client.writer.write(data)

    async def hear(self, until: Callable[[], bool] = lambda: False) -> None:
        """Until the server says goodbye or hangs up, or what was awaited has come."""
        async with asyncio.timeout(LIMIT):
            while not until():
                data = await self.client.reader.read(1 << 16)
                if not data:
                    return
                self.raw += data
                for event in self.tap.feed(Side.SERVER, data).events:
                    self.events.append(event)
                    if isinstance(event, StreamData):
                        self.said[event.role] += event.data
                    if isinstance(event, Closing):
                        return


def message(payload: bytes, opcode: int = 2) -> bytes:
    return bytes((0x80 | opcode, 0x80 | len(payload))) + bytes(4) + payload


# -- what kubectl sends


SYN_REPLY = bytes.fromhex("80030002")
FAREWELLS = ("88", "80030007")
"""Close and GOAWAY: kubectl's last words are its answer to the server's."""


def before_the_end(steps: list[dict[str, str]]) -> list[dict[str, str]]:
    return [step for step in steps if not (step["from"] == "client" and step["hex"].startswith(FAREWELLS))]


@pytest.mark.parametrize(
    "path", [path for path in FILES if "port-forward" not in path.name], ids=lambda path: path.stem
)
async def test_what_real_kubectl_sent_gets_what_a_real_kubelet_said(sandbox: SandboxAPIServer, path: Path) -> None:
    captured = json.loads(path.read_text())
    conversation = await replayed(sandbox, captured)
    if path.name.startswith("exec-terminal"):
        await conversation.hear()
        # the captured server ran no shell: it told the size and echoed nothing
        assert conversation.said[Role.STDOUT] == b"x\r\ngot x\r\n"
    else:
        await conversation.hear()
        expected, got = of_server(captured), dict(conversation.said)
        assert status(got.pop(Role.ERROR)) == status(expected.pop(Role.ERROR))
        assert got == expected
    assert isinstance(conversation.events[-1], Closing)


@pytest.mark.parametrize("path", [path for path in FILES if "port-forward" in path.name], ids=lambda path: path.stem)
async def test_a_captured_port_forward_is_answered_on_its_streams(sandbox: SandboxAPIServer, path: Path) -> None:
    """Two connections to the port that listens; the captured clients spoke no HTTP, so they hear nothing from it."""
    captured = json.loads(path.read_text())
    conversation = await replayed(sandbox, captured)
    await conversation.hear(lambda: Role.ERROR in conversation.said)
    uid = (await ask(sandbox, "GET", f"{PODS}/p"))[1]["metadata"]["uid"]
    error = f"error forwarding port 1 to pod p, uid {uid}: nothing listens on port 1"
    assert dict(conversation.said) == {Role.ERROR: error.encode()}


async def replayed(sandbox: SandboxAPIServer, captured: dict[str, Any]) -> Conversation:
    """A SPDY client awaits each reply before it opens the next stream; otherwise all is sent at once."""
    method, target, _ = captured["request"].split()
    lines = [line for line in captured["asked"] if not line.startswith("Connection")]
    chosen = [line for line in captured["answered"] if "rotocol" in line]
    client = await connect(sandbox, method, target, "Connection: Upgrade", *lines, *WEBSOCKET[2:])
    assert client.status == 101
    assert all(line.encode() in client.head for line in chosen)
    conversation = Conversation(client, tap_of(captured))
    for step in before_the_end(captured["passed"]):
        if step["from"] == "client":
            conversation.send(bytes.fromhex(step["hex"]))
            await conversation.hear(lambda: conversation.raw.count(SYN_REPLY) >= conversation.opened)
    return conversation


def tap_of(captured: dict[str, Any]) -> Tap:
    chosen = [line.partition(": ")[2] for line in captured["answered"] if line.startswith("Sec-WebSocket-Protocol")]
    purpose = Purpose.PORT_FORWARD if "portforward" in captured["request"] else Purpose.EXEC
    return websocket_tap(chosen[0]) if chosen else spdy_tap(purpose)


def of_server(captured: dict[str, Any]) -> dict[Role, bytes]:
    """What the server said in a captured conversation."""
    said: defaultdict[Role, bytes] = defaultdict(bytes)
    tap = tap_of(captured)
    for step in captured["passed"]:
        for event in tap.feed(Side(step["from"]), bytes.fromhex(step["hex"])).events:
            if isinstance(event, StreamData) and event.side is Side.SERVER:
                said[event.role] += event.data
    return dict(said)


def status(text: bytes) -> object:
    """Of a Status, what clients read: not the words, which differ from one runtime to the next."""
    told = json.loads(text)
    return {key: told.get(key) for key in ("status", "reason", "details")}


# -- the rest


async def test_a_terminal_has_the_clients_size_and_follows_it(sandbox: SandboxAPIServer) -> None:
    conversation = await exec_v5(sandbox, "stdin=1&stdout=1&tty=1", "sh", "-c", "read a; stty size; read b; stty size")
    conversation.send(message(b'\4{"Width":99,"Height":33}') + message(b"\0x\r"))
    await conversation.hear(lambda: b"33 99\r\n" in conversation.said[Role.STDOUT])
    conversation.send(message(b'\4{"Width":80,"Height":24}') + message(b"\0y\r"))
    await conversation.hear()
    assert conversation.said[Role.STDOUT] == b"x\r\n33 99\r\ny\r\n24 80\r\n"


async def test_control_c_on_a_terminal_ends_what_runs_there(sandbox: SandboxAPIServer) -> None:
    conversation = await exec_v5(sandbox, "stdin=1&stdout=1&tty=1", "sh", "-c", "echo ready; exec sleep 100")
    await conversation.hear(lambda: b"ready" in conversation.said[Role.STDOUT])
    conversation.send(message(b"\0\x03"))
    await conversation.hear()
    assert exit_code(conversation) == "130"


async def test_a_command_sees_nothing_of_our_environment_and_an_empty_folder(
    sandbox: SandboxAPIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KWIT_SECRET", "s3cret")
    conversation = await exec_v5(sandbox, "stdout=1", "sh", "-c", 'ls -A; env | cut -d= -f1 | sort | tr "\\n" " "')
    await conversation.hear()
    assert conversation.said[Role.STDOUT] == b"HOME HOSTNAME LANG PATH PS1 PWD "


async def test_the_commands_of_a_pod_share_a_folder_that_goes_with_the_sandbox(sandbox: SandboxAPIServer) -> None:
    first = await exec_v5(sandbox, "stdout=1", "sh", "-c", "echo kept > file; pwd")
    await first.hear()
    second = await exec_v5(sandbox, "stdout=1", "cat", "file")
    await second.hear()
    assert second.said[Role.STDOUT] == b"kept\n"
    folder = Path(first.said[Role.STDOUT].decode().strip())
    assert folder.exists()
    await sandbox.stop()
    assert not folder.exists()


async def test_a_command_and_what_it_started_end_with_the_clients_connection(sandbox: SandboxAPIServer) -> None:
    conversation = await exec_v5(sandbox, "stdout=1", "sh", "-c", "sleep 1000 & echo $! $$; wait")
    await conversation.hear(lambda: b"\n" in conversation.said[Role.STDOUT])
    pids = [int(word) for word in conversation.said[Role.STDOUT].split()]
    conversation.client.writer.transport.abort()
    await ended(*pids)


async def test_the_sandboxs_end_ends_its_commands(sandbox: SandboxAPIServer) -> None:
    conversation = await exec_v5(sandbox, "stdout=1", "sh", "-c", "echo $$; exec sleep 1000")
    await conversation.hear(lambda: b"\n" in conversation.said[Role.STDOUT])
    await sandbox.stop()
    await ended(int(conversation.said[Role.STDOUT]))


async def test_output_that_nobody_reads_stops_the_command_and_not_the_sandbox(sandbox: SandboxAPIServer) -> None:
    conversation = await exec_v5(sandbox, "stdout=1&stderr=1", "sh", "-c", "echo $$ >&2; exec yes")
    await conversation.hear(lambda: b"\n" in conversation.said[Role.STDERR])
    assert (await ask(sandbox, "GET", f"{PODS}/p"))[0] == 200
    conversation.client.writer.transport.abort()


async def test_output_held_open_by_something_left_behind_does_not_keep_the_client(
    sandbox: SandboxAPIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exec_stream, "DRAIN_SECONDS", 0.05)
    conversation = await exec_v5(sandbox, "stdout=1", "sh", "-c", "sleep 1000 & echo $!")
    await conversation.hear()
    assert exit_code(conversation) == "0"
    await ended(int(conversation.said[Role.STDOUT]))


async def test_a_ping_is_answered_and_a_close_ends_the_command(sandbox: SandboxAPIServer) -> None:
    conversation = await exec_v5(sandbox, "stdin=1&stdout=1", "cat")
    conversation.client.writer.write(message(b"still?", 9) + message(b"\x03\xe8", 8))
    async with asyncio.timeout(LIMIT):
        said = await conversation.client.reader.readexactly(15)
    assert said == b"\x82\x01\x01" + b"\x8a\x06still?" + b"\x88\x02\x03\xe8"


async def test_what_breaks_the_protocol_ends_the_connection(sandbox: SandboxAPIServer) -> None:
    conversation = await exec_v5(sandbox, "stdin=1&stdout=1", "cat")
    conversation.client.writer.write(b"\x82\x02\0x")  # unmasked
    async with asyncio.timeout(LIMIT):
        assert (await conversation.client.reader.read()).startswith(b"\x82\x01\x01")


@pytest.mark.parametrize(
    ("path", "lines", "code", "message"),
    [
        ("p/exec?stdout=1&command=ls", (), 400, "Upgrade request required"),
        ("p/exec?stdout=1", V5, 400, "you must specify at least one command for the exec."),
        ("p/exec?command=ls", V5, 400, "you must specify at least 1 of stdin, stdout, stderr"),
        ("p/exec?command=ls&stdout=1&container=x", V5, 400, "container x is not valid for pod p"),
        ("nobody/exec?command=ls&stdout=1", V5, 404, 'pods "nobody" not found'),
        ("p/exec?command=ls&stdout=1", SPDY, 400, "unable to upgrade: X-Stream-Protocol-Version is required"),
    ],
)
async def test_what_cannot_be_upgraded_gets_a_status(
    sandbox: SandboxAPIServer, path: str, lines: tuple[str, ...], code: int, message: str
) -> None:
    answered, told = await ask(sandbox, "GET", f"{PODS}/{path}", lines=lines)
    assert (answered, told["message"], told["code"]) == (code, message, code)


async def test_who_may_only_look_may_not_exec_by_get(sandbox: SandboxAPIServer) -> None:
    told = await ask(sandbox, "GET", f"{PODS}/p/exec?command=ls&stdout=1", lines=V5, groups=(READ_ONLY,))
    assert told[0] == 403
    assert 'User "alice" cannot create resource "pods/exec"' in told[1]["message"]


async def test_there_is_a_limit_to_connections(sandbox: SandboxAPIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CONNECTIONS", 1)
    await exec_v5(sandbox, "stdin=1&stdout=1", "cat")
    assert (await ask(sandbox, "GET", f"{PODS}/p/exec?command=ls&stdout=1", lines=V5))[0] == 429


async def test_a_program_that_is_not_there_is_told_as_the_runtime_tells_it(sandbox: SandboxAPIServer) -> None:
    conversation = await exec_v5(sandbox, "stdout=1", "no-such-program")
    await conversation.hear()
    told = json.loads(conversation.said[Role.ERROR])
    assert (told["status"], told["reason"], told["code"]) == ("Failure", "InternalError", 500)
    assert 'exec: "no-such-program": executable file not found in $PATH' in told["message"]


@pytest.mark.parametrize("code", [0, 1, 255])
async def test_an_exit_code_is_told(sandbox: SandboxAPIServer, code: int) -> None:
    conversation = await exec_v5(sandbox, "stdout=1", "sh", "-c", f"exit {code}")
    await conversation.hear()
    assert exit_code(conversation) == str(code)


async def test_more_input_than_is_held_goes_through(sandbox: SandboxAPIServer) -> None:
    conversation = await exec_v5(sandbox, "stdin=1&stdout=1", "wc", "-c")
    whole = 8 * exec_stream.MAX_INPUT_BYTES
    for _ in range(whole // 124):
        conversation.send(message(bytes(125)))  # a channel's number and 124 bytes
    conversation.send(message(b"\xff\0"))
    await conversation.hear()
    assert int(conversation.said[Role.STDOUT]) == whole // 124 * 124


async def test_a_pods_port_answers_and_ends_its_streams(sandbox: SandboxAPIServer) -> None:
    lines = (*SPDY, "X-Stream-Protocol-Version: portforward.k8s.io")
    client = await connect(sandbox, "POST", f"{PODS}/p/portforward", *lines)
    conversation = Conversation(client, spdy_tap(Purpose.PORT_FORWARD))
    captured = json.loads((CAPTURED / "port-forward-spdy-1.37.json").read_text())
    opening = [bytes.fromhex(step["hex"]) for step in captured["passed"] if step["from"] == "client"][:2]
    for data in opening:
        conversation.send(data)
        await conversation.hear(lambda: conversation.raw.count(SYN_REPLY) >= conversation.opened)
    asked = b"GET / HTTP/1.1\r\n\r\n"
    conversation.send((3).to_bytes(4) + b"\0" + len(asked).to_bytes(3) + asked)
    ends = {
        StreamEnded(Side.SERVER, 3, Role.DATA, Ending.FINISHED),
        StreamEnded(Side.SERVER, 1, Role.ERROR, Ending.FINISHED),
    }
    await conversation.hear(lambda: ends <= {event for event in conversation.events if isinstance(event, StreamEnded)})
    assert conversation.said[Role.DATA].endswith(b"p:80 heard GET / HTTP/1.1\n")


async def test_the_http_server_forgets_a_connection_that_was_lost(sandbox: SandboxAPIServer) -> None:
    conversation = await exec_v5(sandbox, "stdin=1&stdout=1", "cat")
    assert sandbox._runner is not None
    server = sandbox._runner.server
    assert server is not None
    conversation.client.writer.transport.abort()
    for client in CLIENTS:
        await client.close()
    async with asyncio.timeout(LIMIT):
        while server.connections:
            await asyncio.sleep(0.01)


async def exec_v5(sandbox: SandboxAPIServer, query: str, *command: str) -> Conversation:
    asked = urlencode([("command", word) for word in command])
    client = await connect(sandbox, "GET", f"{PODS}/p/exec?{query}&{asked}", *V5)
    assert client.status == 101, client.head
    return Conversation(client, websocket_tap("v5.channel.k8s.io"))


def exit_code(conversation: Conversation) -> str:
    told = json.loads(conversation.said[Role.ERROR])
    return "0" if told["status"] == "Success" else told["details"]["causes"][0]["message"]


async def ended(*pids: int) -> None:
    async with asyncio.timeout(LIMIT):
        while any(running(pid) for pid in pids):
            await asyncio.sleep(0.01)


def running(pid: int) -> bool:
    """Whether it is there and no corpse."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
