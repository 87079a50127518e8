"""A hundred kills, early in each life; `make kills` has thousands, and longer lives."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.battery.kills.kills import broken_promises, lives


def test_whenever_a_server_is_killed_nothing_that_it_answered_is_missing_from_its_log(tmp_path: Path) -> None:
    life, config = asyncio.run(lives(tmp_path, 100, seed=1, longest=0.06))
    assert list(broken_promises(life, config)) == []
    assert (
        min(len(life.acked), len(life.effects), life.shells) > 25
    )  # there was something to lose, on a busy machine too
