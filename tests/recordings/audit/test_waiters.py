"""Claims about those who wait for records."""

from __future__ import annotations

import asyncio

import pytest

from recordings.audit.waiters import Waiters
from recordings.errors import LogUnavailableError


def waiting(waiters: Waiters, *numbers: int) -> list[asyncio.Future[None]]:
    futures = [asyncio.get_running_loop().create_future() for _ in numbers]
    for number, future in zip(numbers, futures, strict=True):
        waiters.add(number, future)
    return futures


async def test_those_up_to_a_number_are_released_and_the_others_wait_on() -> None:
    waiters = Waiters()
    futures = waiting(waiters, 3, 1, 2, 4)
    waiters.release(2)
    assert ([future.done() for future in futures], bool(waiters)) == ([False, True, True, False], True)
    waiters.release(4)
    assert ([future.result() for future in futures], bool(waiters)) == ([None] * 4, False)


async def test_who_fails_fails_with_the_reason_and_is_told_nothing_later() -> None:
    waiters = Waiters()
    futures = waiting(waiters, 1, 2)
    futures[0].cancel()
    waiters.fail("the disk is full")
    waiters.release(9)
    assert not waiters
    with pytest.raises(LogUnavailableError, match="the disk is full"):
        await futures[1]
