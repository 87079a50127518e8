"""The table of attacks says no more than there is: each has a test that exists, or a sentence why there is none."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

TESTS = Path(__file__).parents[1]
TABLE: dict[str, dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("attacks.yaml").read_text())
COUNTS = {"H": 15, "P": 5, "R": 11, "X": 8, "T": 11, "L": 9, "B": 5, "N": 4}
"""Attacks of each letter, numbered from one; tokens are one attack, J, with many cases."""


@cache
def claims(module: Path) -> frozenset[str]:
    """Functions and classes of a test module."""
    return frozenset(
        node.name
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    )


NAMED = [(attack, name) for attack, entry in TABLE.items() for name in entry.get("tests", [])]


def test_no_attack_is_left_out():
    assert set(TABLE) == {f"{letter}{n}" for letter, count in COUNTS.items() for n in range(1, count + 1)} | {"J"}


@pytest.mark.parametrize("attack", TABLE)
def test_each_says_what_it_is_and_what_stands_against_it(attack):
    entry = TABLE[attack]
    assert set(entry) <= {"what", "tests", "not_here"}
    assert entry["what"]
    assert entry.get("tests") or entry.get("not_here")


@pytest.mark.parametrize(("attack", "name"), NAMED)
def test_each_test_that_is_named_exists(attack, name):
    module, _, claim = name.partition("::")
    assert (TESTS / module).is_file(), f"{attack}: {module} is not there"
    assert claim in claims(TESTS / module), f"{attack}: {name} is not there"
