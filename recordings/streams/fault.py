"""Why a conversation cannot be followed any further: the one error of every decoder here."""

from __future__ import annotations

from enum import StrEnum

from recordings.errors import RecordingsError
from recordings.streams.events import NOTHING, Taken


class Fault(StrEnum):
    """What was wrong; written into the record, so a value is never renamed."""

    # WebSocket frames, RFC 6455 §5
    RESERVED_BITS = "reserved-bits"
    OPCODE = "opcode"
    MASKING = "masking"
    LENGTH_FORM = "length-form"
    FRAME_TOO_LARGE = "frame-too-large"
    CONTROL_FRAME = "control-frame"
    FRAGMENTATION = "fragmentation"
    CLOSE_PAYLOAD = "close-payload"
    MESSAGE_TYPE = "message-type"
    # the channels inside
    CHANNEL = "channel"
    CLOSE_SIGNAL = "close-signal"
    BASE64 = "base64"
    PORT = "port"
    # SPDY/3.1
    VERSION = "version"
    FRAME_TYPE = "frame-type"
    FLAGS = "flags"
    FRAME_LENGTH = "frame-length"
    COMPRESSION = "compression"
    HEADER_LIMIT = "header-limit"
    HEADERS = "headers"
    STREAM_ID = "stream-id"
    STREAM_STATE = "stream-state"
    STREAM_LIMIT = "stream-limit"
    ROLE = "role"
    STATUS = "status"
    # what streams carry
    RESIZE = "resize"
    # either
    HELD_TOO_LONG = "held-too-long"


class StreamFaultError(RecordingsError):
    """A side sent what cannot be followed. The conversation must be closed and recorded as such; nothing more is
    decoded.

    `taken` is what was understood before the fault: it is recorded and may still go on.
    """

    def __init__(self, fault: Fault, detail: str, taken: Taken = NOTHING) -> None:
        super().__init__(f"{fault}: {detail}")
        self.fault = fault
        self.detail = detail
        self.taken = taken
