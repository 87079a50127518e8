"""All objects of the sandbox, in memory: versions, conflicts, finalizers, and how much there may be.

An object that is stored is never changed again; whoever changes one copies it first. Answers and history share them.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections import deque
from collections.abc import Callable

from deploy.sandbox.apiserver.history import Change, History
from deploy.sandbox.apiserver.kinds import KINDS, NAMESPACE, Kind, Object
from deploy.sandbox.apiserver.problem import Problem, already_exists, conflict, forbidden, not_found

MAX_OBJECTS = 5000
"""What a demo or a test of chunked lists needs, twice."""
MAX_BYTES = 64 * 1024 * 1024
"""Of JSON, all objects together; in Python's memory it is about five times that."""
MAX_OBJECT_BYTES = 1536 * 1024
"""etcd's limit for a request."""
FIRST_VERSION = 1
_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""apimachinery `util/rand`: no vowels, so that no words come about."""
_NOBODY: Object = {"metadata": {}}

Key = tuple[str, str, str]
"""Qualified resource, namespace, name."""


class Objects:
    """`now` gives RFC 3339 to the second; `new_id` UUIDs. Where there are controllers, `unsettled` is their inbox."""

    def __init__(self, *, now: Callable[[], str], new_id: Callable[[], str]) -> None:
        self.now, self._new_id = now, new_id
        self._kinds: dict[str, dict[Key, Object]] = {kind.qualified: {} for kind in KINDS}
        self._owned: dict[str, set[Key]] = {}
        self._sizes: dict[Key, int] = {}
        self._bytes = 0
        self.version = FIRST_VERSION
        self.history = History()
        self.unsettled: deque[Change] | None = None

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """Raises Problem 404."""
        found = self.find(kind, namespace, name)
        if found is None:
            raise not_found(kind, name)
        return found

    def find(self, kind: Kind, namespace: str, name: str) -> Object | None:
        return self._kinds[kind.qualified].get((kind.qualified, namespace, name))

    def all(self, kind: Kind, namespace: str = "", at: int | None = None) -> list[Object]:
        """All of a kind by namespace and name, as they are or were `at` a version. Raises Problem 410."""
        found = dict(self._kinds[kind.qualified])
        for change in reversed(self.history.since(at) if at is not None else []):
            if change.kind is kind:
                key = _key(kind, change.object)
                if change.previous is None:
                    found.pop(key, None)
                else:
                    found[key] = change.previous
        return [found[key] for key in sorted(found) if namespace in ("", key[1])]

    def count(self, kind: Kind) -> int:
        return len(self._kinds[kind.qualified])

    def oldest(self, kind: Kind) -> Object:
        """Of those that there are, which must be one at least, the one that was created first."""
        return next(iter(self._kinds[kind.qualified].values()))

    def owned(self, uid: str) -> list[tuple[Key, Object]]:
        """Whose owner this is."""
        return [(key, self._kinds[key[0]][key]) for key in sorted(self._owned.get(uid, ()))]

    def within(self, namespace: str) -> list[Key]:
        """What is in a namespace."""
        return sorted(key for objects in self._kinds.values() for key in objects if key[1] == namespace)

    def create(self, kind: Kind, namespace: str, o: Object, *, dry: bool = False) -> Object:
        """Store a new one. Raises Problem 404 for its namespace, 409, 403 where there is no more room."""
        o = copy.deepcopy(o)
        metadata = o.setdefault("metadata", {})
        for field in ("resourceVersion", "deletionTimestamp", "selfLink"):
            metadata.pop(field, None)
        if kind.namespaced:
            space = self.get(NAMESPACE, "", namespace)
            metadata["namespace"] = namespace
            if "deletionTimestamp" in space["metadata"]:
                why = f"unable to create new content in namespace {namespace} because it is being terminated"
                raise forbidden(kind, metadata["name"], why)
        if self.find(kind, namespace, metadata["name"]) is not None:
            raise already_exists(kind, metadata["name"])
        metadata |= {"uid": self._new_id(), "creationTimestamp": self.now()}
        if kind.counts_generations:
            metadata["generation"] = 1
        return self._put(kind, o, None, dry=dry)

    def replace(self, kind: Kind, o: Object, *, dry: bool = False) -> Object:
        """Store a new state of the object of this name. Raises Problem 404, 409, 403.

        What nobody may change is taken from the old state. Where nothing changed there is no new version.
        """
        namespace, name = o["metadata"].get("namespace", ""), o["metadata"]["name"]
        old = self.get(kind, namespace, name)
        self._check(kind, name, o["metadata"], old["metadata"])
        o = copy.deepcopy(o)
        for field in ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"):
            o["metadata"].pop(field, None)
            if field in old["metadata"]:
                o["metadata"][field] = old["metadata"][field]
        if kind.counts_generations and o.get("spec") != old.get("spec"):
            o["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        if _without_marks(o) == _without_marks(old):
            return old
        if "deletionTimestamp" in o["metadata"] and not o["metadata"].get("finalizers"):
            return o if dry else self._remove(kind, o)
        return self._put(kind, o, old, dry=dry)

    def delete(self, kind: Kind, namespace: str, name: str, *, dry: bool = False) -> tuple[Object, bool]:
        """The object's last state, and whether it is gone: what has finalizers stays until they are. Raises 404."""
        old = self.get(kind, namespace, name)
        o = copy.deepcopy(old)
        if o["metadata"].get("finalizers") or o.get("spec", {}).get("finalizers"):
            if "deletionTimestamp" not in o["metadata"]:
                o["metadata"] |= {"deletionTimestamp": self.now(), "deletionGracePeriodSeconds": 0}
                if kind is NAMESPACE:
                    o["status"] = {"phase": "Terminating"}
                o = self._put(kind, o, old, dry=dry)
            return o, False
        return (o if dry else self._remove(kind, o)), True

    def remove(self, kind: Kind, namespace: str, name: str) -> None:
        """Take it away, finalizers or not. Raises 404."""
        self._remove(kind, copy.deepcopy(self.get(kind, namespace, name)))

    def suffix(self) -> str:
        """Five letters for a name that is to be made."""
        digest = hashlib.sha256(self._new_id().encode()).digest()
        return "".join(_SUFFIX_ALPHABET[byte % len(_SUFFIX_ALPHABET)] for byte in digest[:5])

    @staticmethod
    def _check(kind: Kind, name: str, wanted: Object, has: Object) -> None:
        if wanted.get("uid", has["uid"]) != has["uid"]:
            why = f"Precondition failed: UID in precondition: {wanted['uid']}, UID in object meta: {has['uid']}"
            raise conflict(kind, name, why)
        if wanted.get("resourceVersion", has["resourceVersion"]) != has["resourceVersion"]:
            raise conflict(kind, name)

    def _put(self, kind: Kind, o: Object, old: Object | None, *, dry: bool) -> Object:
        key = _key(kind, o)
        o |= {"kind": kind.kind, "apiVersion": kind.api_version}
        size = len(json.dumps(o, separators=(",", ":")))
        if size > MAX_OBJECT_BYTES:
            raise Problem(413, "RequestEntityTooLarge", f"the object has {size} bytes; the limit is {MAX_OBJECT_BYTES}")
        room = MAX_BYTES - self._bytes + self._sizes.get(key, 0)
        if size > room or (old is None and len(self._sizes) >= MAX_OBJECTS):
            why = f"the sandbox holds no more than {MAX_OBJECTS} objects of {MAX_BYTES} bytes together; delete some"
            raise forbidden(kind, key[2], why)
        if dry:
            if old is None:
                o["metadata"].pop("resourceVersion", None)
            return o
        self.version += 1
        o["metadata"]["resourceVersion"] = str(self.version)
        self._kinds[key[0]][key] = o
        self._own(key, old, o)
        self._bytes += size - self._sizes.get(key, 0)
        self._sizes[key] = size
        self._tell(Change(self.version, "MODIFIED" if old else "ADDED", kind, o, old))
        return o

    def _own(self, key: Key, old: Object | None, new: Object | None) -> None:
        for owner in (old or _NOBODY)["metadata"].get("ownerReferences", ()):
            keys = self._owned.get(owner["uid"], set())
            keys.discard(key)
            if not keys:
                self._owned.pop(owner["uid"], None)
        for owner in (new or _NOBODY)["metadata"].get("ownerReferences", ()):
            self._owned.setdefault(owner["uid"], set()).add(key)

    def _tell(self, change: Change) -> None:
        self.history.append(change)
        if self.unsettled is not None:
            self.unsettled.append(change)

    def _remove(self, kind: Kind, o: Object) -> Object:
        key = _key(kind, o)
        old = self._kinds[key[0]].pop(key)
        self._own(key, old, None)
        self._bytes -= self._sizes.pop(key)
        self.version += 1
        o["metadata"]["resourceVersion"] = str(self.version)
        self._tell(Change(self.version, "DELETED", kind, o, old))
        return o


def _key(kind: Kind, o: Object) -> Key:
    return kind.qualified, o["metadata"].get("namespace", ""), o["metadata"]["name"]


def _without_marks(o: Object) -> Object:
    """What makes a difference: not the version, nor since when somebody manages what."""
    managed = [{k: v for k, v in one.items() if k != "time"} for one in o["metadata"].get("managedFields", ())]
    return o | {"metadata": o["metadata"] | {"resourceVersion": "", "managedFields": managed}}
