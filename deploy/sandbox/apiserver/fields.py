"""What fields the served kinds have: one table for reading protobuf, for patches, for OpenAPI, and for refusing typos.

fields.json is made by tests/sandbox/apiserver/rebuild_fields.py. An entry is the field's number and type (`X`, `[]X`,
`{}X` for a map of text to X), then words:

    pointer     it can be absent, which is something else than empty
    always      it is written even when it is empty
    required    the OpenAPI document says so
    merge=KEY   strategic merge joins the lists, items by KEY where there is one
    retain      strategic merge obeys `$retainKeys`
    keys=A,B    server-side apply tells items apart by these
    set         server-side apply takes the items as a set
    atomic      server-side apply takes it as one value

`+name` is a message whose fields stand in its owner; `*` has the words of the message itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType

LEAVES = frozenset(
    ("string", "int32", "int64", "bool", "bytes", "double", "Time", "MicroTime", "Quantity", "IntOrString", "FieldsV1")
) | {"ExtraValue"}
"""Types that are one value in JSON."""


@dataclass(frozen=True, slots=True)
class Field:
    """`type` without its shape; `shape` is empty, `[]` or `{}`; `merge_key` is empty for lists of plain values."""

    number: int
    type: str
    shape: str
    pointer: bool = False
    always: bool = False
    required: bool = False
    merged: bool = False
    merge_key: str = ""
    retain: bool = False
    keys: tuple[str, ...] = ()
    is_set: bool = False
    atomic: bool = False

    @property
    def is_message(self) -> bool:
        return self.type not in LEAVES


@dataclass(frozen=True, slots=True)
class Message:
    """`fields` as in JSON, those of inlined messages included; `wire` by number as in protobuf."""

    name: str
    fields: MappingProxyType[str, Field]
    wire: MappingProxyType[int, tuple[str, Field]]
    atomic: bool


@cache
def messages() -> MappingProxyType[str, Message]:
    """All of them by name."""
    raw: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("fields.json").read_text(encoding="utf-8"))
    parsed = {name: {key: _field(text) for key, text in row.items() if key != "*"} for name, row in raw.items()}
    return MappingProxyType({name: _message(name, parsed, atomic="*" in raw[name]) for name in raw})


def _field(text: str) -> Field:
    number, kind, *words = text.split()
    shape = kind[:2] if kind[:2] in ("[]", "{}") else ""
    named = dict(word.partition("=")[::2] for word in words)
    return Field(
        int(number),
        kind.removeprefix(shape),
        shape,
        pointer="pointer" in named,
        always="always" in named,
        required="required" in named,
        merged="merge" in named,
        merge_key=named.get("merge", ""),
        retain="retain" in named,
        keys=tuple(named.get("keys", "").split(",")) if named.get("keys") else (),
        is_set="set" in named,
        atomic="atomic" in named,
    )


def _message(name: str, parsed: dict[str, dict[str, Field]], *, atomic: bool) -> Message:
    fields: dict[str, Field] = {}
    wire: dict[int, tuple[str, Field]] = {}
    for key, field in parsed[name].items():
        wire[field.number] = (key, field)
        if key.startswith("+"):
            fields |= {k: replace(f, number=0) for k, f in parsed[field.type].items()}
        else:
            fields[key] = field
    return Message(name, MappingProxyType(fields), MappingProxyType(wire), atomic)
