"""Claims about counting refusals."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.audit.rollup import FLUSH_COUNT, FLUSH_SECONDS, MAX_ROWS, Rollup, network

NOW = 1_700_000_000.0


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b"]), st.ip_addresses().map(str) | st.text(max_size=4)),
        min_size=1,
        max_size=99,
    )
)
def test_counts_are_exact_by_reason_and_network(refusals: list[tuple[str, str]]) -> None:
    rollup = Rollup()
    for reason, source in refusals:
        rollup.add(reason, source, NOW)
    body = rollup.take(NOW)
    assert body is not None
    expected = Counter((reason, network(source)) for reason, source in refusals)
    assert {(one["reason"], one["source"]): one["count"] for one in body["counts"]} == expected
    assert body["total"] == len(refusals)
    assert rollup.take(NOW) is None


def test_the_record_has_the_largest_first_and_its_span() -> None:
    rollup = Rollup()
    for source in ("10.0.0.1", "10.0.1.1", "10.0.1.2"):
        rollup.add("bad_request", source, NOW)
    assert rollup.take(NOW + 3) == {
        "counts": [
            {"reason": "bad_request", "source": "10.0.1.0/24", "count": 2},
            {"reason": "bad_request", "source": "10.0.0.0/24", "count": 1},
        ],
        "total": 3,
        "since": "2023-11-14T22:13:20.000000Z",
        "until": "2023-11-14T22:13:23.000000Z",
    }


def test_a_flood_from_everywhere_stays_one_bounded_record_with_exact_totals() -> None:
    rollup = Rollup()
    for number in range(5000):
        rollup.add("bad_request", f"10.{number >> 8}.{number & 255}.1", NOW)
    body = rollup.take(NOW)
    assert body is not None
    assert len(body["counts"]) == MAX_ROWS + 1
    assert body["counts"][0] == {"reason": "bad_request", "source": "*", "count": 5000 - MAX_ROWS}
    assert sum(one["count"] for one in body["counts"]) == body["total"] == 5000


def test_it_is_due_by_age_by_number_and_when_the_clock_went_back() -> None:
    rollup = Rollup()
    assert not rollup.due(NOW)
    rollup.add("a", "10.0.0.1", NOW)
    assert not rollup.due(NOW + FLUSH_SECONDS - 0.001)
    assert rollup.due(NOW + FLUSH_SECONDS)
    assert rollup.due(NOW - 1)
    for _ in range(FLUSH_COUNT - 1):
        rollup.add("a", "10.0.0.1", NOW)
    assert rollup.due(NOW)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "*"),
        ("unix", "*"),
    ],
)
def test_networks(source: str, expected: str) -> None:
    assert network(source) == expected
