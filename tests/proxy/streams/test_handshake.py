"""Claims about handshakes; the cases U1 to U3 of what is known to go wrong in them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.http1 import Malformed, parse_request_head, parse_response_head
from proxy.request_info import parse
from proxy.streams.handshake import (
    Carrier,
    Upgrade,
    UpgradeInvalidError,
    UpgradeRefusedError,
    accept_of,
    chosen_protocol,
    client_switch,
    read_upgrade,
    upgrade_lines,
)
from proxy.target import canonical
from recordings.streams.events import Purpose

EXEC = b"/api/v1/namespaces/n/pods/p/exec?command=sh"
FORWARD = b"/api/v1/namespaces/n/pods/p/portforward"
PROXY = b"/api/v1/namespaces/n/pods/p/proxy/ws"
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
WEBSOCKET = (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: " + KEY)
SPDY = (b"Connection: Upgrade", b"Upgrade: SPDY/3.1", b"X-Stream-Protocol-Version: v4.channel.k8s.io")
KEY_LINE = WEBSOCKET[3]
WATCH = b"/api/v1/namespaces/n/pods?watch=1"
LOG = b"/api/v1/namespaces/n/pods/p/log?follow=true"
ORIGIN = b"Origin: https://h"
CHAT = b"Sec-WebSocket-Protocol: chat"
OLDEST = b"Sec-WebSocket-Protocol: channel.k8s.io"
V5 = b"Sec-WebSocket-Protocol: v5.channel.k8s.io"
TUNNEL = b"Sec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io"


def asked(method: bytes, target: bytes, *lines: bytes) -> Upgrade:
    head = parse_request_head(b"\r\n".join((b"%b %b HTTP/1.1" % (method, target), b"Host: h", *lines, b"", b"")))
    where = canonical(target)
    return read_upgrade(head, parse(head.method, where), where.query)


def answered(upgrade: Upgrade, *lines: bytes, status: bytes = b"101 Switching Protocols") -> str:
    data = b"\r\n".join((b"HTTP/1.1 " + status, *lines, b"", b""))
    return chosen_protocol(upgrade, parse_response_head(data, "GET"))


def test_the_key_of_the_rfc_gives_its_accept():
    assert accept_of(KEY) == ACCEPT


@pytest.mark.parametrize(
    ("method", "target", "lines", "expected"),
    [
        (b"GET", EXEC, (*WEBSOCKET, V5), Upgrade(Carrier.WEBSOCKET, Purpose.EXEC, ("v5.channel.k8s.io",), KEY)),
        (b"GET", EXEC, WEBSOCKET, Upgrade(Carrier.WEBSOCKET, Purpose.EXEC, (), KEY)),
        (
            b"GET",
            EXEC,
            (*WEBSOCKET, b"Sec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io.c2VjcmV0, v4.channel.k8s.io"),
            Upgrade(Carrier.WEBSOCKET, Purpose.EXEC, ("v4.channel.k8s.io",), KEY, has_bearer=True),
        ),
        (
            b"GET",
            EXEC,
            (*WEBSOCKET, b"Sec-WebSocket-Protocol: v9.channel.k8s.io, v5.channel.k8s.io", OLDEST),
            Upgrade(Carrier.WEBSOCKET, Purpose.EXEC, ("v5.channel.k8s.io", "channel.k8s.io"), KEY),
        ),
        (b"POST", EXEC, SPDY, Upgrade(Carrier.SPDY, Purpose.EXEC, ("v4.channel.k8s.io",))),
        (b"GET", EXEC, SPDY, Upgrade(Carrier.SPDY, Purpose.EXEC, ("v4.channel.k8s.io",))),
        (
            b"POST",
            FORWARD,
            (*SPDY[:2], b"X-Stream-Protocol-Version: portforward.k8s.io"),
            Upgrade(Carrier.SPDY, Purpose.PORT_FORWARD, ("portforward.k8s.io",)),
        ),
        (
            b"GET",
            FORWARD,
            (*WEBSOCKET, TUNNEL),
            Upgrade(Carrier.WEBSOCKET, Purpose.PORT_FORWARD, ("SPDY/3.1+portforward.k8s.io",), KEY),
        ),
        (
            b"GET",
            FORWARD + b"?ports=80,8080&ports=9090",
            (*WEBSOCKET, b"Sec-WebSocket-Protocol: v4.channel.k8s.io"),
            Upgrade(Carrier.WEBSOCKET, Purpose.PORT_FORWARD, ("v4.channel.k8s.io",), KEY, ports=(80, 8080, 9090)),
        ),
        (b"GET", PROXY, (*WEBSOCKET, CHAT), Upgrade(Carrier.WEBSOCKET, None, ("chat",), KEY)),
        (b"GET", PROXY, (*WEBSOCKET, ORIGIN), Upgrade(Carrier.WEBSOCKET, None, (), KEY)),
        (b"GET", EXEC, (*WEBSOCKET, ORIGIN), Upgrade(Carrier.WEBSOCKET, Purpose.EXEC, (), KEY)),
        (
            b"GET",
            WATCH,
            (*WEBSOCKET, ORIGIN),
            Upgrade(Carrier.WEBSOCKET, None, (), KEY, is_read=True, origin=b"https://h"),
        ),
        (
            b"GET",
            b"/apis/example.com/v1/widgets?watch=true&fieldSelector=metadata.name%3Dx",
            WEBSOCKET,
            Upgrade(Carrier.WEBSOCKET, None, (), KEY, is_read=True),
        ),
        (
            b"GET",
            LOG,
            (*WEBSOCKET, b"Sec-WebSocket-Protocol: base64.binary.k8s.io"),
            Upgrade(Carrier.WEBSOCKET, None, ("base64.binary.k8s.io",), KEY, is_read=True),
        ),
    ],
)  # fmt: skip
def test_what_clients_ask(method, target, lines, expected):
    assert asked(method, target, *lines) == expected


@pytest.mark.parametrize(
    "lines",
    [
        (b"Connection: Upgrade", b"Upgrade: h2c", b"HTTP2-Settings: x"),
        (*WEBSOCKET, b"HTTP2-Settings: x"),
        (b"Connection: Upgrade", b"Upgrade: websocket, SPDY/3.1", *WEBSOCKET[2:]),
        (b"Connection: Upgrade", b"Upgrade: websocket2", *WEBSOCKET[2:]),
        (b"Connection: Upgrade", b"Upgrade: spdy", *SPDY[2:]),
        (b"Connection: Upgrade", b"Upgrade: SPDY/3.1", b"X-Stream-Protocol-Version: v9.channel.k8s.io"),
        SPDY[:2],
        WEBSOCKET[:3],
        (*WEBSOCKET[:2], WEBSOCKET[3]),
        *((*WEBSOCKET[:2], b"Sec-WebSocket-Version: " + text, KEY_LINE) for text in (b"0", b"12", b"14", b"1777", b"")),
        (*WEBSOCKET, b"Sec-WebSocket-Version: 13"),
        (*WEBSOCKET, b"Sec-WebSocket-Key: " + KEY),
        *((*WEBSOCKET[:3], b"Sec-WebSocket-Key: " + text) for text in (b"", b"short", b"x" * 24, KEY + b"=", KEY[:-1])),
        (*WEBSOCKET, b"Sec-WebSocket-Protocol: v9.channel.k8s.io"),
        (*WEBSOCKET, b"Sec-WebSocket-Protocol: v5.channel.k8s.io,"),
        (*WEBSOCKET, b"Sec-WebSocket-Protocol: v5.channel.k8s.io, v5.channel.k8s.io"),
        (*WEBSOCKET, b'Sec-WebSocket-Protocol: "v5.channel.k8s.io"'),
        (*WEBSOCKET, TUNNEL),
        (*WEBSOCKET, V5, b"Content-Length: 5"),
    ],
)  # fmt: skip
def test_what_is_no_upgrade_here_is_refused(lines):
    with pytest.raises((UpgradeRefusedError, Malformed)):
        asked(b"POST" if b"Upgrade: SPDY/3.1" in lines else b"GET", EXEC, *lines)


@pytest.mark.parametrize(
    "lines",
    [
        (b"Connection: noupgrade", b"Upgrade: websocket"),
        (b"Connection: keep-alive", b"Upgrade: websocket"),
        (b"Connection: Upgrade",),
        (b"Upgrade: websocket",),
        (b"Connection: Upgrade", b"Upgrade: websocket", b"Upgrade: websocket"),
        (b"Connection: Upgrade;", b"Upgrade: websocket"),
        (b"Connection: Up grade", b"Upgrade: websocket"),
    ],
)
def test_what_only_looks_like_an_upgrade_is_no_request_at_all(lines):
    with pytest.raises(Malformed):
        asked(b"GET", EXEC, *lines, *WEBSOCKET[2:])


@pytest.mark.parametrize(
    ("method", "target", "lines"),
    [
        (b"POST", EXEC, (*WEBSOCKET, V5)),
        (b"PUT", EXEC, SPDY),
        (b"GET", b"/api/v1/namespaces/n/pods", WEBSOCKET),
        (b"GET", b"/api/v1/namespaces/n/pods/p?watch=1", WEBSOCKET),
        (b"GET", b"/apis/apps/v1/namespaces/n/pods/p/log", WEBSOCKET),
        (b"POST", WATCH, WEBSOCKET),
        (b"GET", WATCH, SPDY),
        (b"GET", b"/healthz", WEBSOCKET),
        (b"GET", b"/apis/apps/v1/namespaces/n/pods/p/exec", (*WEBSOCKET, V5)),
        (b"POST", PROXY, SPDY),
        (b"GET", FORWARD, WEBSOCKET),
        (b"GET", FORWARD + b"?ports=0", WEBSOCKET),
        (b"GET", FORWARD + b"?ports=x", WEBSOCKET),
        (b"GET", FORWARD + b"?ports=65536", WEBSOCKET),
    ],
)
def test_an_upgrade_of_something_else_is_refused(method, target, lines):
    with pytest.raises(UpgradeRefusedError):
        asked(method, target, *lines)


WS = asked(b"GET", EXEC, *WEBSOCKET, V5)
SP = asked(b"POST", EXEC, *SPDY)
GOOD_WS = (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Accept: " + ACCEPT, V5)
GOOD_SP = (b"Connection: Upgrade", b"Upgrade: SPDY/3.1", b"X-Stream-Protocol-Version: v4.channel.k8s.io")


def test_the_answer_chooses_what_was_offered():
    assert answered(WS, *GOOD_WS) == "v5.channel.k8s.io"
    assert answered(SP, *GOOD_SP) == "v4.channel.k8s.io"
    assert answered(asked(b"GET", EXEC, *WEBSOCKET), *GOOD_WS[:3]) == ""
    assert answered(asked(b"GET", PROXY, *WEBSOCKET, b"Sec-WebSocket-Protocol: chat"), *GOOD_WS[:3]) == ""


@pytest.mark.parametrize(
    ("upgrade", "lines"),
    [
        (WS, GOOD_WS[1:]),
        (WS, (GOOD_WS[0], *GOOD_WS[2:])),
        (WS, (*GOOD_WS[:2], GOOD_WS[3])),
        (WS, GOOD_WS[:3]),
        (WS, (*GOOD_WS[:2], b"Sec-WebSocket-Accept: " + KEY, V5)),
        (WS, (*GOOD_WS[:3], b"Sec-WebSocket-Protocol: v4.channel.k8s.io")),
        (WS, (*GOOD_WS, b"Sec-WebSocket-Protocol: v4.channel.k8s.io")),
        (WS, (*GOOD_WS, b"Sec-WebSocket-Extensions: permessage-deflate")),
        (WS, (GOOD_WS[0], b"Upgrade: SPDY/3.1", *GOOD_WS[2:])),
        (WS, (b"Connection: close", *GOOD_WS[1:])),
        (SP, GOOD_SP[:2]),
        (SP, (*GOOD_SP[:2], b"X-Stream-Protocol-Version: v3.channel.k8s.io")),
        (SP, (*GOOD_SP, b"X-Stream-Protocol-Version: v3.channel.k8s.io")),
        (SP, (*GOOD_SP[:2], b"X-Stream-Protocol-Version: ,")),
        (SP, (GOOD_SP[0], b"Upgrade: websocket", GOOD_SP[2])),
    ],
)
def test_an_answer_to_something_else_joins_nothing(upgrade, lines):
    with pytest.raises((UpgradeInvalidError, Malformed)):
        answered(upgrade, *lines)


@pytest.mark.parametrize("status", [b"200 OK", b"204 No Content", b"302 Found", b"100 Continue", b"103 Early Hints"])
def test_an_answer_that_is_no_101_joins_nothing(status):
    with pytest.raises(UpgradeInvalidError):
        answered(WS, *GOOD_WS, status=status)


@pytest.mark.parametrize(("upgrade", "lines"), [(WS, GOOD_WS), (SP, GOOD_SP)])
def test_what_is_asked_and_told_is_built_and_reads_as_it_was_meant(upgrade, lines):
    method, target = (b"GET", EXEC) if upgrade is WS else (b"POST", EXEC)
    assert asked(method, target, *upgrade_lines(upgrade).split(b"\r\n")[:-1]) == upgrade
    chosen = answered(upgrade, *lines)
    switch = client_switch(upgrade, chosen, b"audit")
    assert switch.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert chosen_protocol(upgrade, parse_response_head(switch, "GET")) == chosen


def test_an_origin_goes_on_where_the_api_server_asks_for_one():
    lines = upgrade_lines(asked(b"GET", WATCH, *WEBSOCKET, ORIGIN))
    assert lines.endswith(b"\r\nOrigin: https://h\r\n")
    assert b"Origin" not in upgrade_lines(asked(b"GET", EXEC, *WEBSOCKET, V5, ORIGIN))


@given(st.lists(st.binary(max_size=40).filter(lambda line: b"\r" not in line and b"\n" not in line), max_size=6))
def test_whatever_is_answered_is_an_upgrade_or_a_named_error(lines):
    with suppress(UpgradeInvalidError, Malformed):
        assert answered(WS, *lines) in WS.offered
