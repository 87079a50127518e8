"""A recording as JSON lines, for programs: the head, then every moment with its bytes, then the end.

`{"head": …}`, `{"at": seconds, "kind": "stdout", "text": …}`, `{"end": …}`. Bytes that are no UTF-8 stand under
`base64` instead of `text`, so nothing is lost; each moment is by itself, so a cut character is base64 in both. The web
listener sends recordings in this form too, and `read` gives back what `written` was given.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from typing import Any

from recordings.errors import RecordingsError
from recordings.recorder.footer import Footer, footer_of, head_of
from recordings.recorder.frames import RecordingDamagedError
from recordings.recorder.head import RecordingHead
from recordings.recorder.moment import Kind, Moment

_SECOND = 1_000_000
MAX_AT = 1 << 63
"""Microseconds, as the container's numbers end."""
_NAMES = {kind: kind.name.lower() for kind in Kind}
_KINDS = {name: kind for kind, name in _NAMES.items()}


class NoRecordingError(RecordingsError):
    """These lines are no recording, or it breaks off; the message is a sentence."""


def written(head: RecordingHead, moments: Iterable[Moment], footer: Footer | None) -> Iterator[str]:
    """Its lines, each with its end."""
    return written_to_end(head, moments, lambda: footer)


def written_to_end(
    head: RecordingHead, moments: Iterable[Moment], footer: Callable[[], Footer | None]
) -> Iterator[str]:
    """The same, where the end is known only at the end."""
    yield head_line(head)
    yield from map(moment_line, moments)
    yield end_line(footer())


def head_line(head: RecordingHead) -> str:
    return _line({"head": head_fields(head)})


def end_line(footer: Footer | None) -> str:
    return _line({"end": None if footer is None else footer_fields(footer)})


def moment_line(moment: Moment) -> str:
    fields: dict[str, Any] = {"at": moment.at / _SECOND, "kind": _NAMES[moment.kind]}
    try:
        fields["text"] = moment.data.decode()
    except UnicodeDecodeError:
        fields["base64"] = base64.b64encode(moment.data).decode()
    return _line(fields)


def head_fields(head: RecordingHead) -> dict[str, Any]:
    """What a recording says of itself, for JSON."""
    return asdict(head)


def footer_fields(footer: Footer) -> dict[str, Any]:
    """How it ended, for JSON; its index is the file's own affair."""
    fields = asdict(footer)
    del fields["index"]
    return fields


def read_head(line: str | bytes) -> RecordingHead:
    """Raises NoRecordingError."""
    fields = _object(line).get("head")
    if not isinstance(fields, dict):
        raise NoRecordingError("the first line is no recording's head")
    try:
        return head_of(fields)
    except RecordingDamagedError as error:
        raise NoRecordingError(f"the recording cannot be read: {error}") from error


def read(lines: Iterable[str | bytes]) -> Iterator[Moment | Footer | None]:
    """What follows the head: moments, and in the end a footer, or None where it has none.

    Raises NoRecordingError for what is none, and where the lines break off before the end.
    """
    for line in lines:
        fields = _object(line)
        if "end" in fields:
            yield _footer(fields["end"])
            return
        if "error" in fields:
            raise NoRecordingError(str(fields["error"])[:500])
        yield _read_moment(fields)
    raise NoRecordingError("the recording broke off on its way here; ask again")


def _read_moment(fields: dict[str, Any]) -> Moment:
    try:
        at, kind = round(float(fields["at"]) * _SECOND), _KINDS[fields["kind"]]
        data = base64.b64decode(fields["base64"], validate=True) if "base64" in fields else fields["text"].encode()
    except (LookupError, TypeError, ValueError, OverflowError, AttributeError, binascii.Error) as error:
        raise NoRecordingError("a line is no moment of a recording") from error
    if not 0 <= at < MAX_AT:
        raise NoRecordingError("a line is no moment of a recording: its time cannot be")
    return Moment(at, kind, data)


def _footer(fields: object) -> Footer | None:
    if not isinstance(fields, dict):
        return None
    try:
        return footer_of({key: value for key, value in fields.items() if key != "index"})
    except RecordingDamagedError as error:
        raise NoRecordingError(f"the recording's end cannot be read: {error}") from error


def _object(line: str | bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise NoRecordingError("a line is no JSON") from error
    if not isinstance(value, dict):
        raise NoRecordingError("a line is no JSON object")
    return value


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"
