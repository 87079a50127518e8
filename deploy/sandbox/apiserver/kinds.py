"""The kinds that the sandbox serves, and the columns of their tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
Column = tuple[str, Callable[[Object, str], Any]]


@dataclass(frozen=True, slots=True)
class Kind:
    group: str
    version: str
    kind: str
    resource: str
    singular: str
    namespaced: bool
    short: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    subresources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


def _name(o: Object, _age: str) -> str:
    return str(o["metadata"]["name"])


def _age(_o: Object, age: str) -> str:
    return age


def _ready(o: Object, _age: str) -> str:
    statuses = o.get("status", {}).get("containerStatuses", [])
    return f"{sum(bool(s.get('ready')) for s in statuses)}/{len(statuses)}"


def _replicas(o: Object, _age: str) -> str:
    return f"{o.get('status', {}).get('readyReplicas', 0)}/{o.get('spec', {}).get('replicas', 1)}"


def _field(*path: str, default: Any = "<none>") -> Callable[[Object, str], Any]:
    def get(o: Object, _age: str) -> Any:
        value: Any = o
        for part in path:
            value = value.get(part, {}) if isinstance(value, dict) else {}
        return value if value != {} else default

    return get


def _count(field: str) -> Callable[[Object, str], int]:
    return lambda o, _age: len(o.get(field) or {})


NAME: Column = ("Name", _name)
AGE: Column = ("Age", _age)

KINDS: tuple[Kind, ...] = (
    Kind("", "v1", "Namespace", "namespaces", "namespace", False, ("ns",),
         (NAME, ("Status", _field("status", "phase")), AGE)),
    Kind(
        "", "v1", "Pod", "pods", "pod", True, ("po",),
        (NAME, ("Ready", _ready), ("Status", _field("status", "phase")), ("Restarts", lambda _o, _a: 0), AGE),
        ("log", "status"),
    ),
    Kind("", "v1", "ConfigMap", "configmaps", "configmap", True, ("cm",), (NAME, ("Data", _count("data")), AGE)),
    Kind("", "v1", "Secret", "secrets", "secret", True, (),
         (NAME, ("Type", _field("type")), ("Data", _count("data")), AGE)),
    Kind(
        "", "v1", "Service", "services", "service", True, ("svc",),
        (NAME, ("Type", _field("spec", "type")), ("Cluster-IP", _field("spec", "clusterIP")), AGE),
    ),
    Kind("", "v1", "ServiceAccount", "serviceaccounts", "serviceaccount", True, ("sa",), (NAME, AGE)),
    Kind("", "v1", "Node", "nodes", "node", False, ("no",), (NAME, ("Status", lambda _o, _a: "Ready"), AGE)),
    Kind(
        "", "v1", "Event", "events", "event", True, ("ev",),
        (("Last Seen", _age), ("Type", _field("type")), ("Reason", _field("reason")), ("Message", _field("message"))),
    ),
    Kind(
        "apps", "v1", "Deployment", "deployments", "deployment", True, ("deploy",),
        (NAME, ("Ready", _replicas), ("Up-to-date", _field("status", "updatedReplicas", default=0)),
         ("Available", _field("status", "availableReplicas", default=0)), AGE),
        ("scale", "status"),
    ),
)  # fmt: skip

BY_RESOURCE = {(k.group, k.version, k.resource): k for k in KINDS}


def settle(kind: Kind, o: Object, now: str) -> None:
    """What controllers and the kubelet would do, at once."""
    spec = o.setdefault("spec", {}) if kind.kind in ("Pod", "Deployment", "Service", "Namespace", "Node") else {}
    if kind.kind == "Namespace":
        o["status"] = {"phase": "Active"}
    elif kind.kind == "Pod":
        names = [c.get("name", "main") for c in spec.get("containers", [])]
        o["status"] = {
            "phase": "Running",
            "startTime": now,
            "conditions": [
                {"type": t, "status": "True", "lastTransitionTime": now} for t in ("Ready", "ContainersReady")
            ],
            "containerStatuses": [
                {"name": n, "ready": True, "restartCount": 0, "state": {"running": {"startedAt": now}}} for n in names
            ],
        }
    elif kind.kind == "Deployment":
        wanted = spec.setdefault("replicas", 1)
        o["status"] = {
            "replicas": wanted, "readyReplicas": wanted, "updatedReplicas": wanted, "availableReplicas": wanted,
            "observedGeneration": o["metadata"].get("generation", 1),
            "conditions": [{"type": "Available", "status": "True", "lastTransitionTime": now}],
        }  # fmt: skip
    elif kind.kind == "Service":
        spec.setdefault("type", "ClusterIP")
        spec.setdefault("clusterIP", "10.96.0.10")


def table(kind: Kind, objects: list[Object], meta: Object, age: Callable[[Object], str]) -> Object:
    """meta.k8s.io/v1 Table, as kubectl asks for it."""
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": meta,
        "columnDefinitions": [
            {
                "name": title,
                "type": "string",
                "format": "name" if title == "Name" else "",
                "description": "",
                "priority": 0,
            }
            for title, _ in kind.columns
        ],
        "rows": [
            {
                "cells": [cell(o, age(o)) for _, cell in kind.columns],
                "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": o["metadata"]},
            }
            for o in objects
        ],
    }
