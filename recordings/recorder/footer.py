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
MAX_TIME = 253_402_300_800
"""The year 10000, in seconds: later times cannot be written as a date."""
_FLAGS = frozenset({"stdin", "tty", "strict", "hides_input"})


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
    return head_of(_object(payload))


def head_of(members: Mapping[str, Any]) -> RecordingHead:
    """A head from JSON; members that are not known are passed over. Raises RecordingDamagedError."""
    known = {key: value for key, value in members.items() if key in RecordingHead.__dataclass_fields__}
    command, started = known.get("command"), known.get("started")
    if not isinstance(command, list) or not all(map(_is_text, command)):
        raise RecordingDamagedError("its head has no command", 0)
    if isinstance(started, bool) or not isinstance(started, int | float) or not 0 <= started < MAX_TIME:
        raise RecordingDamagedError("its head does not say when it began", 0)
    rest = {key: value for key, value in known.items() if key not in {"command", "started"}}
    if not all(isinstance(value, bool) if key in _FLAGS else _is_text(value) for key, value in rest.items()):
        raise RecordingDamagedError("its head has members of other types", 0)
    try:
        return RecordingHead(**{**known, "command": tuple(command)})
    except TypeError as error:
        raise RecordingDamagedError(f"its head is not complete: {error}", 0) from error


def footer_payload(footer: Footer) -> bytes:
    return orjson.dumps(asdict(footer))


def read_footer(payload: bytes) -> Footer:
    """Raises RecordingDamagedError."""
    try:
        members = _object(payload)
        index = tuple((int(at), int(offset)) for at, offset in members.get("index", ()))
        return footer_of({**members, "index": index})
    except (TypeError, ValueError, OverflowError) as error:
        raise RecordingDamagedError(f"its footer is not complete: {error}", 0) from error


def footer_of(members: Mapping[str, Any]) -> Footer:
    """A footer from JSON, its index as a footer has it. Raises RecordingDamagedError."""
    known = {key: value for key, value in members.items() if key in Footer.__dataclass_fields__}
    texts, numbers = ("ended", "message", "why"), ("received", "sent", "duration", "chunks")
    code = known.get("exit_code")
    if (
        not all(_is_text(known.get(name)) for name in texts)
        or not all(type(known.get(name)) is int and known[name] >= 0 for name in numbers)
        or not (code is None or type(code) is int)
    ):
        raise RecordingDamagedError("its footer has members of other types, or not all of them", 0)
    try:
        return Footer(**known)
    except TypeError as error:
        raise RecordingDamagedError(f"its footer is not complete: {error}", 0) from error


def _object(payload: bytes) -> Mapping[str, Any]:
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise RecordingDamagedError("its head or footer is no JSON", 0) from error
    if not isinstance(value, dict):
        raise RecordingDamagedError("its head or footer is no JSON object", 0)
    return value


def _is_text(value: object) -> bool:
    """Without lone surrogates, which could be neither written nor shown."""
    return isinstance(value, str) and not any("\ud800" <= one <= "\udfff" for one in value)


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
