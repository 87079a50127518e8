"""Claims about what may go."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from recordings.audit.encode import rfc3339
from recordings.audit.holds import Hold
from recordings.audit.manifest import Manifest
from recordings.audit.retention import Kept, Limits, Why, plan

NOW = 1_700_000_000.0
DAY = 86_400.0


def kept(number: int, age_days: float, stored: int = 100, *, writer: str = "a", signed: bool = True) -> Kept:
    until = rfc3339(NOW - age_days * DAY)
    since = rfc3339(NOW - (age_days + 0.5) * DAY)
    manifest = Manifest(
        writer=writer,
        segment=f"{number:020d}.ndjson",
        first_seq=number,
        last_seq=number + 9,
        records=10,
        lines=12,
        since=since,
        until=until,
        length=5000,
        sha256="00",
        origin=f"acme/{writer}",
        start=number,
        size=number + 12 if signed else 0,
        root="r",
    )
    return Kept(manifest, stored)


def gone(found: list[Kept], others: int = 0, holds: tuple[Hold, ...] = (), **limits: float) -> list[tuple[int, Why]]:
    removals = plan(found, others, holds, Limits(**limits), NOW)  # type: ignore[arg-type]
    return [(one.manifest.first_seq, one.why) for one in removals]


SEGMENTS = [kept(1, 9), kept(11, 7), kept(21, 5), kept(5, 8, writer="b")]


def test_without_limits_nothing_goes() -> None:
    assert gone(SEGMENTS) == []


def test_what_is_older_than_the_age_goes_oldest_first() -> None:
    assert gone(SEGMENTS, age=6 * DAY) == [(1, Why.AGE), (5, Why.AGE), (11, Why.AGE)]
    assert gone(SEGMENTS, age=9 * DAY) == []
    assert gone(SEGMENTS, age=9 * DAY - 1) == [(1, Why.AGE)]


def test_the_oldest_go_until_everything_fits() -> None:
    assert gone(SEGMENTS, size=400) == []
    assert gone(SEGMENTS, size=399) == [(1, Why.SIZE)]
    assert gone(SEGMENTS, 150, size=399) == [(1, Why.SIZE), (5, Why.SIZE)]
    assert gone(SEGMENTS, 10_000, size=399) == [(number, Why.SIZE) for number in (1, 5, 11, 21)]


def test_what_goes_for_its_age_makes_room() -> None:
    assert gone(SEGMENTS, age=8.5 * DAY, size=300) == [(1, Why.AGE)]
    assert gone(SEGMENTS, age=8.5 * DAY, size=250) == [(1, Why.AGE), (5, Why.SIZE)]


def test_what_is_held_stays_and_what_is_not_goes_for_it() -> None:
    hold = Hold("case-17", "", rfc3339(NOW - 8.2 * DAY), rfc3339(NOW - 7.8 * DAY), "")
    assert gone(SEGMENTS, holds=(hold,), age=6 * DAY) == [(1, Why.AGE), (11, Why.AGE)]
    assert gone(SEGMENTS, holds=(hold,), size=250) == [(1, Why.SIZE), (11, Why.SIZE)]


def test_what_nobody_signed_or_has_no_known_time_stays() -> None:
    unsigned = kept(1, 9, signed=False)
    assert gone([unsigned], age=1, size=1) == []


@given(
    st.lists(st.tuples(st.floats(0, 20), st.integers(0, 1000)), max_size=8),
    st.integers(0, 5000),
    st.integers(0, 1000),
)
def test_no_more_goes_than_must(segments: list[tuple[float, int]], size: int, others: int) -> None:
    """Without what went last, the files would not have fitted; and the oldest went."""
    found = [kept(number, age, stored) for number, (age, stored) in enumerate(segments, 1)]
    removed = [number for number, _ in gone(found, others, size=size)]
    left = sum(one.stored for one in found if one.manifest.first_seq not in removed) + others
    if removed:
        assert left + found[removed[-1] - 1].stored > size
        untils = [found[number - 1].manifest.until for number in removed]
        assert untils == sorted(untils)
    assert left <= size or len(removed) == len(found)
