"""OpenAPI 3 documents of the served kinds, one a group: enough for `kubectl explain`, and for kubectl to see that the
server itself validates fields and knows dry runs. Made of `fields`; the few descriptions are our own.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from deploy.sandbox.apiserver.discovery import GROUPS, VERSION, kinds_of
from deploy.sandbox.apiserver.fields import Field, messages
from deploy.sandbox.apiserver.kinds import Kind, Object

_PREFIX = "sandbox.v1."
_LEAVES: dict[str, Object] = {
    "string": {"type": "string"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "bool": {"type": "boolean"},
    "bytes": {"type": "string", "format": "byte"},
    "double": {"type": "number", "format": "double"},
    "Time": {"type": "string", "format": "date-time"},
    "MicroTime": {"type": "string", "format": "date-time"},
    "Quantity": {"type": "string"},
    "IntOrString": {"type": "string", "format": "int-or-string"},
    "FieldsV1": {"type": "object"},
    "ExtraValue": {"type": "array", "items": {"type": "string"}},
}
_KINDS = {
    "ConfigMap": "Settings that pods can read: names and texts.",
    "Deployment": "A program that runs in a number of equal pods, and how its next version takes their place.",
    "Event": "Something that happened to an object, told by who made it happen.",
    "Namespace": "A part of the cluster with names of its own.",
    "Node": "A machine that pods run on.",
    "Pod": "Containers that run together on one node and share its address.",
    "ReplicaSet": "Keeps a number of equal pods running; a deployment makes them.",
    "Secret": "Like a config map, for what not everybody may read; values are in base64.",
    "Service": "One address for many pods.",
    "ServiceAccount": "Whom a pod is for the cluster.",
}
_FIELDS = {
    "apiVersion": "The group and version of the object's type.",
    "kind": "The object's type.",
    "metadata": "Name, namespace, labels and what the cluster notes of every object.",
    "spec": "What is wanted.",
    "status": "What is; the cluster writes it.",
    "containers": "The programs of the pod; at least one.",
    "image": "Where the container's file system comes from.",
    "replicas": "How many pods.",
    "selector": "Whose labels make them belong to it.",
    "template": "What each pod is made from.",
    "strategy": "How old pods are replaced by new ones.",
    "labels": "Names and values to select by.",
    "annotations": "Names and values for programs and people to note things.",
    "data": "The content by name.",
}
_PARAMETERS = [
    {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
    for name in ("dryRun", "fieldManager", "fieldValidation")
]


def index() -> Object:
    """/openapi/v3: where the documents are."""
    places = ("api/v1", *(f"apis/{group}/v1" for group in GROUPS))
    return {"paths": {place: {"serverRelativeURL": f"/openapi/v3/{place}"} for place in places}}


def document(place: str) -> Object | None:
    """The document of a group version such as `apis/apps/v1`; None where there is none."""
    for group in ("", *GROUPS):
        if place == (f"apis/{group}/v1" if group else "api/v1"):
            return _document(group)
    return None


@cache
def _document(group: str) -> Object:
    paths: Object = {}
    wanted: list[str] = []
    described = [kind for kind in kinds_of(group) if kind.kind in messages()]
    for kind in described:
        wanted.append(kind.kind)
        root = f"/apis/{group}/v1" if group else "/api/v1"
        whole = f"{root}/namespaces/{{namespace}}/{kind.resource}" if kind.namespaced else f"{root}/{kind.resource}"
        paths[whole] = {verb: _operation(kind) for verb in ("get", "post")}
        if "get" in kind.verbs:
            paths[f"{whole}/{{name}}"] = {verb: _operation(kind) for verb in ("get", "put", "patch", "delete")}
    schemas: Object = {}
    while wanted:
        name = wanted.pop()
        if _PREFIX + name not in schemas:
            schemas[_PREFIX + name] = _schema(name, wanted)
    for kind in described:
        _top(schemas[_PREFIX + kind.kind], kind)
    info = {"title": "kubewitness sandbox", "version": VERSION["gitVersion"]}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def _operation(kind: Kind) -> Object:
    """With what kubectl looks for: the kind, and the parameters that it would send."""
    answer = {"description": "OK", "content": {"application/json": {"schema": _reference(kind.kind)}}}
    return {"parameters": _PARAMETERS, "responses": {"200": answer}, "x-kubernetes-group-version-kind": _gvk(kind)}


def _gvk(kind: Kind) -> Object:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _top(schema: Object, kind: Kind) -> None:
    header = {name: {"type": "string", "description": _FIELDS[name]} for name in ("apiVersion", "kind")}
    schema["properties"] = header | schema["properties"]
    schema["description"] = _KINDS.get(kind.kind, "A question about oneself.")
    schema["x-kubernetes-group-version-kind"] = [_gvk(kind)]


def _reference(name: str) -> Object:
    return {"$ref": f"#/components/schemas/{_PREFIX}{name}"}


def _schema(name: str, wanted: list[str]) -> Object:
    fields = messages()[name].fields
    wanted += [field.type for field in fields.values() if field.is_message]
    schema: Object = {
        "type": "object",
        "description": "",
        "properties": {key: _property(key, field) for key, field in fields.items()},
    }
    required = [key for key, field in fields.items() if field.required]
    return schema | ({"required": required} if required else {})


def _property(key: str, field: Field) -> Object:
    if field.is_message:
        value: dict[str, Any] = {"allOf": [_reference(field.type)]}
    else:
        value = dict(_LEAVES[field.type])
    if field.shape == "[]":
        value = {"type": "array", "items": value}
        if field.merged:
            value["x-kubernetes-patch-strategy"] = "merge"
        if field.merge_key:
            value["x-kubernetes-patch-merge-key"] = field.merge_key
    elif field.shape == "{}":
        value = {"type": "object", "additionalProperties": value}
    return {"description": _FIELDS.get(key, "")} | value
