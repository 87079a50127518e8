"""The handshake of an upgrade, as pure functions: what the client asks, what we ask, what both are told.

WebSocket: RFC 6455, section 4. SPDY/3.1: Kubernetes' own upgrade (apimachinery `util/httpstream/spdy`). An upgrade is
one only if `Upgrade` is exactly one of the two and `Connection` names it; the answer is checked as strictly, since a
proxy that joins two connections on anything else hands its own rights to the client (security: U1, U2, U3).
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha1

from proxy.http1 import Header, RequestHead, ResponseHead
from proxy.request_info import RequestInfo
from recordings.streams.channels import DIALECTS, FORWARDING
from recordings.streams.events import Purpose
from recordings.streams.tap import TUNNEL, Tap, reading_tap, spdy_tap, websocket_tap

MAX_OFFERED = 16
"""Protocols that one request offers; Kubernetes knows eight."""
BEARER = "base64url.bearer.authorization.k8s.io."
"""Before a token in the list of subprotocols: it is no credential here, and goes no further."""
_ACCEPT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
SPDY_EXEC = ("v5.channel.k8s.io", "v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io")
SPDY_FORWARD = ("portforward.k8s.io",)
_WEBSOCKET_EXEC = frozenset(name for name in DIALECTS if name)
_WEBSOCKET_FORWARD = frozenset(name for name in FORWARDING if name) | {TUNNEL}
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz/")
"""RFC 9110's, and the slash that Kubernetes' tunnel has in its name."""


class Carrier(StrEnum):
    """What carries the streams; the value is the token of `Upgrade`."""

    WEBSOCKET = "websocket"
    SPDY = "spdy/3.1"


class UpgradeRefusedError(Exception):
    """What the client asks is no upgrade that is served; the message is a sentence for the person."""


class UpgradeInvalidError(Exception):
    """What the server answered is not what was asked. The message holds none of its bytes."""


@dataclass(frozen=True, slots=True)
class Upgrade:
    """`purpose` None: an application's bytes (`proxy`), which are nobody's business, or the messages of a watch or log,
    which are not read over plain HTTP either. `offered`: what goes on.
    """

    carrier: Carrier
    purpose: Purpose | None
    offered: tuple[str, ...]
    key: bytes = b""
    has_bearer: bool = False
    ports: tuple[int, ...] = ()
    """Of a port-forward whose request names them."""
    is_read: bool = False
    """A watch or a log, that an ordinary request would get as well."""
    origin: bytes = b""
    """Of a watch: the API server answers none that has no `Origin`, and takes any."""

    @property
    def is_recorded(self) -> bool:
        return self.purpose is Purpose.EXEC

    def tap(self, chosen: str) -> Tap | None:
        """Follows what is said from now on; None where nobody does. Raises UpgradeInvalidError."""
        if self.purpose is None:
            return reading_tap() if self.is_read else None
        if self.carrier is Carrier.SPDY:
            return spdy_tap(self.purpose)
        try:
            return websocket_tap(chosen, self.ports)
        except (KeyError, ValueError) as error:
            raise UpgradeInvalidError("the server chose a protocol that cannot be followed") from error


def read_upgrade(head: RequestHead, info: RequestInfo, query: tuple[tuple[str, str], ...]) -> Upgrade:
    """What the client asks. Raises UpgradeRefusedError."""
    fields = head.fields
    token = (fields.upgrade or b"").lower().decode("latin-1")
    if fields.has_body:
        raise UpgradeRefusedError("an upgrade with a body is refused")
    if fields.get(b"http2-settings") is not None or token not in tuple(Carrier):
        raise UpgradeRefusedError("only upgrades to websocket and SPDY/3.1 are served")
    carrier, purpose = Carrier(token), _purpose(info)
    if carrier is Carrier.SPDY:
        return _spdy(head, purpose)
    upgrade = _websocket(head, purpose, query)
    if not _is_read(info):
        return upgrade
    return replace(
        upgrade, is_read=True, origin=(info.verb == "watch" and _only(head.fields.headers, b"origin")) or b""
    )


def _purpose(info: RequestInfo) -> Purpose | None:
    if info.is_resource_request and info.api_group == "":
        if info.resource == "pods" and info.subresource in ("exec", "attach"):
            return Purpose.EXEC
        if info.resource == "pods" and info.subresource == "portforward":
            return Purpose.PORT_FORWARD
        if info.resource in ("pods", "services", "nodes") and info.subresource == "proxy":
            return None
    if _is_read(info):
        return None
    raise UpgradeRefusedError(
        "exec, attach, port-forward, watches, logs and proxied connections can be upgraded, and nothing else"
    )


def _is_read(info: RequestInfo) -> bool:
    """What the API server also serves over a WebSocket: a message for each event, or for each piece of a log."""
    if not info.is_resource_request:
        return False
    is_log = (info.api_group, info.resource, info.subresource, info.verb) == ("", "pods", "log", "get")
    return is_log or (info.verb == "watch" and not info.subresource)


def _spdy(head: RequestHead, purpose: Purpose | None) -> Upgrade:
    if purpose is None:
        raise UpgradeRefusedError("watches, logs and proxied connections can be upgraded to websocket only")
    if head.method not in ("POST", "GET"):
        raise UpgradeRefusedError("an upgrade to SPDY/3.1 is a POST")
    asked = _list(head.fields.headers, b"x-stream-protocol-version")
    known = SPDY_EXEC if purpose is Purpose.EXEC else SPDY_FORWARD
    offered = tuple(name for name in asked if name in known)
    if not offered:
        raise UpgradeRefusedError(f"X-Stream-Protocol-Version must name one of {', '.join(known)}")
    return Upgrade(Carrier.SPDY, purpose, offered)


def _websocket(head: RequestHead, purpose: Purpose | None, query: tuple[tuple[str, str], ...]) -> Upgrade:
    if head.method != "GET":
        raise UpgradeRefusedError("an upgrade to websocket is a GET")
    if _only(head.fields.headers, b"sec-websocket-version") != b"13":
        raise UpgradeRefusedError("Sec-WebSocket-Version must be 13")
    key = _only(head.fields.headers, b"sec-websocket-key")
    if key is None or not _is_key(key):
        raise UpgradeRefusedError("Sec-WebSocket-Key must be 16 bytes in base64")
    asked = _list(head.fields.headers, b"sec-websocket-protocol")
    without = tuple(name for name in asked if not name.startswith(BEARER))
    has_bearer = len(without) < len(asked)
    if purpose is None:
        return Upgrade(Carrier.WEBSOCKET, None, without, key, has_bearer)
    known = _WEBSOCKET_EXEC if purpose is Purpose.EXEC else _WEBSOCKET_FORWARD
    offered = tuple(name for name in without if name in known)
    if without and not offered:
        raise UpgradeRefusedError(f"Sec-WebSocket-Protocol must name one of {', '.join(sorted(known))}")
    ports = _ports(query) if purpose is Purpose.PORT_FORWARD and TUNNEL not in offered else ()
    if purpose is Purpose.PORT_FORWARD and TUNNEL not in offered and not ports:
        raise UpgradeRefusedError(f"a port-forward needs {TUNNEL}, or its ports in the query")
    return Upgrade(Carrier.WEBSOCKET, purpose, offered, key, has_bearer, ports)


def upgrade_lines(upgrade: Upgrade) -> bytes:
    """The lines by which the server is asked, each with its CRLF; they stand among those that we write ourselves."""
    if upgrade.carrier is Carrier.SPDY:
        lines = [b"Connection: Upgrade", b"Upgrade: SPDY/3.1"]
        lines += [b"X-Stream-Protocol-Version: " + name.encode() for name in upgrade.offered]
    else:
        lines = [b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13"]
        lines.append(b"Sec-WebSocket-Key: " + upgrade.key)
        if upgrade.offered:
            lines.append(b"Sec-WebSocket-Protocol: " + ", ".join(upgrade.offered).encode())
        if upgrade.origin:
            lines.append(b"Origin: " + upgrade.origin)
    return b"".join(line + b"\r\n" for line in lines)


def chosen_protocol(upgrade: Upgrade, head: ResponseHead) -> str:
    """What a 101 chose, of what was offered. Raises UpgradeInvalidError for one that answers something else."""
    if head.status != 101 or head.content_length or head.chunked:
        raise UpgradeInvalidError("an answer that is no upgrade")
    tokens = {token.strip().lower() for token in (_only(head.headers, b"connection") or b"").split(b",")}
    named = (_only(head.headers, b"upgrade") or b"").lower().decode("latin-1")
    if b"upgrade" not in tokens or named != upgrade.carrier:
        raise UpgradeInvalidError("an upgrade to another protocol than was asked for")
    if upgrade.carrier is Carrier.SPDY:
        chosen = _chosen(head, b"x-stream-protocol-version")
        if len(chosen) != 1 or chosen[0] not in upgrade.offered:
            raise UpgradeInvalidError("a stream protocol that was not offered")
        return chosen[0]
    if _only(head.headers, b"sec-websocket-accept") != accept_of(upgrade.key):
        raise UpgradeInvalidError("Sec-WebSocket-Accept does not answer our key")
    if any(name == b"sec-websocket-extensions" for name, _ in head.headers):
        raise UpgradeInvalidError("an extension that nobody offered")
    chosen = _chosen(head, b"sec-websocket-protocol")
    if len(chosen) > 1 or not set(chosen) <= set(upgrade.offered):
        raise UpgradeInvalidError("a subprotocol that was not offered")
    if upgrade.offered and not chosen and upgrade.purpose is not None:
        raise UpgradeInvalidError("none of the subprotocols that were offered")
    return chosen[0] if chosen else ""


def client_switch(upgrade: Upgrade, chosen: str, audit_id: bytes) -> bytes:
    """The 101 that the client gets; built, not passed on."""
    if upgrade.carrier is Carrier.SPDY:
        lines = [b"Upgrade: SPDY/3.1", b"X-Stream-Protocol-Version: " + chosen.encode()]
    else:
        lines = [b"Upgrade: websocket", b"Sec-WebSocket-Accept: " + accept_of(upgrade.key)]
        if chosen:
            lines.append(b"Sec-WebSocket-Protocol: " + chosen.encode())
    head = (b"HTTP/1.1 101 Switching Protocols", b"Connection: Upgrade", *lines, b"Audit-ID: " + audit_id)
    return b"\r\n".join((*head, b"", b""))


def accept_of(key: bytes) -> bytes:
    """RFC 6455, section 4.2.2: proof that the key was read."""
    return base64.b64encode(sha1(key + _ACCEPT, usedforsecurity=False).digest())


def _only(headers: tuple[Header, ...], name: bytes) -> bytes | None:
    """The value of a header that stands once; None where it is absent or stands twice."""
    found = [value for key, value in headers if key == name]
    return found[0] if len(found) == 1 else None


def _list(headers: tuple[Header, ...], name: bytes) -> tuple[str, ...]:
    """The elements of a list header, in their order. Raises UpgradeRefusedError for what is no list of tokens."""
    text = b",".join(value for key, value in headers if key == name).decode("latin-1")
    names = [part.strip() for part in text.split(",")] if text else []
    if (
        len(names) > MAX_OFFERED
        or len(set(names)) != len(names)
        or not all(part and set(part) <= _TOKEN for part in names)
    ):
        raise UpgradeRefusedError("the list of protocols is not one")
    return tuple(names)


def _chosen(head: ResponseHead, name: bytes) -> tuple[str, ...]:
    try:
        return _list(head.headers, name)
    except UpgradeRefusedError as error:
        raise UpgradeInvalidError("a list of protocols that is none") from error


def _is_key(key: bytes) -> bool:
    try:
        return len(key) == 24 and len(base64.b64decode(key, validate=True)) == 16
    except binascii.Error:
        return False


def _ports(query: tuple[tuple[str, str], ...]) -> tuple[int, ...]:
    values = [text for name, value in query if name in ("ports", "port") for text in value.split(",")]
    if not all(text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) <= 65535 for text in values):
        raise UpgradeRefusedError("a port is a number from 1 to 65535")
    return tuple(map(int, values))
