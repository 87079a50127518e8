"""Objects in memory with resource versions, selectors, patches and a bounded history for watches."""

from __future__ import annotations

import asyncio
import copy
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deploy.sandbox.apiserver.kinds import KINDS, Kind, Object, settle

HISTORY = 1000
"""Changes kept for watches that resume; older ones get 410 Expired."""


class Problem(Exception):  # noqa: N818 - a Kubernetes Status, not an error of ours
    """A Status to answer with."""

    def __init__(self, code: int, reason: str, message: str, details: Object | None = None) -> None:
        super().__init__(message)
        self.status: Object = {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
            "reason": reason, "code": code, **({"details": details} if details else {}),
        }  # fmt: skip
        self.code = code


@dataclass(frozen=True, slots=True)
class Change:
    version: int
    type: str
    kind: Kind
    object: Object


class Objects:
    """All objects of the sandbox."""

    def __init__(self, timestamp: Callable[[], str]) -> None:
        self._timestamp = timestamp
        self._objects: dict[tuple[str, str, str, str], Object] = {}
        self._version = 1
        self.history: deque[Change] = deque(maxlen=HISTORY)
        self.changed = asyncio.Condition()

    @property
    def version(self) -> int:
        return self._version

    @staticmethod
    def _key(kind: Kind, namespace: str, name: str) -> tuple[str, str, str, str]:
        return (kind.group, kind.resource, namespace, name)

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        found = self._objects.get(self._key(kind, namespace, name))
        if found is None:
            what = f"{kind.resource}.{kind.group}" if kind.group else kind.resource
            raise Problem(
                404,
                "NotFound",
                f'{what} "{name}" not found',
                {"name": name, "group": kind.group, "kind": kind.resource},
            )
        return found

    def list(self, kind: Kind, namespace: str, labels: str, fields: str) -> list[Object]:
        return [
            o
            for (group, resource, where, _), o in sorted(self._objects.items())
            if (group, resource) == (kind.group, kind.resource)
            and (not namespace or where == namespace)
            and matches(o, labels, fields)
        ]

    def create(self, kind: Kind, namespace: str, o: Object, *, dry: bool = False) -> Object:
        o = copy.deepcopy(o)
        meta = o.setdefault("metadata", {})
        if not meta.get("name"):
            meta["name"] = meta.get("generateName", "") + uuid.uuid4().hex[:5]
        key = self._key(kind, namespace, meta["name"])
        if key in self._objects:
            what = f"{kind.resource}.{kind.group}" if kind.group else kind.resource
            raise Problem(
                409, "AlreadyExists", f'{what} "{meta["name"]}" already exists',
                {"name": meta["name"], "group": kind.group, "kind": kind.resource},
            )  # fmt: skip
        if kind.namespaced:
            self.get(next(k for k in KINDS if k.kind == "Namespace"), "", namespace)
            meta["namespace"] = namespace
        meta.update(uid=str(uuid.uuid4()), creationTimestamp=self._timestamp(), generation=1)
        return self._store(kind, key, o, "ADDED", dry=dry)

    def replace(self, kind: Kind, namespace: str, name: str, o: Object, *, dry: bool = False) -> Object:
        old = self.get(kind, namespace, name)
        wanted = o.get("metadata", {}).get("resourceVersion")
        if wanted and wanted != old["metadata"]["resourceVersion"]:
            raise Problem(
                409, "Conflict",
                f'Operation cannot be fulfilled on {kind.resource} "{name}": the object has been modified; please '
                "apply your changes to the latest version and try again",
            )  # fmt: skip
        o = copy.deepcopy(o)
        meta = o.setdefault("metadata", {})
        for field in ("uid", "creationTimestamp", "namespace", "name"):
            if field in old["metadata"]:
                meta[field] = old["metadata"][field]
        meta["generation"] = old["metadata"].get("generation", 1) + (o.get("spec") != old.get("spec"))
        if {**o, "metadata": {**meta, "resourceVersion": 0}} == {
            **old,
            "metadata": {**old["metadata"], "resourceVersion": 0},
        }:
            return old
        return self._store(kind, self._key(kind, namespace, name), o, "MODIFIED", dry=dry)

    def delete(self, kind: Kind, namespace: str, name: str, *, dry: bool = False) -> Object:
        o = self.get(kind, namespace, name)
        if not dry:
            del self._objects[self._key(kind, namespace, name)]
            self._version += 1
            gone = copy.deepcopy(o)
            gone["metadata"]["resourceVersion"] = str(self._version)
            self.history.append(Change(self._version, "DELETED", kind, gone))
        return o

    def _store(self, kind: Kind, key: tuple[str, str, str, str], o: Object, change: str, *, dry: bool) -> Object:
        o["kind"], o["apiVersion"] = kind.kind, kind.api_version
        settle(kind, o, self._timestamp())
        o["metadata"]["resourceVersion"] = str(self._version + 1)
        if not dry:
            self._version += 1
            self._objects[key] = o
            self.history.append(Change(self._version, change, kind, copy.deepcopy(o)))
        return o


def matches(o: Object, labels: str, fields: str) -> bool:
    """Equality and set-free selectors; `!` and `!=` included."""
    have: dict[str, Any] = o["metadata"].get("labels") or {}
    for term in filter(None, labels.split(",")):
        if "!=" in term:
            key, _, value = term.partition("!=")
            if have.get(key) == value:
                return False
        elif "=" in term:
            key, _, value = term.replace("==", "=").partition("=")
            if have.get(key) != value:
                return False
        elif (term.lstrip("!") in have) == term.startswith("!"):
            return False
    for term in filter(None, fields.split(",")):
        key, _, value = term.replace("==", "=").partition("=")
        negated, key = key.endswith("!"), key.rstrip("!")
        found: Any = o
        for part in key.split("."):
            found = found.get(part, "") if isinstance(found, dict) else ""
        if (str(found) == value) == negated:
            return False
    return True


def merge(target: Any, patch: Any) -> Any:
    """RFC 7396, with lists of named items merged by name, which is what strategic merge does to containers."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if key.startswith("$"):
            continue
        if value is None:
            result.pop(key, None)
        elif isinstance(value, list) and value and all(isinstance(i, dict) and "name" in i for i in value):
            old = {i.get("name"): i for i in result.get(key, []) if isinstance(i, dict)}
            for item in value:
                if item.get("$patch") == "delete":
                    old.pop(item["name"], None)
                else:
                    old[item["name"]] = merge(old.get(item["name"], {}), item)
            result[key] = list(old.values())
        else:
            result[key] = merge(result.get(key), value)
    return result


def json_patch(target: Object, operations: list[Object]) -> Object:
    """RFC 6902: add, remove, replace, test."""
    result = copy.deepcopy(target)
    for operation in operations:
        parts = [p.replace("~1", "/").replace("~0", "~") for p in operation["path"].split("/")[1:]]
        at: Any = result
        for part in parts[:-1]:
            at = at[int(part)] if isinstance(at, list) else at.setdefault(part, {})
        last, kind = parts[-1], operation["op"]
        if isinstance(at, list):
            index = len(at) if last == "-" else int(last)
            if kind == "add":
                at.insert(index, operation["value"])
            elif kind == "remove":
                at.pop(index)
            else:
                at[index] = operation["value"]
        elif kind == "remove":
            at.pop(last, None)
        elif kind == "test":
            if at.get(last) != operation["value"]:
                raise Problem(422, "Invalid", "the server rejected our request due to an error in our request")
        else:
            at[last] = operation["value"]
    return result
