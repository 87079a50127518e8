"""The short form of bit rot in a gigabyte: a log of a megabyte in small segments, and the judge's own mistakes."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from recordings.audit.verdict import Finding, Kind
from recordings.audit.verify import verify
from tests.battery.log.flips import Rotting, is_named, rotting, run, unusable
from tests.battery.log.tamper import ROOT


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Rotting:
    return rotting(tmp_path_factory.mktemp("rotting") / "node-0", 1_000_000, segment_bytes=100_000)


def test_a_bit_that_flips_on_the_disk_is_found_at_its_place_and_the_rest_of_the_log_holds(log: Rotting) -> None:
    """`python -m tests.battery.log.flips 1000 1000000000` is the long form."""
    tally = run(log, 300, Random(1), whole_every=30)
    assert (tally.flips, tally.unseen) == (300, [])
    assert tally.wholes == 10
    assert verify(log.directory, ROOT.public) == [log.true]


def test_the_judge_wants_the_right_file_lines_and_bytes() -> None:
    found = Finding(Kind.ALTERED, "a", "", 3, 4, 100, 200)
    assert is_named([found], "a", 100)
    assert is_named([found], "a", 199)
    assert not is_named([found], "a", 200)
    assert not is_named([found], "b", 100)
    assert not is_named([Finding(Kind.ALTERED, "a", "")], "a", 0)
    assert not is_named([], "a", 0)


def test_the_judge_wants_all_other_segments_to_hold(log: Rotting) -> None:
    found = Finding(Kind.ALTERED, "a", "", 3, 4, 100, 200)
    good = replace(log.true, findings=[found])
    assert unusable(log, good, "a", 150, "b") == ""
    assert unusable(log, replace(good, findings=[found, replace(found, file="b")]), "a", 150, "b") == ""
    assert unusable(log, replace(good, findings=[found, replace(found, file="c")]), "a", 150, "b")
    assert unusable(log, replace(good, size=1), "a", 150, "b")
    assert unusable(log, replace(good, segments=1), "a", 150, "b")
