"""Claims about work in a process of its own."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
from multiprocessing.connection import Connection

import pytest

from recordings.audit.own_process import own_process


def say(words: str, pipe: Connection) -> None:
    pipe.send((words, os.getpid()))


def stay(pipe: Connection) -> None:
    pipe.send(os.getpid())
    time.sleep(600)


def children() -> list[str]:
    return [child.name for child in multiprocessing.active_children()]


async def test_what_it_sends_arrives_and_then_its_pipe_ends() -> None:
    async with own_process("kwit-test", say, "hello") as pipe:
        words, pid = await asyncio.to_thread(pipe.recv)
        assert words == "hello"
        assert pid != os.getpid()
        with pytest.raises(EOFError):
            await asyncio.to_thread(pipe.recv)
    assert children() == []


async def test_it_ends_with_the_block_however_that_ends() -> None:
    pids: list[int] = []

    async def fail() -> None:
        async with own_process("kwit-test", stay) as pipe:
            pids.append(await asyncio.to_thread(pipe.recv))
            assert children() == ["kwit-test"]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert children() == []
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


async def test_cancelled_while_it_starts_it_leaves_none() -> None:
    async def use() -> None:
        async with own_process("kwit-test", stay):
            raise AssertionError

    task = asyncio.create_task(use())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children() == []


async def test_what_cannot_be_started_is_told() -> None:
    with pytest.raises(Exception, match="pickle"):
        async with own_process("kwit-test", lambda pipe: None):
            raise AssertionError
    assert children() == []
