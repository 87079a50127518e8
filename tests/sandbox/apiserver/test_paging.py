"""Chunks: together they are the list, whatever their size; tokens come back as they went."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.sandbox.apiserver.paging import Token, chunk, place, read_token
from deploy.sandbox.apiserver.problem import Problem


def named(namespace: str, name: str) -> dict[str, Any]:
    return {"metadata": {"namespace": namespace, "name": name}}


@given(st.sets(st.tuples(st.text("ab", max_size=2), st.text("xy.-", min_size=1, max_size=3))), st.integers(1, 5))
def test_the_chunks_together_are_the_list(places: set[tuple[str, str]], limit: int) -> None:
    objects = [named(*one) for one in sorted(places)]
    found, token, left = [], None, len(objects)
    while True:
        items, token, remaining = chunk(objects, limit, token, 7)
        left -= len(items)
        assert (len(items) <= limit, remaining) == (True, left)
        found += items
        if token is None:
            break
        assert read_token(token.text()) == token == Token(7, place(found[-1]))
    assert found == objects


def test_no_limit_is_all_of_it() -> None:
    objects = [named("a", str(n)) for n in range(3)]
    assert chunk(objects, 0, None, 7) == (objects, None, 0)
    assert chunk(objects, 3, None, 7) == (objects, None, 0)


@pytest.mark.parametrize("text", ["x", "e30", "WzFd", "WyJhIiwxLDJd", "WzEsMiwzXQ", "%%%", "bnVsbA", "/////w"])
def test_a_token_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Problem, match=r"^invalid continue token: ") as caught:
        read_token(text)
    assert caught.value.code == 400
