"""Watches: what is there already where that is asked for, then each change, and bookmarks between.

A watch whose selector an object leaves is told DELETED, one that it enters ADDED, as the API server does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from deploy.sandbox.apiserver.history import Change
from deploy.sandbox.apiserver.kinds import Kind, Object
from deploy.sandbox.apiserver.objects import Objects
from deploy.sandbox.apiserver.problem import Cause, Problem, bad_request
from deploy.sandbox.apiserver.resources import Asked
from deploy.sandbox.apiserver.selectors import Selector, select

BOOKMARK_SECONDS = 30.0
"""Half of what the API server takes: a demo's watch is seldom long."""
LONGEST_SECONDS = 3600
"""Where the client names no end; the API server ends such a watch after half an hour to an hour."""
INITIAL_EVENTS_END = "k8s.io/initial-events-end"
Event = tuple[str, Object]
"""Type and object."""


@dataclass(frozen=True, slots=True)
class Watch:
    """One watch; `version` is where it goes on, None: it starts with what is there."""

    kind: Kind
    namespace: str
    selector: Selector
    version: int | None
    initial: bool
    bookmarks: bool
    seconds: float


def read_watch(kind: Kind, asked: Asked) -> Watch:
    """Raises Problem 400, 422, 500."""
    info, target = asked.info, asked.target
    fields = info.field_selector or (f"metadata.name={info.name}" if info.name else "")
    text = target.first("resourceVersion") or ""
    if not text.isascii() or not (text or "0").isdigit():
        said = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        raise Problem(500, "", said)
    initial = asked.flag("sendInitialEvents")
    if initial and target.first("resourceVersionMatch") != "NotOlderThan":
        detail = "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        cause = Cause("FieldValueForbidden", detail, "resourceVersionMatch")
        said = f'ListOptions.meta.k8s.io "" is invalid: {cause.field}: {cause.message}'
        causes = [{"reason": cause.reason, "message": cause.message, "field": cause.field}]
        raise Problem(422, "Invalid", said, {"group": "meta.k8s.io", "kind": "ListOptions", "causes": causes})
    seconds = asked.number("timeoutSeconds")
    if seconds < 0:
        raise bad_request("timeoutSeconds must not be negative")
    version = int(text or "0")
    return Watch(
        kind,
        info.namespace if kind.namespaced else "",
        select(kind, info.label_selector, fields),
        None if initial or not version else version,
        initial,
        asked.flag("allowWatchBookmarks"),
        min(seconds or LONGEST_SECONDS, LONGEST_SECONDS),
    )


async def events(
    watch: Watch, objects: Objects, *, monotonic: Callable[[], float], stopped: Callable[[], bool]
) -> AsyncIterator[Event]:
    """Until its time is up or the server stops. What is told is in the order of versions."""
    version = objects.version if watch.version is None else watch.version
    if watch.version is None:
        for o in objects.all(watch.kind, watch.namespace):
            if watch.selector.matches(o):
                yield "ADDED", o
        if watch.initial and watch.bookmarks:
            yield "BOOKMARK", _bookmark(watch.kind, version, {INITIAL_EVENTS_END: "true"})
    end = monotonic() + watch.seconds
    while not stopped() and (left := end - monotonic()) > 0:
        try:
            changes = objects.history.since(version)
        except Problem as problem:
            yield "ERROR", problem.status
            return
        for change in changes:
            version = change.version
            told = _told(watch, change)
            if told is not None:
                yield told
        if stopped():  # while what is told was on its way to the client
            return
        had = version
        await objects.history.grow(version, objects.version, min(left, BOOKMARK_SECONDS))
        if watch.bookmarks and objects.version == had and not stopped():
            yield "BOOKMARK", _bookmark(watch.kind, version, {})


def _told(watch: Watch, change: Change) -> Event | None:
    """What this watch is told of a change."""
    if change.kind is not watch.kind:
        return None
    if watch.namespace and change.object["metadata"].get("namespace") != watch.namespace:
        return None
    selects = change.type != "DELETED" and watch.selector.matches(change.object)
    selected = change.previous is not None and watch.selector.matches(change.previous)
    if selects:
        return ("MODIFIED" if selected else "ADDED"), change.object
    if selected:
        metadata = change.object["metadata"] | {"resourceVersion": str(change.version)}
        gone = change.object if change.type == "DELETED" else (change.previous or {}) | {"metadata": metadata}
        return "DELETED", gone
    return None


def _bookmark(kind: Kind, version: int, annotations: Object) -> Object:
    metadata: Object = {"resourceVersion": str(version)}
    if annotations:
        metadata["annotations"] = annotations
    return {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}
