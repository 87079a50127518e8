"""Claims about `tests/bench/rounds.py`, as far as nothing has to run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.bench.processes import Running
from tests.bench.rounds import NAMES_A_ROUND, command_of
from tests.bench.scenarios import SCENARIOS

PROCESS: Any = None


def test_no_round_asks_for_names_of_another() -> None:
    (new,) = (one for one in SCENARIOS if one.name == "new-32")
    there = Running("127.0.0.1:1", Path("c"), Path("k"), Path("a"), PROCESS)
    commands = [command_of(new, Path("loadgen"), there, number) for number in range(new.rounds)]
    assert [f"-first={number * NAMES_A_ROUND}" in command for number, command in enumerate(commands)] == [True] * 8
    most = 40_000 * (new.seconds + 0.5)  # of one connection, warming up included, were each answer there in 25 µs
    assert most < NAMES_A_ROUND < 10**7 / new.rounds
