"""Claims about what the log says of its own lines that are gone."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.audit.encode import MAX_LINE_BYTES, encode
from recordings.audit.manifest import Manifest
from recordings.audit.retention import Removal, Why
from recordings.audit.tombstone import MAX_REMOVALS, Stretch, body, joined, stretches


def removal(start: int, end: int, origin: str = "acme/a") -> Removal:
    return Removal(
        Manifest(
            writer="a",
            segment=f"{start + 1:020d}.ndjson",
            first_seq=start + 1,
            last_seq=end,
            records=end - start,
            lines=end - start,
            since="s",
            until="u",
            length=9,
            sha256="ab" * 32,
            origin=origin,
            start=start,
            size=end,
            root=f"root-{end}",
        ),
        Why.AGE,
    )


def test_a_record_names_what_goes_and_everything_that_is_gone() -> None:
    removals = [removal(20, 30)]
    standing = joined([Stretch("acme/a", 0, 10, "root-10")], removals)
    record = json.loads(encode({"body": body(standing, removals)}))
    assert (
        stretches(record)
        == standing
        == [
            Stretch("acme/a", 0, 10, "root-10"),
            Stretch("acme/a", 20, 30, "root-30"),
        ]
    )
    assert record["body"]["removed"] == [
        {
            "why": "age",
            "writer": "a",
            "segment": f"{21:020d}.ndjson",
            "first_seq": 21,
            "last_seq": 30,
            "records": 10,
            "since": "s",
            "until": "u",
            "length": 9,
            "sha256": "ab" * 32,
        }
    ]


def test_what_touches_is_one_stretch_and_logs_stay_apart() -> None:
    found = joined([Stretch("acme/a", 0, 10, "root-10")], [removal(10, 20), removal(20, 30, "acme/b"), removal(20, 25)])
    assert found == [Stretch("acme/a", 0, 25, "root-25"), Stretch("acme/b", 20, 30, "root-30")]


@given(st.sets(st.integers(0, 12)), st.sets(st.integers(0, 12)))
def test_no_line_is_said_to_be_gone_that_is_not_and_none_is_forgotten(first: set[int], second: set[int]) -> None:
    standing = joined(joined([], [removal(n, n + 1) for n in first]), [removal(n, n + 1) for n in second])
    said = [line for one in standing for line in range(one.start, one.end)]
    assert sorted(said) == sorted(first | second)
    assert all(one.root == f"root-{one.end}" for one in standing)
    assert all(later.start > earlier.end for earlier, later in pairwise(standing))


@pytest.mark.parametrize(
    "said",
    [None, 5, [5], [{}], [{"origin": "a", "start": 0, "end": "9", "root": "r"}], [{"origin": "a", "start": True}]],
)
def test_what_cannot_be_understood_excuses_nothing(said: Any) -> None:
    assert stretches({"body": {"standing": said}}) == []
    assert stretches({}) == []


def test_a_full_record_is_far_under_the_cap() -> None:
    removals = [removal(2 * n, 2 * n + 1) for n in range(MAX_REMOVALS)]
    standing = joined([Stretch("acme/audit/" + "x" * 80, 3 * n, 3 * n + 1, "r" * 44) for n in range(1000)], removals)
    assert len(encode({"body": body(standing, removals)})) < MAX_LINE_BYTES / 2
