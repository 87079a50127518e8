"""What is done again and again goes on whatever one round of it raises, and ends when it is told to."""

from __future__ import annotations

import asyncio

from proxy.rounds import Rounds


class Counting(Rounds):
    seconds = 0.0
    what = "counting"

    def __init__(self) -> None:
        self.said: list[str] = []
        super().__init__(self.said.append)
        self.count = 0
        self.third = asyncio.Event()

    async def round(self) -> None:
        self.count += 1
        if self.count == 2:
            raise ValueError("two")
        if self.count == 3:
            self.third.set()
            await asyncio.Event().wait()


async def test_a_round_that_fails_is_said_and_the_next_one_comes_and_the_last_is_cut_off():
    counting = Counting()
    counting.start()
    await asyncio.wait_for(counting.third.wait(), 5)
    await asyncio.wait_for(counting.stop(), 5)
    assert (counting.count, counting.said) == (3, ["counting: ValueError('two'); please report it"])


async def test_what_never_began_can_be_ended():
    await Counting().stop()
