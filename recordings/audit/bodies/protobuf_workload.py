"""What of a workload in Kubernetes' protobuf reaches out of its pod, in the shape of its JSON.

Newer kubectls write protobuf, so without this `kubectl debug node/…` would pass unnamed. Only the members that
`host_access` looks at are read; the rest of the body stays a hash. Members have the numbers of `generated.proto` in
k8s.io/api (core, apps and batch v1), which are never used again for something else; unknown ones are passed over. The
envelope is `runtime.Unknown` behind four magic bytes (k8s.io/apimachinery, runtime/generated.proto).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\x00"
MAX_FIELDS = 20_000
"""Looked at in one body; a workload has hundreds."""


@dataclass(frozen=True, slots=True)
class _Member:
    """`shape`: of a message; without one it is a text, or a flag where it came as a number."""

    name: str
    shape: Mapping[int, _Member] | None = None
    many: bool = False


_Shape = Mapping[int, _Member]

_SECURITY: _Shape = {1: _Member("capabilities", {1: _Member("add", many=True)}), 2: _Member("privileged")}
_CONTAINER: _Shape = {1: _Member("name"), 15: _Member("securityContext", _SECURITY)}
_VOLUME: _Shape = {2: _Member("", {1: _Member("hostPath", {1: _Member("path")})})}
_EPHEMERAL: _Shape = {1: _Member("", _CONTAINER)}
"""A nameless member's own members stand in its place: JSON has them inline."""
_POD_SPEC: _Shape = {
    1: _Member("volumes", _VOLUME, many=True),
    2: _Member("containers", _CONTAINER, many=True),
    10: _Member("nodeName"),
    11: _Member("hostNetwork"),
    12: _Member("hostPID"),
    13: _Member("hostIPC"),
    20: _Member("initContainers", _CONTAINER, many=True),
    34: _Member("ephemeralContainers", _EPHEMERAL, many=True),
}
_METADATA = _Member("metadata", {1: _Member("name")})
_TEMPLATE = _Member("template", {2: _Member("spec", _POD_SPEC)})
_JOB_SPEC: _Shape = {6: _TEMPLATE}


def _kind(spec: _Shape) -> _Shape:
    return {1: _METADATA, 2: _Member("spec", spec)}


_KINDS: Mapping[str, _Shape] = {
    "Pod": _kind(_POD_SPEC),
    "PodTemplate": {1: _METADATA, 2: _TEMPLATE},
    "ReplicationController": _kind({3: _TEMPLATE}),
    "Deployment": _kind({3: _TEMPLATE}),
    "ReplicaSet": _kind({3: _TEMPLATE}),
    "StatefulSet": _kind({3: _TEMPLATE}),
    "DaemonSet": _kind({2: _TEMPLATE}),
    "Job": _kind(_JOB_SPEC),
    "CronJob": _kind({5: _Member("jobTemplate", {2: _Member("spec", _JOB_SPEC)})}),
}
_TYPE: _Shape = {2: _Member("kind")}
"""Of `TypeMeta`."""


class ProtobufError(ValueError):
    """The bytes are no protobuf, or too much of it."""


def workload(payload: bytes) -> dict[str, Any]:
    """The members of a workload that `host_access` and its like look at; empty for other kinds. Raises ProtobufError,
    for what is no body of Kubernetes' protobuf.
    """
    if not payload.startswith(MAGIC):
        raise ProtobufError("the magic bytes of Kubernetes' protobuf are missing")
    reading, kind, raw = _Reading(), "", b""
    for number, value in reading.members(payload[len(MAGIC) :]):
        if number == 1 and isinstance(value, bytes):
            kind = reading.message(value, _TYPE).get("kind", "")
        elif number == 2 and isinstance(value, bytes):
            raw = value
    shape = _KINDS.get(kind)
    return reading.message(raw, shape) if shape is not None else {}


class _Reading:
    """Of one body; counts what it looks at."""

    def __init__(self) -> None:
        self._left = MAX_FIELDS

    def message(self, data: bytes, shape: _Shape) -> dict[str, Any]:
        """As deep as the shape is, whatever the bytes are."""
        found: dict[str, Any] = {}
        for number, value in self.members(data):
            member = shape.get(number)
            if member is None:
                continue
            seen = self._value(member, value)
            if member.many:
                found.setdefault(member.name, []).append(seen)
            elif not member.name:
                found |= seen
            elif isinstance(seen, dict):  # a message that comes twice is one (protobuf, "last one wins" by member)
                found[member.name] = found.get(member.name, {}) | seen
            else:
                found[member.name] = seen
        return found

    def _value(self, member: _Member, value: int | bytes) -> Any:
        if member.shape is not None:
            if not isinstance(value, bytes):
                raise ProtobufError(f"{member.name or 'a member'} is a number where a message stands")
            return self.message(value, member.shape)
        return bool(value) if isinstance(value, int) else value.decode("utf-8", "replace")

    def members(self, data: bytes) -> Iterator[tuple[int, int | bytes]]:
        """(number, value) of each; those of a fixed size are passed over. Raises ProtobufError."""
        at = 0
        while at < len(data):
            self._left -= 1
            if self._left < 0:
                raise ProtobufError(f"more than {MAX_FIELDS} members")
            key, at = _varint(data, at)
            number, wire = key >> 3, key & 7
            if wire == 0:
                value, at = _varint(data, at)
                yield number, value
            elif wire == 2:
                size, at = _varint(data, at)
                if size > len(data) - at:
                    raise ProtobufError("a member is longer than what holds it")
                yield number, data[at : at + size]
                at += size
            elif wire in (1, 5):
                at += 8 if wire == 1 else 4
            else:
                raise ProtobufError(f"there is no wire type {wire}")
        if at > len(data):
            raise ProtobufError("it ends in the middle of a member")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise ProtobufError("it ends in the middle of a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ProtobufError("a number is longer than ten bytes")
