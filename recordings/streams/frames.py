"""WebSocket frames of one direction: bytes in, parts of frames out. RFC 6455 §5.

Stricter than the RFC where two readers could differ: no extension is ever negotiated here, so a reserved bit is a
fault, and lengths have their shortest form. Control frames come whole; of data frames the head comes when it is
complete and the payload as it arrives. What messages mean is left to whoever reads the parts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from recordings.streams.fault import Fault, StreamFaultError

MAX_FRAME_BYTES = 32 * 1024 * 1024
"""The most that the API server reads as one message (golang.org/x/net/websocket, DefaultMaxPayloadBytes). kubectl and
the API server send 32 KiB at a time. Nothing of this size is ever kept here: payloads pass as they arrive."""

MAX_CONTROL_BYTES = 125
"""RFC 6455 §5.5: "All control frames MUST have a payload length of 125 bytes or less and MUST NOT be fragmented."""


class Opcode(IntEnum):
    """RFC 6455 §5.2; the other values are reserved."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


OPCODES = {opcode.value: opcode for opcode in Opcode}


@dataclass(frozen=True, slots=True)
class Head:
    """A data frame begins."""

    raw: bytes
    opcode: Opcode
    final: bool
    length: int


@dataclass(frozen=True, slots=True)
class Payload:
    """A piece of the payload of the data frame that began last; `data` is unmasked; `ends` says that the frame is
    complete.
    """

    raw: bytes
    data: bytes
    ends: bool


@dataclass(frozen=True, slots=True)
class Control:
    """A whole control frame."""

    raw: bytes
    opcode: Opcode
    data: bytes


Part = Head | Payload | Control


class FrameReader:
    """Reads one direction. `masked` says whether it must be: the client's must, the server's must not (§5.1)."""

    def __init__(self, *, masked: bool) -> None:
        self._masked = masked
        self._head = bytearray()
        self._needed = 2
        """How long the head is, as far as it is known."""
        self._opcode = Opcode.CONTINUATION
        self._short = 0
        self._left = 0
        self._key = b""
        self._message_open = False

    @property
    def midway(self) -> bool:
        """Whether a frame or a message has begun and not ended."""
        return bool(self._head or self._left or self._message_open)

    @property
    def waiting(self) -> int:
        """How many bytes have been read and not yet been part of anything."""
        return len(self._head)

    def feed(self, data: bytes) -> Iterator[Part]:
        """Yield the parts that `data` completes; must be read to the end. Raises StreamFaultError."""
        at = 0
        while at < len(data):
            if self._left:
                piece = data[at : at + self._left]
                at += len(piece)
                yield self._payload(piece)
                continue
            piece = data[at : at + self._needed - len(self._head)]
            at += len(piece)
            self._head += piece
            if len(self._head) == 2:
                self._begin_head()
            if len(self._head) == self._needed:
                yield self._end_head()

    def _payload(self, piece: bytes) -> Payload:
        self._left -= len(piece)
        if not self._masked:
            return Payload(piece, piece, not self._left)
        data = unmasked(piece, self._key)
        turn = len(piece) % 4
        self._key = self._key[turn:] + self._key[:turn]
        return Payload(piece, data, not self._left)

    def _begin_head(self) -> None:
        """Read from the first two bytes how long the head is; a control frame's payload is counted to it."""
        self._opcode, self._short = self._check_start(self._head[0], self._head[1])
        self._needed = 2 + {126: 2, 127: 8}.get(self._short, 0) + 4 * self._masked
        if self._opcode >= Opcode.CLOSE:
            self._needed += self._short

    def _check_start(self, first: int, second: int) -> tuple[Opcode, int]:
        if first & 0x70:
            raise StreamFaultError(Fault.RESERVED_BITS, f"first byte 0x{first:02x}: no extension was negotiated")
        opcode = OPCODES.get(first & 0x0F)
        if opcode is None:
            raise StreamFaultError(Fault.OPCODE, f"{first & 0x0F} is reserved")
        if bool(second & 0x80) != self._masked:
            raise StreamFaultError(
                Fault.MASKING, "unmasked from the client" if self._masked else "masked by the server"
            )
        final, short = bool(first & 0x80), second & 0x7F
        if opcode >= Opcode.CLOSE:
            if not final or short > MAX_CONTROL_BYTES:
                raise StreamFaultError(Fault.CONTROL_FRAME, f"{opcode.name} is fragmented or longer than 125 bytes")
        elif (opcode is Opcode.CONTINUATION) != self._message_open:
            raise StreamFaultError(
                Fault.FRAGMENTATION, f"{opcode.name} where a message is {'' if self._message_open else 'not '}open"
            )
        return opcode, short

    def _end_head(self) -> Head | Control:
        raw = bytes(self._head)
        self._head.clear()
        self._needed = 2
        if self._opcode >= Opcode.CLOSE:
            body = raw[len(raw) - self._short :]
            return Control(raw, self._opcode, unmasked(body, raw[2:6]) if self._masked else body)
        length = _length(self._short, raw)
        final = bool(raw[0] & 0x80)
        self._left, self._key, self._message_open = length, raw[-4:], not final
        return Head(raw, self._opcode, final, length)


def unmasked(data: bytes, key: bytes) -> bytes:
    """Return `data` XORed with the four bytes of `key` repeated (§5.3); masking is the same."""
    count = len(data)
    stream = (key * (count // 4 + 1))[:count]
    return (int.from_bytes(data) ^ int.from_bytes(stream)).to_bytes(count)


def _length(short: int, raw: bytes) -> int:
    """§5.2: "in all cases, the minimal number of bytes MUST be used to encode the length"."""
    if short < 126:
        return short
    size, least = (2, 126) if short == 126 else (8, 0x10000)
    length = int.from_bytes(raw[2 : 2 + size])
    if length < least:
        raise StreamFaultError(Fault.LENGTH_FORM, f"{length} is written in {size} bytes")
    if length > MAX_FRAME_BYTES:
        raise StreamFaultError(Fault.FRAME_TOO_LARGE, f"{length} bytes; at most {MAX_FRAME_BYTES}")
    return length
