"""Every seed says what it said when it was kept; named attacks are among them. Security: 3.1."""

import importlib.util
from collections import Counter

import pytest

from tests.fuzz.all_targets import ALONE, TARGETS
from tests.fuzz.seeds import FOLDER, Seed, keep, seeds

EVERY = [seed for name in TARGETS for seed in seeds(name)]
ATTACKS = "AEFHJLPRSTUX"
"""Chapters of the catalogue whose attacks are bytes that a parser reads."""


@pytest.mark.parametrize("name", TARGETS)
def test_a_seed_says_what_it_said(name):
    if name not in ALONE and importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed; `make fuzz` brings it")
    target = TARGETS[name]
    assert {seed.name: target(seed.data) for seed in seeds(name)} == {seed.name: seed.outcome for seed in seeds(name)}


def test_every_target_has_seeds_and_every_seed_a_target():
    assert {path.stem for path in FOLDER.iterdir()} == set(TARGETS)
    assert all(Counter(seed.target for seed in EVERY)[name] > 1 for name in TARGETS)


def test_no_seed_is_there_twice():
    assert [pair for pair, count in Counter((seed.target, seed.name) for seed in EVERY).items() if count > 1] == []


def test_the_named_attacks_are_among_them():
    named = Counter(seed.name[0] for seed in EVERY if seed.name[:1] in ATTACKS and ":" in seed.name[:6])
    assert named.total() >= 300
    assert set(named) == set(ATTACKS)
    assert sum("CVE-" in seed.name for seed in EVERY) >= 15


def test_a_seed_is_kept_as_text_where_it_reads_well_and_comes_back_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.fuzz.seeds.FOLDER", tmp_path)
    found = [Seed("t", "text", b"GET / HTTP/1.1\r\n\xff", "a"), Seed("t", "bytes", bytes(range(256)), "b")]
    found.append(Seed("t", "long", b"a" * 5_000, "c"))
    keep(found)
    assert seeds("t") == found
    assert '"GET / HTTP/1.1' in (tmp_path / "t.json").read_text(encoding="utf-8")
