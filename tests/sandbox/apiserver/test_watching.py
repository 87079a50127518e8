"""Watches: from nothing, from a version, by selector, with bookmarks, and when what they ask for is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from deploy.sandbox.apiserver.history import History
from deploy.sandbox.apiserver.kinds import CONFIG_MAP, Kind
from deploy.sandbox.apiserver.objects import Objects
from deploy.sandbox.apiserver.problem import Problem
from deploy.sandbox.apiserver.resources import Asked
from deploy.sandbox.apiserver.watching import BOOKMARK_SECONDS, INITIAL_EVENTS_END, Event, Watch, events, read_watch
from proxy.request_info import parse
from proxy.target import canonical

PATH = "/api/v1/namespaces/a/configmaps?watch=1"


def asked(path: str) -> Asked:
    target = canonical(path.encode())
    return Asked(parse("GET", target), target)


def watch(query: str = "", kind: Kind = CONFIG_MAP) -> Watch:
    return read_watch(kind, asked(PATH + query))


class Following:
    """A watch that is stepped by hand; time does not pass."""

    def __init__(self, objects: Objects, query: str = "") -> None:
        self.stopped = False
        self._events: AsyncIterator[Event] = events(
            watch(query), objects, monotonic=lambda: 0.0, stopped=lambda: self.stopped
        )

    async def next(self, count: int) -> list[tuple[str, str]]:
        """Types, and names with versions."""
        found = []
        for _ in range(count):
            kind, o = await anext(self._events)
            metadata = o.get("metadata", {})
            found.append((kind, f"{metadata.get('name', '')}@{metadata.get('resourceVersion', '')}"))
        return found

    async def rest(self) -> list[Event]:
        self.stopped = True
        async with asyncio.timeout(BOOKMARK_SECONDS / 3):  # it does not wait for anything more
            return [event async for event in self._events]


def put(objects: Objects, name: str, **labels: str) -> dict[str, Any]:
    there = objects.find(CONFIG_MAP, "a", name)
    if there is None:
        return objects.create(CONFIG_MAP, "a", {"metadata": {"name": name, "labels": labels}})
    return objects.replace(CONFIG_MAP, there | {"metadata": there["metadata"] | {"labels": labels}})


async def test_from_nothing_it_starts_with_what_is_there(objects: Objects) -> None:
    put(objects, "c")
    following = Following(objects)
    assert await following.next(1) == [("ADDED", "c@4")]
    put(objects, "c", x="y")
    put(objects, "d")
    objects.delete(CONFIG_MAP, "a", "c")
    assert await following.next(3) == [("MODIFIED", "c@5"), ("ADDED", "d@6"), ("DELETED", "c@7")]
    assert await following.rest() == []


async def test_from_a_version_it_goes_on_and_misses_nothing(objects: Objects) -> None:
    put(objects, "c")
    put(objects, "d")
    objects.create(CONFIG_MAP, "b", {"metadata": {"name": "elsewhere"}})
    put(objects, "e")
    assert await Following(objects, "&resourceVersion=4").next(2) == [("ADDED", "d@5"), ("ADDED", "e@7")]


async def test_what_a_selector_loses_is_deleted_and_what_it_gains_is_added(objects: Objects) -> None:
    put(objects, "c", x="1")
    following = Following(objects, "&labelSelector=x%3D1")
    put(objects, "c", x="2")
    put(objects, "d", x="2")
    put(objects, "c", x="1", y="")
    put(objects, "c", x="1")
    objects.delete(CONFIG_MAP, "a", "d")
    objects.delete(CONFIG_MAP, "a", "c")
    told = await Following(objects, "&labelSelector=x%3D1&resourceVersion=4").next(4)
    assert told == [("DELETED", "c@5"), ("ADDED", "c@7"), ("MODIFIED", "c@8"), ("DELETED", "c@10")]
    del following


async def test_one_object_is_watched_by_its_name(objects: Objects) -> None:
    put(objects, "c")
    put(objects, "d")
    by_field = Following(objects, "&fieldSelector=metadata.name%3Dd")
    assert await by_field.next(1) == [("ADDED", "d@5")]
    assert await by_field.rest() == []


async def test_the_end_of_the_initial_events_is_marked(objects: Objects) -> None:
    put(objects, "c")
    query = "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    found = events(watch(query), objects, monotonic=lambda: 0.0, stopped=lambda: False)
    assert (await anext(found))[0] == "ADDED"
    assert await anext(found) == (
        "BOOKMARK",
        {
            "kind": "ConfigMap",
            "apiVersion": "v1",
            "metadata": {"resourceVersion": "4", "annotations": {INITIAL_EVENTS_END: "true"}},
        },
    )


async def test_quiet_times_have_bookmarks_for_who_wants_them(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.sandbox.apiserver.watching.BOOKMARK_SECONDS", 0.001)
    following = Following(objects, "&resourceVersion=3&allowWatchBookmarks=true")
    assert await following.next(2) == [("BOOKMARK", "@3"), ("BOOKMARK", "@3")]


async def test_a_version_that_is_forgotten_is_an_error_and_the_end(objects: Objects) -> None:
    objects.history = History(limit=1)
    for name in "cde":
        put(objects, name)
    found = [
        event
        async for event in events(watch("&resourceVersion=4"), objects, monotonic=lambda: 0.0, stopped=lambda: False)
    ]
    assert [(kind, o["code"], o["reason"]) for kind, o in found] == [("ERROR", 410, "Expired")]


async def test_it_ends_when_its_time_is_up(objects: Objects) -> None:
    clock = iter((0.0, 9.999, 10.0))
    found = events(watch("&timeoutSeconds=10&resourceVersion=3"), objects, monotonic=lambda: next(clock), stopped=bool)
    put(objects, "c")
    assert [(kind, o["metadata"]["name"]) async for kind, o in found] == [("ADDED", "c")]


@pytest.mark.parametrize(
    ("query", "code", "said"),
    [
        ("&resourceVersion=abc", 500, "strconv.ParseUint"),
        ("&resourceVersion=%C2%B2", 500, "strconv.ParseUint"),
        ("&sendInitialEvents=true", 422, "requires setting resourceVersionMatch"),
        ("&timeoutSeconds=-1", 400, "must not be negative"),
        ("&timeoutSeconds=x", 400, "strconv.ParseInt"),
        ("&labelSelector=%21%21", 400, "expected: identifier"),
    ],
)
def test_what_cannot_be_watched_is_refused(query: str, code: int, said: str) -> None:
    with pytest.raises(Problem, match=said) as caught:
        watch(query)
    assert caught.value.code == code


def test_a_watch_is_read_as_it_was_asked_for() -> None:
    found = watch("&resourceVersion=7&timeoutSeconds=99999&allowWatchBookmarks=1")
    assert (found.version, found.seconds, found.bookmarks, found.initial) == (7, 3600, True, False)
    assert watch("&resourceVersion=0").version is None
