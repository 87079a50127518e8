"""What a recording says of itself once it is over, and its index: where each chunk is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from recordings.recorder.frames import RecordingDamagedError
from recordings.recorder.head import RecordingHead


@dataclass(frozen=True, slots=True)
class Footer:
    """`ended` is streams.outcome's word; `why` a sentence where we ended it. Bytes are those of the streams' data."""

    ended: str
    exit_code: int | None
    message: str
    why: str
    received: int
    """From the client: stdin."""
    sent: int
    """To the client: stdout, stderr."""
    duration: int
    """Microseconds."""
    chunks: int
    index: tuple[tuple[int, int], ...] = ()
    """(time of the first moment in microseconds, offset) of every n-th chunk, so that at most 4,096 stand here."""
    image: str = ""
    """Of the container, with the digest that ran; empty where it was not learnt while the stream was open."""
    node: str = ""


MAX_INDEX = 4_096


class ChunkIndex:
    """Every chunk's (time, offset), thinned evenly while it grows: no larger for ten gigabytes than for one."""

    def __init__(self) -> None:
        self.count = 0
        self._kept: list[tuple[int, int]] = []
        self._step = 1

    def add(self, at: int, offset: int) -> None:
        if self.count % self._step == 0:
            self._kept.append((at, offset))
        self.count += 1
        if len(self._kept) > MAX_INDEX:
            self._kept = self._kept[::2]
            self._step *= 2

    def entries(self) -> tuple[tuple[int, int], ...]:
        return tuple(self._kept)


def head_payload(head: RecordingHead) -> bytes:
    return orjson.dumps(asdict(_printable(head)))


def read_head(payload: bytes) -> RecordingHead:
    """Raises RecordingDamagedError."""
    try:
        fields = _object(payload)
        known = {key: value for key, value in fields.items() if key in RecordingHead.__dataclass_fields__}
        command = known.get("command")
        if not isinstance(command, list):
            raise RecordingDamagedError("its head has no command", 0)
        return RecordingHead(**{**known, "command": tuple(map(str, command))})
    except TypeError as error:
        raise RecordingDamagedError(f"its head is not complete: {error}", 0) from error


def footer_payload(footer: Footer) -> bytes:
    return orjson.dumps(asdict(footer))


def read_footer(payload: bytes) -> Footer:
    """Raises RecordingDamagedError."""
    try:
        fields = _object(payload)
        known = {key: value for key, value in fields.items() if key in Footer.__dataclass_fields__}
        index = tuple((int(at), int(offset)) for at, offset in known.get("index", ()))
        return Footer(**{**known, "index": index})
    except (TypeError, ValueError) as error:
        raise RecordingDamagedError(f"its footer is not complete: {error}", 0) from error


def _object(payload: bytes) -> Mapping[str, Any]:
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise RecordingDamagedError("its head or footer is no JSON", 0) from error
    if not isinstance(value, dict):
        raise RecordingDamagedError("its head or footer is no JSON object", 0)
    return value


def _printable(head: RecordingHead) -> RecordingHead:
    """A command may hold bytes that are no UTF-8, as surrogates; JSON cannot."""
    from dataclasses import fields, replace

    changes: dict[str, Any] = {}
    for one in fields(head):
        value = getattr(head, one.name)
        if isinstance(value, str):
            changes[one.name] = _text(value)
        elif isinstance(value, tuple):
            changes[one.name] = tuple(_text(part) for part in value)
    return replace(head, **changes)


def _text(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
