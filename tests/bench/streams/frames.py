"""WebSocket frames of `v5.channel.k8s.io`, as fast as plain Python makes them: for both ends of the benchmark."""

from __future__ import annotations

import struct

MASK = bytes(4)
"""A mask of zeros is a mask: the bytes stay as they are, and nobody's CPU goes into it but the proxies'."""


def message(channel: int, payload: bytes, *, masked: bool) -> bytes:
    """One binary message."""
    size, bit = len(payload) + 1, 0x80 if masked else 0
    if size < 126:
        head = struct.pack("!BB", 0x82, bit | size)
    elif size < 65536:
        head = struct.pack("!BBH", 0x82, bit | 126, size)
    else:
        head = struct.pack("!BBQ", 0x82, bit | 127, size)
    return b"".join((head, MASK if masked else b"", bytes((channel,)), payload))


def close(*, masked: bool) -> bytes:
    return b"\x88" + bytes(((0x80 if masked else 0) | 2,)) + (MASK if masked else b"") + b"\x03\xe8"


class Reader:
    """Cuts a run of bytes into messages; control frames but Close are passed over."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.closed = False

    def feed(self, data: bytes) -> list[bytes]:
        """Payloads of binary messages, their channel first."""
        buffer, found, at = self._buffer, [], 0
        buffer += data
        while len(buffer) - at >= 2:
            opcode, second = buffer[at] & 0x0F, buffer[at + 1]
            size, lead = second & 0x7F, 2
            if size >= 126:
                lead = 4 if size == 126 else 10
                if len(buffer) - at < lead:
                    break
                size = int.from_bytes(buffer[at + 2 : at + lead])
            lead += 4 if second & 0x80 else 0
            if len(buffer) - at < lead + size:
                break
            if opcode == 2:
                found.append(bytes(buffer[at + lead : at + lead + size]))
            elif opcode == 8:
                self.closed = True
            at += lead + size
        del buffer[:at]
        return found
