r"""Record ↔ one line of JSON, and times as text. A record that cannot be encoded is written in an ASCII-safe form.

orjson refuses unpaired surrogates, integers over 64 bits and deep nesting; a record must never be lost to such a value,
so those are written escaped (`\\ud800` as text) and the record says so in `encoding`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any

import orjson

MAX_LINE_BYTES = 1024 * 1024
"""A record's cap, which only hostile text reaches: bodies have a cap of their own."""
MAX_KEPT_CHARACTERS = 1024
"""Of a text in a record over the cap: its beginning is kept, the whole is named by its digest."""
MAX_DEPTH = 64
"""Levels of nesting in the ASCII-safe form; an Event without bodies has four."""


def rfc3339(seconds: float) -> str:
    """UTC with exactly six fractional digits and Z: Kubernetes' MicroTime. Raises ValueError, OverflowError."""
    micro = round(seconds * 1_000_000)
    return f"{_whole(micro // 1_000_000)}.{micro % 1_000_000:06d}Z"


@lru_cache(maxsize=64)
def _whole(seconds: int) -> str:
    """A busy log writes thousands of times in one second; strftime costs more than the rest of the line."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def encode(record: Mapping[str, Any]) -> bytes:
    """One line, its newline included. Never raises for a value; what is over-long is cut and says so."""
    return encode_whole(record)[0]


def encode_whole(record: Mapping[str, Any]) -> tuple[bytes, bytes | None]:
    """(the line, as `encode`; where it was cut, the line as it would have been: `recordings.audit.blobs` keeps it)."""
    try:
        line = orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
    except (TypeError, orjson.JSONEncodeError):
        line = _line({**_safe(record, 0), "encoding": "ascii-safe"})
    return (line, None) if len(line) <= MAX_LINE_BYTES else (_cut(record, line), line)


def decode(line: bytes) -> dict[str, Any]:
    """The record of a line. Raises ValueError for what is not one JSON object."""
    record = orjson.loads(line)
    if not isinstance(record, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - it is the line's value that is wrong
    return record


def _line(record: Mapping[str, Any]) -> bytes:
    return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


def _cut(record: Mapping[str, Any], whole: bytes) -> bytes:
    """Long texts give way first; if that is not enough, `event` and `body` do. The envelope always stays."""
    mark = {"encoding": "cut", "bytes": len(whole), "blob": sha256(whole).hexdigest()}
    line = _line({**_shortened(_safe(record, 0)), **mark})
    if len(line) <= MAX_LINE_BYTES:
        return line
    envelope = {key: value for key, value in record.items() if key not in ("event", "body")}
    return _line({**_shortened(_safe(envelope, 0)), **mark})


def _safe(value: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        return "(too deep)"
    if isinstance(value, Mapping):
        return {_text(str(k)): _safe(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_safe(v, depth + 1) for v in value]
    if isinstance(value, bytes):
        return value.decode("ascii", "backslashreplace")
    if isinstance(value, bool) or value is None or isinstance(value, float):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else hex(value)
    return _text(str(value))


def _text(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode("ascii")


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {key[:MAX_KEPT_CHARACTERS]: _shortened(v) for key, v in value.items()}
    if isinstance(value, list):
        return [_shortened(v) for v in value]
    if isinstance(value, str) and len(value) > 2 * MAX_KEPT_CHARACTERS:
        digest = sha256(value.encode()).hexdigest()
        return f"{value[:MAX_KEPT_CHARACTERS]}...TRUNCATED({len(value)} characters, sha256 {digest})"
    return value
