"""The shell that Alice opens in a pod: what she types there, by kubectl on a terminal, or by a WebSocket of our own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from urllib.parse import urlencode, urlsplit

import aiohttp

from proxy.demo.direct import Direct
from proxy.demo.engineer import Engineer
from proxy.demo.kubectl import Kubectl
from proxy.demo.story import Line
from proxy.demo.terminal import COLUMNS, ROWS, SECONDS, Keys, Sat, Typist, sit
from recordings.streams.outcome import OutcomeReader

POD, NAMESPACE = "web-1", "shop"
KUBECTL = ("exec", "-it", POD, "-n", NAMESPACE, "--", "sh")
PROTOCOL = "v5.channel.k8s.io"
_PROMPT = f"{POD}$ ".encode()
LINES = (
    "echo I am in $HOSTNAME",
    "echo colour=blue > settings; echo size=7 >> settings; ls",
    r"printf '\033[1;32m%s\033[0m\n' $(cat settings)",
    "exit",
)
SCRIPT = tuple(Keys(_PROMPT, line.encode() + b"\r") for line in LINES)
SAYS = (b"I am in web-1", b"\x1b[1;32mcolour=blue\x1b[0m", b"\x1b[1;32msize=7\x1b[0m")
"""What must have come of it."""
_STDOUT, _ERROR, _RESIZE = 1, 3, 4


def lines(methods: Iterable[str]) -> list[Line]:
    """What the log must have of it, by the methods that the cluster saw: SPDY comes by POST, WebSocket by GET."""
    actions = {"GET": "get", "POST": "create"}
    what, by = (f"pods/{POD}/exec", NAMESPACE), ("developer", "allow[3]")
    told = (("intent", ""), ("started", "101"), ("done", "101"))
    return [(actions.get(method, method), *what, *one, *by) for method in methods for one in told]


async def by_kubectl(kubectl: Kubectl, engineer: Engineer) -> Sat:
    """As a person does. Raises OSError."""
    return await sit([kubectl.path, *KUBECTL], SCRIPT, at=engineer.at, environment=engineer.environment())


async def by_socket(way: Direct) -> Sat:
    """As kubectl does it, without its program. Raises OSError."""
    place = urlsplit(way.server)
    asked = urlencode({"command": "sh", "stdin": "true", "stdout": "true", "tty": "true"})
    address = f"{way.server}/api/v1/namespaces/{NAMESPACE}/pods/{POD}/exec?{asked}"
    assert place.scheme == "https"
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as client,
            client.ws_connect(address, ssl=way.context(), protocols=(PROTOCOL,)) as socket,
        ):
            return await _sit(socket, SCRIPT)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise ConnectionError(f"the shell did not come to its end: {error!r}") from error


async def _sit(socket: aiohttp.ClientWebSocketResponse, script: Sequence[Keys]) -> Sat:
    typist, outcome = Typist(script), OutcomeReader(PROTOCOL)
    await socket.send_bytes(bytes((_RESIZE,)) + f'{{"Width":{COLUMNS},"Height":{ROWS}}}'.encode())
    async with asyncio.timeout(SECONDS):
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.BINARY:
                break
            channel, data = message.data[0], message.data[1:]
            if channel == _ERROR:
                outcome.feed(data)
            elif channel == _STDOUT and (keys := typist.see(data)):
                await socket.send_bytes(b"\0" + keys)
    code = outcome.outcome(ended=True).exit_code
    return Sat(typist.shown, typist.typed, -1 if code is None else code)
