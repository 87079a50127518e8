"""Ctrl-C ends the demo in order, at any time."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from proxy.cli.client.problem import Problem
from proxy.demo.folder import Folder
from proxy.demo.stage import LOG, MAX_LOG_LINES, Stop, fault, our_path, quieten, result
from proxy.demo.world import World


@pytest.fixture
async def stop() -> AsyncIterator[Stop]:
    yield Stop()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().remove_signal_handler(number)


async def test_work_that_ends_by_itself_ends_well(stop: Stop) -> None:
    async def work() -> None:
        await asyncio.sleep(0)

    assert await stop.unless(work()) is True


async def test_what_work_raises_is_raised(stop: Stop) -> None:
    async def work() -> None:
        raise Problem("no")

    with pytest.raises(Problem, match=r"^no$"):
        await stop.unless(work())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_the_work(stop: Stop, number: signal.Signals) -> None:
    ended = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), number)
            await asyncio.Event().wait()
        finally:
            ended.append("in order")

    assert await stop.unless(work()) is False
    assert ended == ["in order"]


async def test_a_second_signal_ends_at_once() -> None:
    async def main() -> None:
        stop = Stop()

        async def work() -> None:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.Event().wait()

        assert await stop.unless(work()) is False
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.Event().wait()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.get_running_loop().create_task(main())
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().remove_signal_handler(number)


@pytest.fixture
def logs() -> Iterator[None]:
    """The root logger as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    root.handlers.clear()
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers[:], root.level = handlers, level


@pytest.mark.usefixtures("logs")
def test_what_libraries_complain_of_goes_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quieten(tmp_path / "demo.log")
    logging.getLogger("aiohttp.server").error("something broke")
    assert "something broke" in (tmp_path / "demo.log").read_text()
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("logs")
def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"cannot be written \(Is a directory\); choose another directory with --data$"):
        quieten(tmp_path)


def test_kwit_is_called_by_a_path() -> None:
    assert Path(our_path()[0]).is_absolute()


def test_a_check_that_failed_tells_what_the_server_and_the_libraries_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(Folder(tmp_path), None, clock=lambda: 0.0, environ={})
    world.said.append("roles: developer")
    (tmp_path / LOG).write_text("".join(f"line {n}\n" for n in range(MAX_LOG_LINES + 1)))
    assert result([], world) == 0
    assert capsys.readouterr().err == ""
    assert result(["a claim"], world) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["  roles: developer", "  line 1"]
    assert lines[-1] == "1 of the claims did not hold"


async def test_a_fault_of_kwit_ends_the_demo_with_a_sentence() -> None:
    class Faulty(World):
        async def failed(self) -> BaseException:
            return RuntimeError("a loop ended")

    world = Faulty(Folder(Path()), None, clock=lambda: 0.0, environ={})
    with pytest.raises(Problem, match=r"^kwit ended because of a fault of its own: RuntimeError\('a loop ended'\); "):
        await fault(world)
