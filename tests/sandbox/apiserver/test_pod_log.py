"""Logs: the same at every reading, cut as asked for, followed until the pod is gone."""

from __future__ import annotations

import re
from typing import Any

import pytest

from deploy.sandbox.apiserver.columns import seconds
from deploy.sandbox.apiserver.pod_log import MAX_LINES, follow, lines, read_options
from deploy.sandbox.apiserver.problem import Problem
from deploy.sandbox.apiserver.resources import Asked
from proxy.request_info import parse
from proxy.target import canonical

STARTED = "2026-01-02T03:04:05Z"
START = seconds(STARTED)
POD: dict[str, Any] = {
    "metadata": {"name": "p", "uid": "u"},
    "spec": {"containers": [{"name": "c"}]},
    "status": {"startTime": STARTED, "containerStatuses": []},
}


def asked(query: str = "") -> Asked:
    target = canonical(f"/api/v1/namespaces/a/pods/p/log{query}".encode())
    return Asked(parse("GET", target), target)


def read(query: str = "", after: float = 0.0) -> list[bytes]:
    return lines(POD, read_options(POD, asked(query)), START + after)


def test_a_pod_says_that_it_starts_and_then_a_line_every_five_seconds() -> None:
    assert read() == [b"c: starting\n", b"c: configuration read\n", b"c: listening on :8080\n"]
    later = read(after=12.0)
    assert (later[:3], len(later)) == (read(), 5)
    assert all(re.fullmatch(rb"c: GET /\S* (200|404) \d+ms\n", line) for line in later[3:])
    assert read(after=1000.0)[:5] == later


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("?tailLines=2", slice(-2, None)),
        ("?tailLines=0", slice(0, 0)),
        ("?tailLines=99", slice(None)),
        ("?sinceTime=2026-01-02T03:04:15Z", slice(4, None)),
        ("?container=c", slice(None)),
    ],
)
def test_less_is_read_where_less_is_asked_for(query: str, wanted: slice) -> None:
    assert read(query, after=20.0) == read(after=20.0)[wanted]


def test_bytes_are_cut_and_times_put_before() -> None:
    assert read("?limitBytes=5") == [b"c: st"]
    assert read("?timestamps=true&tailLines=1", after=5.0)[0].startswith(b"2026-01-02T03:04:10.000000000Z c: GET ")


def test_who_has_run_for_long_has_forgotten_how_it_began() -> None:
    assert len(read(after=1e6)) == MAX_LINES


TWO = POD | {"spec": {"containers": [{"name": "c"}, {"name": "d"}]}}


@pytest.mark.parametrize(
    ("pod", "query", "said"),
    [
        (TWO, "", "a container name must be specified for pod p, choose one of: [c d]"),
        (POD, "?container=x", "container x is not valid for pod p"),
        (POD, "?previous=true", 'previous terminated container "c" in pod "p" not found'),
        (POD, "?tailLines=x", 'strconv.ParseInt: parsing "x": invalid syntax'),
        (POD | {"status": {}}, "", 'container "c" in pod "p" is waiting to start: ContainerCreating'),
    ],
)
def test_what_cannot_be_read_is_refused(pod: dict[str, Any], query: str, said: str) -> None:
    with pytest.raises(Problem) as caught:
        read_options(pod, asked(query))
    assert (caught.value.code, str(caught.value)) == (400, said)


async def test_a_log_is_followed_without_gap_or_repetition_until_the_pod_is_gone() -> None:
    options = read_options(POD, asked("?follow=true"))
    now, left = [START + 0.02], iter(range(4))
    before = lines(POD, options, now[0], every=0.01)

    def there() -> bool:
        now[0] += 0.01
        return next(left, None) is not None

    after = [line async for line in follow(POD, options, clock=lambda: now[0], there=there, every=0.01)]
    whole = lines(POD, options, START + 1.0, every=0.01)
    assert (before + after, len(after) >= 3) == (whole[: len(before) + len(after)], True)
