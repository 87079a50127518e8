"""The history: what is after a version, what is forgotten, and that nobody waits in vain."""

from __future__ import annotations

import asyncio

import pytest

from deploy.sandbox.apiserver.history import Change, History
from deploy.sandbox.apiserver.kinds import CONFIG_MAP
from deploy.sandbox.apiserver.problem import Problem


def change(version: int) -> Change:
    return Change(version, "ADDED", CONFIG_MAP, {"metadata": {}}, None)


def test_what_came_after_a_version_comes_in_order() -> None:
    history = History()
    for version in (2, 3, 4):
        history.append(change(version))
    assert [one.version for one in history.since(2)] == [3, 4]
    assert [one.version for one in history.since(1)] == [2, 3, 4]
    assert history.since(4) == []


def test_what_is_forgotten_is_refused_and_not_left_out() -> None:
    history = History(limit=2)
    for version in (2, 3, 4, 5):
        history.append(change(version))
    assert [one.version for one in history.since(3)] == [4, 5]
    with pytest.raises(Problem) as caught:
        history.since(2)
    assert (caught.value.code, caught.value.status["reason"]) == (410, "Expired")
    assert str(caught.value) == "too old resource version: 2 (3)"


async def test_who_waits_is_woken_by_a_change_by_the_end_or_by_time() -> None:
    history = History()
    for end in (lambda: history.append(change(2)), history.wake):
        waiting = asyncio.ensure_future(history.grow(1, 1, 60.0))
        await asyncio.sleep(0)
        assert not waiting.done()
        end()
        await waiting
    await history.grow(1, 1, 0.001)
    await history.grow(1, 2, 60.0)  # there is something already
