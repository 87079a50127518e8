from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.strict_json import MAX_DEPTH, StrictJSONError, parse_object

NAMES = st.text(alphabet=st.characters(codec="utf-8"), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | NAMES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_what_was_written_is_what_is_read(value: dict[str, object]) -> None:
    assert parse_object(json.dumps(value).encode(), 1 << 20) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b'"a"',
        b"{",
        b"{}{}",
        b"{'a':1}",
        b'{"a":1,}',
        b'{"a":1,"a":1}',
        b'{"a":{"b":1,"b":2}}',
        b'[{"a":1}]',
        b'{"a":1,"\\u0061":2}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":"\\ud800"}',
        b'{"\\udc00":1}',
        b'{"a":["\\ud800"]}',
        b'{"a":"\xff"}',
        b"\xef\xbb\xbf{}",
        b'{"a":' * (MAX_DEPTH + 2) + b"1" + b"}" * (MAX_DEPTH + 2),
        b'{"a":' + b"[" * 100_000,
        b'{"a":' + b"1" * 5000 + b"}",
        b'{"aaaaaaaaaaaaaaaaaaaaaaaaaa":1}' * 4000,
    ],
)
def test_what_has_two_meanings_or_none_is_refused(data: bytes) -> None:
    with pytest.raises(StrictJSONError):
        parse_object(data, 100_010)


def test_a_whole_pair_of_surrogates_is_one_character() -> None:
    assert parse_object(b'{"a":"\\ud83d\\ude00"}', 100) == {"a": "\U0001f600"}


def test_a_byte_over_the_limit_is_refused() -> None:
    assert parse_object(b"{}", 2) == {}
    with pytest.raises(StrictJSONError):
        parse_object(b"{} ", 2)


def test_a_number_that_no_float_holds_is_refused():
    with pytest.raises(StrictJSONError, match="too large"):
        parse_object(b'{"a":1e999}', 100)
