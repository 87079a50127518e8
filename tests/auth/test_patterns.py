"""Name patterns against the obvious regular expression, and without its price."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.patterns import MAX_PATTERN, NameSet, PatternError, compile_pattern


@pytest.mark.parametrize(
    ("pattern", "fits", "not_fitting"),
    [
        ("a", ["a"], ["", "aa", "A", "*"]),
        ("*", ["", "a", "a/b"], []),
        ("**", ["", "a"], []),
        ("a*", ["a", "ab"], ["", "ba"]),
        ("*a", ["a", "ba"], ["", "ab"]),
        ("a*a", ["aa", "aba"], ["a", "ab"]),
        ("a*b*c", ["abc", "aXbYbZc"], ["ac", "acb", "abcX"]),
        ("ab*bc", ["abbc"], ["abc"]),
        ("a.c", ["a.c"], ["abc"]),
        ("team-a-*", ["team-a-", "team-a-x"], ["team-a", "team-b-x", "xteam-a-x"]),
    ],
)
def test_a_star_stands_for_any_run_of_characters(pattern: str, fits: list[str], not_fitting: list[str]) -> None:
    compiled = compile_pattern(pattern)
    assert [name for name in fits + not_fitting if compiled.matches(name)] == fits


@pytest.mark.parametrize("text", ["", "a?", "[ab]", "a]", "{a}", "a\\*", "a\n", "a\x00", "x" * (MAX_PATTERN + 1)])
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(PatternError):
        compile_pattern(text)


def test_a_pattern_as_long_as_the_limit_is_accepted() -> None:
    assert compile_pattern("x" * MAX_PATTERN).matches("x" * MAX_PATTERN)


@given(st.text("ab*", min_size=1, max_size=8), st.text("ab", max_size=12))
def test_matching_agrees_with_the_regular_expression(pattern: str, name: str) -> None:
    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name) is not None
    assert compile_pattern(pattern).matches(name) == expected


def test_the_worst_pattern_looks_at_each_character_a_bounded_number_of_times() -> None:
    """A backtracking matcher would not come back from this."""
    assert not compile_pattern("a*" * (MAX_PATTERN // 2 - 1) + "b").matches("a" * 100_000)


def test_a_set_admits_what_is_included_and_not_excluded() -> None:
    names = NameSet((compile_pattern("team-*"), compile_pattern("dev")), (compile_pattern("team-x*"),))
    assert [n for n in ("team-a", "team-xa", "dev", "prod", "") if names.matches(n)] == ["team-a", "dev"]


def test_a_set_that_includes_nothing_admits_nothing() -> None:
    assert not NameSet(()).matches("a")
