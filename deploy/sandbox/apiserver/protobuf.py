"""Kubernetes' protobuf, read: newer kubectls send what they create in it.

Four bytes of magic and a runtime.Unknown, whose raw bytes are the object (apimachinery `runtime/serializer/protobuf`).
Fields and types come from `fields`; a field that is not known there is refused, for nothing may be lost in silence.
Answers are always JSON, which every client that sends protobuf accepts.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from deploy.sandbox.apiserver.fields import Field, messages

MAGIC = b"k8s\x00"
MAX_DEPTH = 40
"""Messages within messages; a pod's deepest field lies at 12."""
_UTC_FORMAT = "%Y-%m-%dT%H:%M:%S"


class Unreadable(Exception):  # noqa: N818 - an adjective that reads well where it is raised
    """These bytes are no object that the sandbox knows; the message says why."""


def read(data: bytes, name: str) -> dict[str, Any]:
    """The object of type `name`, in its JSON form, with apiVersion and kind as the envelope has them."""
    if not data.startswith(MAGIC):
        raise Unreadable("the provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    envelope = {number: value for number, value in _pairs(data[len(MAGIC) :]) if isinstance(value, bytes)}
    header = {number: _text(value) for number, value in _pairs(envelope.get(1, b"")) if isinstance(value, bytes)}
    message = _message(name, envelope.get(2, b""), 0)
    about = {"apiVersion": header.get(1, ""), "kind": header.get(2, "")}
    return {key: value for key, value in about.items() if value} | message


def _message(name: str, data: bytes, depth: int) -> dict[str, Any]:
    if depth > MAX_DEPTH:
        raise Unreadable("messages lie too deep in each other")
    result: dict[str, Any] = {}
    wire = messages()[name].wire
    for number, raw in _pairs(data):
        if number not in wire:
            raise Unreadable(f"{name} has no field {number} here")
        key, field = wire[number]
        if key.startswith("+"):
            result |= _message(field.type, _bytes(raw), depth + 1)
        elif field.shape == "[]":
            result.setdefault(key, []).append(_value(field, raw, depth))
        elif field.shape == "{}":
            entry = dict(_pairs(_bytes(raw)))
            result.setdefault(key, {})[_text(_bytes(entry.get(1, b"")))] = _value(field, entry.get(2, b""), depth)
        else:
            value = _value(field, raw, depth)
            if field.pointer or value not in ("", 0, False, {}, None):  # what is empty is written all the same
                result[key] = value
    return result


def _value(field: Field, raw: int | bytes, depth: int) -> Any:
    match field.type:
        case "int32" | "int64":
            number = _int(raw)
            return number - (1 << 64) if number >> 63 else number
        case "bool":
            return bool(_int(raw))
        case "string":
            return _text(_bytes(raw))
        case "bytes":
            return base64.b64encode(_bytes(raw)).decode()
        case "Time" | "MicroTime":
            return _time(_bytes(raw), micro=field.type == "MicroTime")
        case "Quantity":
            return _text(_bytes(dict(_pairs(_bytes(raw))).get(1, b"")))
        case "IntOrString":
            parts = dict(_pairs(_bytes(raw)))
            return _text(_bytes(parts.get(3, b""))) if parts.get(1) else _int(parts.get(2, 0))
        case "ExtraValue":
            return [_text(_bytes(item)) for _, item in _pairs(_bytes(raw))]
        case "FieldsV1":
            return _json(_bytes(dict(_pairs(_bytes(raw))).get(1, b"{}")))
        case _:
            return _message(field.type, _bytes(raw), depth + 1)


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Unreadable("managed fields are not JSON") from error


def _time(data: bytes, *, micro: bool) -> str | None:
    parts = dict(_pairs(data))
    if not parts:
        return None
    seconds, nanos = _int(parts.get(1, 0)), _int(parts.get(2, 0))
    try:
        moment = datetime.fromtimestamp(seconds, UTC).strftime(_UTC_FORMAT)
    except (ValueError, OverflowError, OSError) as error:
        raise Unreadable("a time lies outside the calendar") from error
    return f"{moment}.{nanos // 1000:06}Z" if micro else f"{moment}Z"


def _pairs(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers and values: whole numbers, or bytes (wire types 0 and 2; Kubernetes' types use no other)."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        if tag & 7 == 0:
            number, at = _varint(data, at)
            yield tag >> 3, number
        elif tag & 7 == 2:
            length, at = _varint(data, at)
            if at + length > len(data):
                raise Unreadable("a field is longer than the message")
            yield tag >> 3, data[at : at + length]
            at += length
        else:
            raise Unreadable(f"wire type {tag & 7} is not used by Kubernetes' types")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        if at >= len(data):
            raise Unreadable("the message ends within a number")
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value, at
    raise Unreadable("a number is longer than 64 bits")


def _bytes(raw: int | bytes) -> bytes:
    if isinstance(raw, int):
        raise Unreadable("a number stands where text is expected")
    return raw


def _int(raw: int | bytes) -> int:
    if isinstance(raw, bytes):
        raise Unreadable("text stands where a number is expected")
    return raw


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise Unreadable("text is not UTF-8") from error
