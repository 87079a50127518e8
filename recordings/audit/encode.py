r"""Record → one line of JSON, and times as text. A record that cannot be encoded is written in an ASCII-safe form.

orjson refuses unpaired surrogates and integers over 64 bits; a record must never be lost to such a value, so those
are written escaped (`\\ud800` as text) and the record says so in `encoding`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

MAX_LINE_BYTES = 1024 * 1024
"""A record's cap. Bodies that could reach it come with the audit policy; until then nothing does."""


def rfc3339(seconds: float) -> str:
    """UTC with exactly six fractional digits and Z: Kubernetes' MicroTime."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def encode(record: Mapping[str, Any]) -> bytes:
    """One line, its newline included. Never raises for a value; an over-long one loses its `event` or `body`."""
    try:
        line = orjson.dumps(record)
    except (TypeError, orjson.JSONEncodeError):
        line = orjson.dumps({**_safe(record), "encoding": "ascii-safe"})
    if len(line) > MAX_LINE_BYTES:
        kept = {k: v for k, v in record.items() if k not in ("event", "body")}
        line = orjson.dumps({**_safe(kept), "encoding": "cut", "bytes": len(line)})
    return line + b"\n"


def _safe(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_text(str(k)): _safe(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_safe(v) for v in value]
    if isinstance(value, bool) or value is None or isinstance(value, float):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else str(value)
    return _text(str(value))


def _text(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode("ascii")
