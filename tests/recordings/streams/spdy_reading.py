"""What our reader makes of one direction of SPDY, told as others tell it: whole frames, their ends, why it stopped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from recordings.streams import spdy_frames
from recordings.streams.fault import Fault, StreamFaultError
from recordings.streams.spdy_frames import DataHead, DataPiece


@dataclass(frozen=True, slots=True)
class Reading:
    """`waits`: a frame has begun and not ended."""

    frames: list[dict[str, object]]
    ends: list[int]
    fault: Fault | None = None
    waits: bool = False


def reading(pieces: Iterable[bytes]) -> Reading:
    """Read the pieces in their order, up to a fault."""
    told: list[dict[str, object]] = []
    ends: list[int] = []
    reader = spdy_frames.FrameReader()
    head, payload, at = None, b"", 0
    try:
        for piece in pieces:
            for frame, length in reader.feed(piece):
                at += length
                if isinstance(frame, DataHead):
                    head, payload = frame, b""
                elif isinstance(frame, DataPiece):
                    payload += frame.data
                else:
                    told.append(_fields(frame))
                    ends.append(at)
                if head and len(payload) == head.length:
                    told.append({"frame": "Data", "stream": head.stream, "fin": head.fin, "data": payload.hex()})
                    ends.append(at)
                    head = None
    except StreamFaultError as error:
        return Reading(told, ends, error.fault)
    return Reading(told, ends, waits=reader.midway)


def _fields(frame: spdy_frames.ControlFrame) -> dict[str, object]:
    told = {name: getattr(frame, name) for name in frame.__slots__}
    if "headers" in told:
        told["headers"] = {name: value.encode("latin-1").hex() for name, value in told["headers"].items()}
    if "entries" in told:
        told["entries"] = [list(entry) for entry in told["entries"]]
    return {"frame": type(frame).__name__, **told}
