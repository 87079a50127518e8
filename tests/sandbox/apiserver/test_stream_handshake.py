"""What is chosen of what a client offers: protocols.md of Kubernetes' servers, and RFC 6455's own example."""

from __future__ import annotations

import pytest

from deploy.sandbox.apiserver.problem import Problem
from deploy.sandbox.apiserver.stream_handshake import negotiate
from recordings.streams.events import Purpose

Lines = list[tuple[str, str]]
EXEC, FORWARD = Purpose.EXEC, Purpose.PORT_FORWARD
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
WEBSOCKET = [("Connection", "keep-alive, Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")]
WEBSOCKET += [("Sec-WebSocket-Key", KEY)]
SPDY = [("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1")]


def offered(*names: str) -> Lines:
    return [("Sec-WebSocket-Protocol", ", ".join(names))]


def versions(*names: str) -> Lines:
    return [("X-Stream-Protocol-Version", name) for name in names]


@pytest.mark.parametrize(
    ("lines", "purpose", "spdy", "protocol"),
    [
        (WEBSOCKET + offered("v5.channel.k8s.io"), EXEC, False, "v5.channel.k8s.io"),
        (WEBSOCKET + offered("x", "v4.channel.k8s.io", "v5.channel.k8s.io"), EXEC, False, "v4.channel.k8s.io"),
        (WEBSOCKET, EXEC, False, ""),
        (WEBSOCKET + offered("SPDY/3.1+portforward.k8s.io"), FORWARD, False, "SPDY/3.1+portforward.k8s.io"),
        (SPDY + versions("v5.channel.k8s.io", "v3.channel.k8s.io", "channel.k8s.io"), EXEC, True, "v3.channel.k8s.io"),
        (SPDY + versions("x, v4.channel.k8s.io"), EXEC, True, "v4.channel.k8s.io"),
        (SPDY + versions("portforward.k8s.io"), FORWARD, True, "portforward.k8s.io"),
    ],
)  # fmt: skip
def test_the_clients_order_decides(lines: Lines, purpose: Purpose, spdy: bool, protocol: str) -> None:
    upgrade = negotiate(lines, purpose, "id")
    assert (upgrade.spdy, upgrade.protocol) == (spdy, protocol)


def test_the_answer_is_that_of_the_rfc() -> None:
    assert negotiate(WEBSOCKET + offered("v5.channel.k8s.io"), EXEC, "an-id").head == (
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nAudit-Id: an-id\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("lines", "purpose", "code"),
    [
        ([], EXEC, 400),
        (SPDY[1:], EXEC, 400),
        ([*SPDY[:1], ("Upgrade", "h2c")], EXEC, 400),
        (SPDY, EXEC, 400),
        (SPDY + versions("v5.channel.k8s.io"), EXEC, 403),
        (SPDY + versions("v4.channel.k8s.io"), FORWARD, 403),
        (WEBSOCKET + offered("v2.channel.k8s.io"), EXEC, 400),
        (WEBSOCKET, FORWARD, 400),
        ([*WEBSOCKET[:2], ("Sec-WebSocket-Key", KEY)], EXEC, 400),
        (WEBSOCKET[:3], EXEC, 400),
    ],
)
def test_what_is_not_spoken_is_refused(lines: Lines, purpose: Purpose, code: int) -> None:
    with pytest.raises(Problem) as caught:
        negotiate(lines, purpose, "id")
    assert caught.value.code == code
