from __future__ import annotations

import asyncio

import pytest

from auth.connectors.jwks import RETRY_SECONDS, Kept
from auth.errors import AuthError, Reason


class Source:
    """A provider's document, counted; `fails` makes it silent."""

    def __init__(self) -> None:
        self.fetched = 0
        self.fails = False

    async def fetch(self) -> int:
        self.fetched += 1
        await asyncio.sleep(0)
        if self.fails:
            raise AuthError(Reason.CONNECTOR_UNAVAILABLE, "silent")
        return self.fetched


def kept(source: Source) -> Kept[int]:
    return Kept(source.fetch, fresh_seconds=300.0, max_age_seconds=3600.0)


async def test_it_is_fetched_once_while_it_is_fresh() -> None:
    source = Source()
    document = kept(source)
    assert [await document.get(t) for t in (0.0, 1.0, 299.0)] == [1, 1, 1]
    assert await document.get(300.0) == 2


async def test_many_who_wait_cause_one_fetch() -> None:
    source = Source()
    document = kept(source)
    assert await asyncio.gather(*(document.get(0.0) for _ in range(50))) == [1] * 50
    await asyncio.gather(*(document.again(RETRY_SECONDS) for _ in range(50)))
    assert source.fetched == 2


async def test_a_flood_of_unknown_keys_causes_one_fetch_in_thirty_seconds() -> None:
    source = Source()
    document = kept(source)
    await document.get(0.0)
    for second in range(1, 91):
        for _ in range(20):
            await document.again(float(second))
    assert source.fetched == 1 + 3


async def test_while_the_provider_is_silent_the_last_one_stands_and_then_nothing_does() -> None:
    source = Source()
    document = kept(source)
    assert await document.get(0.0) == 1
    source.fails = True
    assert [await document.get(t) for t in (300.0, 1800.0, 3600.0)] == [1, 1, 1]
    with pytest.raises(AuthError):
        await document.get(3601.0)
    source.fails = False
    assert await document.get(3601.0 + RETRY_SECONDS) > 1


async def test_a_first_failure_is_tried_again_after_thirty_seconds() -> None:
    source = Source()
    source.fails = True
    document = kept(source)
    for second in (0.0, 1.0, 29.0):
        with pytest.raises(AuthError):
            await document.get(second)
    source.fails = False
    assert (await document.get(30.0), source.fetched) == (2, 2)


async def test_a_clock_that_steps_back_fetches_no_storm() -> None:
    source = Source()
    document = kept(source)
    await document.get(1000.0)
    for _ in range(10):
        await document.again(10.0)
    assert source.fetched == 1
