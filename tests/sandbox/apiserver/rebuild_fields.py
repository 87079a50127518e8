"""Rebuild deploy/sandbox/apiserver/fields.json: the fields of the kinds that the sandbox serves, and nothing else.

Numbers come from Kubernetes' generated.proto files, what can be absent from its types.go; names, types and what merges
by which key from the OpenAPI documents of a real API server (`kubectl get --raw /openapi/v3/api/v1`, …, saved as JSON).

    python tests/sandbox/apiserver/rebuild_fields.py GO_MODULE_CACHE OPENAPI_DIRECTORY
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[3] / "deploy" / "sandbox" / "apiserver" / "fields.json"
ROOTS = (
    "Namespace", "Pod", "ConfigMap", "Secret", "Service", "ServiceAccount", "Node", "Event", "Deployment", "ReplicaSet",
    "Scale", "Eviction", "DeleteOptions", "SelfSubjectAccessReview", "SelfSubjectRulesReview", "SelfSubjectReview",
)  # fmt: skip
PROTOS = (
    "k8s.io/apimachinery@*/pkg/apis/meta/v1", "k8s.io/api@*/core/v1", "k8s.io/api@*/apps/v1",
    "k8s.io/api@*/autoscaling/v1", "k8s.io/api@*/policy/v1", "k8s.io/api@*/authentication/v1",
    "k8s.io/api@*/authorization/v1",
)  # fmt: skip
LEAVES = ("Time", "MicroTime", "Quantity", "IntOrString", "FieldsV1", "ExtraValue")
SCALARS = ("string", "int32", "int64", "bool", "bytes", "double")

Message = dict[str, tuple[int, str]]


def messages(text: str) -> dict[str, Message]:
    """Message → field → (number, type), the type as `X`, `[]X` or `{}X`."""
    found: dict[str, Message] = {}
    for name, body in re.findall(r"^message (\w+) \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL):
        fields: Message = {}
        for line in re.sub(r"//.*", "", body).split(";"):
            match = re.search(r"(optional|repeated|map<string, ([\w.]+)>)\s*([\w.]*?)\s+(\w+) = (\d+)$", line.strip())
            if match:
                kind, value, plain, field, number = match.groups()
                shape = "{}" if value else "[]" if kind == "repeated" else ""
                fields[field] = (int(number), shape + (value or plain).rpartition(".")[2])
        found[name] = fields
    return found


def schemas(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in sorted(folder.glob("*.json")):
        for name, schema in json.loads(path.read_text())["components"]["schemas"].items():
            found.setdefault(name.rpartition(".")[2], schema)
    return found


def pointers(text: str) -> set[tuple[str, str]]:
    """(struct, JSON name) of the fields that can be absent, unlike empty."""
    return {
        (name, field)
        for name, body in re.findall(r"^type (\w+) struct \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL)
        for field in re.findall(r"^\s+\w+\s+\*\S+\s+`json:\"(\w+)", body, re.MULTILINE)
    }


def entry(number: int, kind: str, prop: dict[str, Any], *, required: bool, pointer: bool) -> str:
    words = [str(number), kind]
    if pointer:
        words.append("pointer")
    elif kind not in LEAVES and (prop.get("default") == {} or (required and kind in SCALARS)):
        words.append("always")
    strategy = prop.get("x-kubernetes-patch-strategy", "").split(",")
    if "merge" in strategy:
        words.append(f"merge={prop.get('x-kubernetes-patch-merge-key', '')}")
    if "retainKeys" in strategy:
        words.append("retain")
    list_type = prop.get("x-kubernetes-list-type")
    if list_type == "map":
        words.append("keys=" + ",".join(prop["x-kubernetes-list-map-keys"]))
    if list_type == "set":
        words.append("set")
    if prop.get("x-kubernetes-map-type") == "atomic":
        words.append("atomic")
    if required:
        words.append("required")
    return " ".join(words)


def rebuild(cache: Path, openapi: Path) -> dict[str, dict[str, str]]:
    known: dict[str, Message] = {}
    optional: set[tuple[str, str]] = set()
    for pattern in PROTOS:
        (folder,) = cache.glob(pattern)
        for name, message in messages((folder / "generated.proto").read_text()).items():
            known.setdefault(name, message)
        optional |= pointers((folder / "types.go").read_text())
    wanted, result, shapes = list(ROOTS), {}, schemas(openapi)
    while wanted:
        name = wanted.pop()
        if name in result or name in SCALARS or name in LEAVES:
            continue
        schema = shapes.get(name, {})
        properties, required = schema.get("properties", {}), schema.get("required", ())
        fields: dict[str, str] = {}
        for field, (number, kind) in known[name].items():
            if field in properties:
                pointer = (name, field) in optional
                fields[field] = entry(number, kind, properties[field], required=field in required, pointer=pointer)
            elif schema:
                fields[f"+{field}"] = f"{number} {kind}"  # its fields stand in its owner, in JSON
            else:
                fields[field] = f"{number} {kind}" + " pointer" * ((name, field) in optional)  # inlined itself
            wanted.append(re.sub(r"^[\[\]{}]+", "", kind))
        if schema.get("x-kubernetes-map-type") == "atomic":
            fields["*"] = "atomic"
        lost = set(properties) - set(fields) - {"kind", "apiVersion"}
        inner = {f for key in fields if key[0] == "+" for f in known[fields[key].split()[1]]}
        assert lost <= inner, (name, lost - inner)
        result[name] = fields
    return dict(sorted(result.items()))


if __name__ == "__main__":
    lines = [f"{json.dumps(n)}: {json.dumps(f)}" for n, f in rebuild(Path(sys.argv[1]), Path(sys.argv[2])).items()]
    TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n")
