"""Claims about `tests/bench/bench.py`: what a run shows and keeps, whatever becomes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.bench.bench import Findings, run
from tests.bench.scenarios import SCENARIOS, Scenario
from tests.bench.test_table import ROW

ONE, TWO, THREE = SCENARIOS[:3]


class Runs:
    """Rounds that end at once; the scenario in `interrupted` never does."""

    def __init__(self, interrupted: Scenario | None = None) -> None:
        self.found, self.kept = Findings(), list[set[str]]()
        self._interrupted = interrupted

    def one(self, scenario: Scenario) -> None:
        if scenario is self._interrupted:
            raise KeyboardInterrupt
        self.found.rows[scenario.name, "kwit"] = replace(ROW, scenario=scenario.name)

    def keep(self) -> None:
        self.kept.append({name for name, _ in self.found.rows})


def test_each_scenario_is_shown_and_kept_when_it_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    runs = Runs()

    run([ONE, TWO], runs.one, runs.found, runs.keep)

    shown = [line.split("|")[1].strip() for line in capsys.readouterr().out.splitlines() if line.startswith("| 1 KB")]
    assert shown == [ONE.title, TWO.title]
    assert runs.kept == [{ONE.name}, {ONE.name, TWO.name}]
    assert (runs.found.failed, runs.found.notes) == (False, [])


def test_an_interruption_leaves_what_was_finished_and_says_so() -> None:
    runs = Runs(interrupted=TWO)

    run([ONE, TWO, THREE], runs.one, runs.found, runs.keep)

    assert runs.kept == [{ONE.name}]
    assert (runs.found.failed, runs.found.notes) == (
        True,
        [f"INTERRUPTED in {TWO.title}: what was measured before it stands"],
    )
