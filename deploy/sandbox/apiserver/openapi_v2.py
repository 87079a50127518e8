"""The OpenAPI 2 document, as JSON and in the protobuf form that kubectl asks for (gnostic's `openapi.v2.Document`).

Until 1.26 kubectl explains and validates by it, and to this day it validates a List by it. Made from the documents of
`openapi`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache

from deploy.sandbox.apiserver import openapi
from deploy.sandbox.apiserver.discovery import GROUPS, VERSION
from deploy.sandbox.apiserver.kinds import Object

MEDIA_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_METHODS = {"get": 2, "put": 3, "post": 4, "delete": 5, "patch": 8}
"""Fields of gnostic's PathItem."""
_MARK = "x-kubernetes-"


@cache
def document() -> Object:
    """All groups in one."""
    paths: Object = {}
    definitions: Object = {}
    for place in ("api/v1", *(f"apis/{group}/v1" for group in GROUPS)):
        found = openapi.document(place) or {}
        paths |= found["paths"]
        definitions |= {name: _definition(schema) for name, schema in found["components"]["schemas"].items()}
    info = {"title": "kubewitness sandbox", "version": VERSION["gitVersion"]}
    return {"swagger": "2.0", "info": info, "paths": paths, "definitions": definitions}


def _definition(schema: Object) -> Object:
    """A schema whose references lead where OpenAPI 2 has its definitions."""
    text = json.dumps(schema).replace("#/components/schemas/", "#/definitions/")
    return {key: value for key, value in json.loads(text).items() if value != ""}


@cache
def in_protobuf() -> bytes:
    """The same for kubectl."""
    whole = document()
    info = _text(1, whole["info"]["title"]) + _text(2, whole["info"]["version"])
    paths = b"".join(_bytes(2, _named(path, _path_item(item))) for path, item in whole["paths"].items())
    named = whole["definitions"].items()
    definitions = b"".join(_bytes(1, _named(name, _schema(schema))) for name, schema in named)
    return _text(1, "2.0") + _bytes(2, info) + _bytes(8, paths) + _bytes(9, definitions)


def _path_item(item: Object) -> bytes:
    return b"".join(_bytes(_METHODS[method], _operation(operation)) for method, operation in item.items())


def _operation(operation: Object) -> bytes:
    parameters = (_text(2, one["in"]) + _text(4, one["name"]) + _text(6, "string") for one in operation["parameters"])
    queried = b"".join(_bytes(8, _bytes(1, _bytes(2, _bytes(3, one)))) for one in parameters)
    return queried + b"".join(_bytes(13, one) for one in _marks(operation))


def _schema(schema: Object) -> bytes:
    reference = schema.get("$ref") or next((one["$ref"] for one in schema.get("allOf", ())), "")
    said = _text(1, reference) + _text(2, schema.get("format", "")) + _text(4, schema.get("description", ""))
    said += b"".join(_text(19, one) for one in schema.get("required", ()))
    if "additionalProperties" in schema:
        said += _bytes(21, _bytes(1, _schema(schema["additionalProperties"])))
    if "type" in schema:
        said += _bytes(22, _text(1, schema["type"]))
    if "items" in schema:
        said += _bytes(23, _bytes(1, _schema(schema["items"])))
    if "properties" in schema:
        named = schema["properties"].items()
        said += _bytes(25, b"".join(_bytes(1, _named(name, _schema(inner))) for name, inner in named))
    return said + b"".join(_bytes(31, one) for one in _marks(schema))


def _marks(about: Object) -> Iterable[bytes]:
    """Kubernetes' own properties, as YAML (of which JSON is a part)."""
    for key, value in about.items():
        if key.startswith(_MARK):
            yield _named(key, _text(2, json.dumps(value)))


def _named(name: str, value: bytes) -> bytes:
    return _text(1, name) + _bytes(2, value)


def _text(number: int, value: str) -> bytes:
    return _bytes(number, value.encode()) if value else b""


def _bytes(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))
