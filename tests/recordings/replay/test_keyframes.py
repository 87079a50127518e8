"""Claims about keyframes: few, exact, and each good for what follows it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.replay import keyframes
from recordings.replay.keyframes import EVERY_BYTES, EVERY_MICROSECONDS, Keyframes, nearest
from recordings.replay.screen import Terminal
from recordings.replay.terminal_filter import TerminalFilter


def taken(*output: tuple[int, bytes]) -> list[tuple[int, int, str]]:
    terminal = Terminal(size=(20, 4))
    found = Keyframes(terminal)
    for at, data in output:
        terminal.feed(at, data)
        found.moment(at, len(data))
    return [(one.at, one.shown, one.last) for one in found.taken]


def test_a_minute_or_a_quarter_of_a_megabyte_makes_one():
    assert taken((0, b"a"), (EVERY_MICROSECONDS - 1, b"b"), (EVERY_MICROSECONDS, b"c")) == [
        (EVERY_MICROSECONDS, 3, "c")
    ]
    assert taken((0, b"x" * (EVERY_BYTES - 1)), (1, b"y"), (2, b"z")) == [(1, 2, "y")]


def test_none_is_made_in_the_middle_of_something_or_of_nothing():
    late = EVERY_MICROSECONDS
    assert taken((0, b""), (late, b"")) == []
    for half in (b"\xc3", b"\x1b[3", b"\x1b]0;t", b"\x1b[?6h"):
        assert taken((0, b"a"), (late, half)) == []
    assert taken((0, b"a"), (late, b"\xc3"), (late, b"\xa4")) == [(late, 3, "\u00e4")]


def test_where_they_need_too_much_room_there_are_fewer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(keyframes, "MAX_CHARS", 400)
    found = taken(*((n * EVERY_MICROSECONDS, b"line\r\n") for n in range(100)))
    assert 1 <= len(found) < 12
    steps = [after[1] - before[1] for before, after in pairwise(found)]
    assert max(steps) <= 2 * min(steps)


@given(st.lists(st.sampled_from([b"a", b"\r\n", b"\x1b[31m", b"\x1b[5b", b"\x1b[2;2H", b"\xc3", b"\xa4"]), max_size=30))
def test_each_stands_for_all_before_it(pieces):
    terminal = Terminal(size=(8, 3))
    found = Keyframes(terminal)
    for n, data in enumerate(pieces):
        terminal.feed(n, data)
        found.moment(n * EVERY_MICROSECONDS, 1)
    for one in found.taken:
        begun, rest = Terminal(size=(8, 3)), TerminalFilter(one.last)
        begun.feed(0, one.screen.encode())
        for data in pieces[one.shown :]:
            begun.feed(0, rest.feed(data).encode())
        assert begun.rows() == _played(pieces)


def _played(pieces) -> tuple[str, ...]:
    whole, rest = Terminal(size=(8, 3)), TerminalFilter()
    for data in pieces:
        whole.feed(0, rest.feed(data).encode())
    return whole.rows()


def test_the_nearest_is_the_last_one_before():
    terminal = Terminal()
    terminal.feed(0, b"a")
    found = Keyframes(terminal)
    for n in range(1, 4):
        found.moment(n * EVERY_MICROSECONDS, 1)
    assert [one.shown for one in found.taken] == [1, 2, 3]
    assert nearest(found.taken, 0) is None
    assert nearest(found.taken, 2) is found.taken[1]
    assert nearest(found.taken, 99) is found.taken[2]
