"""The player's clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.replay.timeline import MAX_SPEED, MIN_SPEED, SPEEDS, Clock, Timeline

S = 1_000_000
TIMES = [0, 1 * S, 2 * S, 62 * S, 63 * S]
END = 100 * S


def test_time_passes_at_the_clocks_speed():
    line = Timeline(TIMES)
    assert line.passed(Clock(END), 5 * S) == Clock(END, 5 * S)
    assert line.passed(Clock(END, speed=4.0), 5 * S) == Clock(END, 20 * S, 4.0)
    assert line.passed(Clock(END, speed=0.1), 5 * S) == Clock(END, S // 2, 0.1)


def test_a_paused_clock_stands():
    clock = Clock(END, 5, is_paused=True)
    assert Timeline(TIMES).passed(clock, S) == clock
    assert Timeline(TIMES).until_next(clock) is None


def test_no_clock_runs_over_the_end():
    line = Timeline(TIMES)
    assert line.passed(Clock(END, END - 1), S) == Clock(END, END)
    assert line.until_next(Clock(END, END)) is None


def test_a_long_silence_is_as_long_as_the_limit():
    line = Timeline(TIMES, idle_limit=3 * S)
    assert line.passed(Clock(END, 2 * S), 3 * S) == Clock(END, 62 * S)
    assert line.passed(Clock(END, 2 * S), 2 * S) == Clock(END, 4 * S)
    assert line.passed(Clock(END, 4 * S), 1 * S) == Clock(END, 62 * S)
    assert line.passed(Clock(END, 30 * S), 1) == Clock(END, 62 * S + 1)


def test_the_wait_until_something_happens_is_in_the_viewers_time():
    assert Timeline(TIMES).until_next(Clock(END, 2 * S, 2.0)) == 30 * S
    assert Timeline(TIMES, idle_limit=4 * S).until_next(Clock(END, 2 * S, 2.0)) == 2 * S


def test_speeds_go_from_a_tenth_to_sixteen():
    clock = Clock(END)
    for _ in range(20):
        clock = clock.faster()
    assert clock.speed == MAX_SPEED == 16.0
    for _ in range(20):
        clock = clock.slower()
    assert clock.speed == MIN_SPEED == 0.1
    assert clock.at_speed(3.3).faster().speed == 4.0
    assert clock.at_speed(3.3).slower().speed == 2.0
    assert clock.at_speed(99).speed == 16.0
    assert clock.at_speed(0).speed == 0.1


def test_a_step_goes_to_what_is_shown_next_and_stays_there():
    line = Timeline(TIMES)
    assert line.step(Clock(END, 2 * S)) == Clock(END, 62 * S, is_paused=True)
    assert line.step(Clock(END, 63 * S)) == Clock(END, END, is_paused=True)


def test_seeking_stays_within_the_recording():
    line = Timeline(TIMES)
    assert line.seek(Clock(END, 5 * S), -10).position == 0
    assert line.seek(Clock(END, 5 * S), 10).position == 15 * S
    assert line.seek(Clock(END, 5 * S), 1000).position == END


@pytest.mark.parametrize(("position", "following"), [(0, 1), (1, 62), (62, 62), (70, 70)])
def test_the_next_mark_is_the_one_behind(position, following):
    assert Timeline.next_mark(Clock(END, position * S), [1 * S, 62 * S]).position == following * S


@pytest.mark.parametrize(("position", "before"), [(70, 62), (62.5, 1), (62, 1), (1, 1), (0, 0)])
def test_the_previous_mark_is_the_one_before_and_soon_after_one_the_one_before_that(position, before):
    assert Timeline.previous_mark(Clock(END, int(position * S)), [1 * S, 62 * S]).position == before * S


@given(
    st.lists(st.integers(0, END), max_size=8).map(sorted),
    st.one_of(st.none(), st.integers(1, 10 * S)),
    st.integers(0, END),
    st.lists(st.integers(0, 20 * S), max_size=8),
    st.sampled_from(SPEEDS),
)
def test_time_never_goes_back_and_small_steps_get_as_far_as_one(times, limit, start, steps, speed):
    line = Timeline(times, idle_limit=limit)
    clock = at_once = Clock(END, start, speed)
    for real in steps:
        later = line.passed(clock, real)
        assert later.position >= clock.position
        clock = later
    at_once = line.passed(at_once, sum(steps))
    assert abs(clock.position - at_once.position) <= 16 * (len(steps) + 1) or limit is not None


@given(st.lists(st.integers(0, END), max_size=8).map(sorted), st.integers(1, 10 * S), st.integers(0, END))
def test_after_the_wait_the_next_thing_is_reached(times, limit, start):
    line = Timeline(times, idle_limit=limit)
    clock = Clock(END, start)
    wait = line.until_next(clock)
    if wait is not None:
        assert line.passed(clock, wait).position >= line.step(clock).position
