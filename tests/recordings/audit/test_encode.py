"""Claims about lines: one record is one line, whatever it holds."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.audit.encode import MAX_LINE_BYTES, decode, encode, encode_whole, rfc3339

ANY_TEXT = st.text(st.characters(), max_size=20)
ANY = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | ANY_TEXT | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(ANY_TEXT, ANY, max_size=5))
def test_any_record_is_exactly_one_line_that_any_json_parser_reads(record) -> None:
    line = encode(record)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert isinstance(json.loads(line), dict)


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=20) | st.integers(-(2**63), 2**64 - 1), max_size=5))
def test_decode_is_the_inverse_of_encode(record) -> None:
    assert decode(encode(record)) == record


def test_what_cannot_be_encoded_is_written_escaped_and_says_so() -> None:
    assert decode(encode({"user": "a\ud800b", "big": 2**70, "raw": b"\xff", "ok": True, "n": [1.5, None]})) == {
        "user": "a\\ud800b",
        "big": hex(2**70),
        "raw": "\\xff",
        "ok": True,
        "n": [1.5, None],
        "encoding": "ascii-safe",
    }


def test_nesting_without_end_is_cut() -> None:
    endless: list[object] = []
    endless.append(endless)
    assert b"(too deep)" in encode({"event": endless})


def test_an_over_long_record_keeps_who_and_what_and_names_the_rest_by_its_digest() -> None:
    path = "/" + "x" * MAX_LINE_BYTES
    kept = decode(encode({"seq": 7, "actor": {"username": "ada"}, "event": {"verb": "get", "requestURI": path}}))
    assert kept["event"].pop("requestURI") == (
        f"{path[:1024]}...TRUNCATED({len(path)} characters, sha256 {sha256(path.encode()).hexdigest()})"
    )
    whole = f'{{"seq":7,"actor":{{"username":"ada"}},"event":{{"verb":"get","requestURI":"{path}"}}}}\n'.encode()
    assert kept == {
        "seq": 7,
        "actor": {"username": "ada"},
        "event": {"verb": "get"},
        "encoding": "cut",
        "bytes": len(whole),
        "blob": sha256(whole).hexdigest(),
    }


def test_a_record_of_too_many_parts_keeps_its_envelope() -> None:
    line, whole = encode_whole({"seq": 7, "body": {"list": ["x" * 100] * 20_000}})
    assert whole is not None
    digest = sha256(whole).hexdigest()
    assert decode(line) == {"seq": 7, "encoding": "cut", "bytes": len(whole), "blob": digest}


@pytest.mark.parametrize("line", [b"", b"[]", b"{", b"1", b"\x00\x00"])
def test_what_is_no_record_is_not_decoded(line: bytes) -> None:
    with pytest.raises(ValueError):
        decode(line)


@given(st.integers(0, 4_000_000_000_000_000))
def test_times_have_six_digits_and_a_z(micro: int) -> None:
    text = rfc3339(micro / 1_000_000)
    assert len(text) == 27
    assert text.endswith("Z")
    assert abs(datetime.fromisoformat(text).timestamp() - micro / 1_000_000) < 0.000_002
    assert datetime.fromisoformat(text).tzinfo == UTC
