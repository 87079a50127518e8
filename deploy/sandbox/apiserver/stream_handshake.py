"""The upgrade of an exec, an attach or a port-forward: what the client offers, what is chosen, the 101. RFC 6455 §4.2.

The client's order decides, as in Kubernetes (apimachinery, httpstream and wsstream).
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha1

from deploy.sandbox.apiserver.caller import Headers
from deploy.sandbox.apiserver.problem import Problem, bad_request
from recordings.streams.channels import DIALECTS
from recordings.streams.events import Purpose
from recordings.streams.tap import TUNNEL

SPDY = "SPDY/3.1"
KUBELET = ("v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io")
"""What a kubelet speaks over SPDY; v5 exists over WebSocket only."""
PORT_FORWARD = "portforward.k8s.io"
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_CHARACTERS = 24


@dataclass(frozen=True, slots=True)
class Upgrade:
    """`protocol` is the subprotocol; over WebSocket empty where none was asked for. `head` is the answer."""

    spdy: bool
    protocol: str
    head: bytes


def negotiate(headers: Headers, purpose: Purpose, audit_id: str) -> Upgrade:
    """Raises Problem 400 for what is no upgrade that is spoken here, 403 where nothing is in common."""
    lines = [(name.lower(), value) for name, value in headers]
    connection = [value.lower() for name, value in lines if name == "connection"]
    upgrade = next((value.lower() for name, value in lines if name == "upgrade"), "")
    if not any("upgrade" in value for value in connection) or not upgrade:
        raise bad_request("Upgrade request required")
    if upgrade == "websocket":
        return _websocket(lines, purpose, audit_id)
    if SPDY.lower() in upgrade:
        return _spdy(lines, purpose, audit_id)
    raise bad_request(f"unable to upgrade: {upgrade[:64]!r} is not spoken here")


def _websocket(lines: list[tuple[str, str]], purpose: Purpose, audit_id: str) -> Upgrade:
    key = next((value for name, value in lines if name == "sec-websocket-key"), "")
    version = next((value for name, value in lines if name == "sec-websocket-version"), "")
    if len(key) != _KEY_CHARACTERS or version != "13":
        raise bad_request("the WebSocket handshake is not one of version 13")
    offered = _listed(lines, "sec-websocket-protocol")
    spoken = {TUNNEL} if purpose is Purpose.PORT_FORWARD else set(DIALECTS)
    chosen = next((one for one in offered if one in spoken), "" if "" in spoken and not offered else None)
    if chosen is None:
        raise bad_request(f"none of the subprotocols {offered} is spoken here")
    accept = b64encode(sha1(key.encode() + _GUID).digest()).decode()  # noqa: S324 - RFC 6455 §4.2.2 has no other
    said = [("Upgrade", "websocket"), ("Sec-WebSocket-Accept", accept)]
    said += [("Sec-WebSocket-Protocol", chosen)] if chosen else []
    return Upgrade(spdy=False, protocol=chosen, head=_head(said, audit_id))


def _spdy(lines: list[tuple[str, str]], purpose: Purpose, audit_id: str) -> Upgrade:
    offered = _listed(lines, "x-stream-protocol-version")
    if not offered:
        raise bad_request("unable to upgrade: X-Stream-Protocol-Version is required")
    spoken = (PORT_FORWARD,) if purpose is Purpose.PORT_FORWARD else KUBELET
    chosen = next((one for one in offered if one in spoken), None)
    if chosen is None:
        message = f"unable to upgrade: unable to negotiate protocol: client supports {offered}, server accepts {spoken}"
        raise Problem(403, "Forbidden", message)
    return Upgrade(
        spdy=True, protocol=chosen, head=_head([("Upgrade", SPDY), ("X-Stream-Protocol-Version", chosen)], audit_id)
    )


def _listed(lines: list[tuple[str, str]], name: str) -> list[str]:
    """Repeated headers, or commas between."""
    return [one.strip() for key, value in lines if key == name for one in value.split(",") if one.strip()]


def _head(said: list[tuple[str, str]], audit_id: str) -> bytes:
    lines = ["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", f"Audit-Id: {audit_id}"]
    lines += [f"{name}: {value}" for name, value in said]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
