"""One body as an Event holds it: the object that it is, or what can be said of it where it cannot be read.

Kubernetes' protobuf is not decoded, since that needs the schema of each type: it is named by type, size and keyed hash.
`workload_of` reads the little of it that says what a pod may reach.
"""

from __future__ import annotations

import gzip
import io
import zlib
from dataclasses import dataclass
from typing import Any

import orjson

from recordings.audit.bodies.protobuf_workload import MEDIA_TYPE, ProtobufError, workload
from recordings.audit.bodies.redaction import Redaction
from recordings.audit.redact import keyed_hash

MAX_BODY_BYTES = 256 * 1024
"""Of a body that a record holds, decompressed: two of them and the rest stay below the record's cap of 1 MiB. An API
server's own log holds 100 KiB of both."""


@dataclass(frozen=True, slots=True)
class Body:
    """`payload` is None where the body was larger than was kept; `size` is always what passed, in bytes."""

    payload: bytes | None
    size: int
    content_type: str
    content_encoding: str = ""


def viewed(body: Body, redaction: Redaction, key: bytes, resource: str) -> tuple[Any, bool]:
    """(what stands in the Event, whether it was truncated). None and False for no body."""
    if body.size == 0:
        return None, False
    if body.payload is None:
        return None, True
    payload = _decompressed(body)
    if payload is None:
        return None, True
    media = _media_type(body)
    if media.endswith(("json", "apply-patch+yaml")) or not media:
        try:
            return redaction.of(orjson.loads(payload), resource), False
        except orjson.JSONDecodeError:
            pass  # YAML, or not what it says: named below
    digest = keyed_hash(payload.decode("latin-1"), key)
    return {"kubewitness.dev/body": {"contentType": media, "bytes": body.size, "hash": f"hmac:{digest}"}}, False


def workload_of(body: Body) -> dict[str, Any]:
    """What a body in protobuf gives away of its pods, in the shape of JSON; empty for every other body."""
    payload = _decompressed(body) if body.payload and _media_type(body) == MEDIA_TYPE else None
    try:
        return workload(payload) if payload else {}
    except ProtobufError:
        return {}  # the API server refuses it as well


def _media_type(body: Body) -> str:
    return body.content_type.partition(";")[0].strip().lower()


def _decompressed(body: Body) -> bytes | None:
    """None past the limit, and for what is not what it says."""
    payload = body.payload or b""
    encoding = body.content_encoding.strip().lower()
    if encoding in ("", "identity"):
        return payload if len(payload) <= MAX_BODY_BYTES else None
    if encoding != "gzip":
        return None
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(payload)) as file:
            data = file.read(MAX_BODY_BYTES + 1)
    except (OSError, EOFError, zlib.error):
        return None
    return data if len(data) <= MAX_BODY_BYTES else None
