"""What stood on the screen, and every line that ever did."""

import itertools

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.replay.screen import MAX_COLUMNS, MAX_COMBINING, MAX_ROWS, Terminal, bounded, size_of


def told(*output: bytes, size: tuple[int, int] = (20, 4)) -> list[str]:
    """Every line that ever stood on a screen that got this."""
    lines: list[str] = []
    terminal = Terminal(size=size, lines=lambda _at, text: lines.append(text))
    for at, data in enumerate(output):
        terminal.feed(at, data)
    terminal.end()
    return lines


def rows(output: bytes, size: tuple[int, int] = (20, 4)) -> tuple[str, ...]:
    terminal = Terminal(size=size)
    terminal.feed(0, output)
    return terminal.rows()


DRAWN = [
    (b"a\r\nb", ("a", "b", "", "")),
    (b"abc\rX", ("Xbc", "", "", "")),
    (b"1\r\n2\r\n3\r\n4\r\n5", ("2", "3", "4", "5")),
    (b"\x1b[3;5Hx\x1b[H\x1b[Ky", ("y", "", "    x", "")),
    (b"a\r\nb\r\nc\x1b[2;3r\x1b[2;1H\x1bMtop", ("a", "top", "b", "")),
    (b"shell\x1b[?1049h\x1b[2J\x1b[Hvim\x1b[?1049l!", ("shell!", "", "", "")),
    (b"shell\x1b[?1049hvim", ("     vim", "", "", "")),
    (b"\x1b[4;1Hz\x1b[2S", ("", "z", "", "")),
    (b"abc\r\x1b[M", ("", "", "", "")),
    (b"abc\r\n\ndef\x1b[2;1H\x1b[M", ("abc", "def", "", "")),
    (b"\x1b[3;1Habc\x1b[H\x1b[L", ("", "", "", "abc")),
    (b"a" * 20 + b"\x1b[1;3H\x1b[4hb", ("aab" + 17 * "a", "", "", "")),
    (b"z\x1b[2T", ("", "", "z", "")),
    (b"\x1b(0qqx\x1b(Bq", ("──│q", "", "", "")),
    (b"ab\x1b[1;1H\x1b[4hX\x1b[4lY", ("XYb", "", "", "")),
    ("漢字x".encode(), ("漢字x", "", "", "")),
    ("e\u0301".encode(), ("é", "", "", "")),
    ("a\u200bb\ufe0fc".encode(), ("abc", "", "", "")),
    (b"x" * 25, ("x" * 20, "x" * 5, "", "")),
    (b"\x1b[38:2::1:2:3mred\x1b[4:3m\x1b[58:5:1mu\x1b[;mz", ("reduz", "", "", "")),
    (b"ab\x1b7\x1b[3;3Hc\x1b8d\x1b8e", ("abe", "", "  c", "")),
    (b"\x1b8\x1b8home", ("home", "", "", "")),
]


@pytest.mark.parametrize(("output", "expected"), DRAWN)
def test_the_screen_is_what_a_terminal_shows(output, expected):
    assert rows(output) == expected


WIPED = [
    b"secret\rxxxxxx",
    b"secret\x1b[2J",
    b"secret\x1b[2K",
    b"secret\r\x1b[K",
    b"secret\x1b[1K",
    b"secret\x1b[H\x1b[J",
    b"secret\r\x1b[6P",
    b"secret\r\x1b[6X",
    b"secret\x1b[M",
    b"secret\x1b[L",
    b"secret\x1bc",
    b"secret\b\b\b\b\b\bpublic",
    b"secret\x1b[6Dpublic",
    b"secret\x1b[1Gpublic",
    b"secret\x1b[Hpublic",
    b"secret\x1b7\x1b[H\x1b[2J\x1b8",
    b"secret\r\n\r\n\r\n\r\n\r\n\r\n",
    b"secret\x1b[9S",
    b"secret\x1b[9T",
    b"secret\x1b[H" + b"\x1bM" * 9,
    b"\x1b[?1049hsecret\x1b[?1049l",
    b"\x1b[?47hsecret\x1b[?47l",
    b"\x1b[?1047hsecret\x1b[2J\x1b[?1047l",
    b"secret\x1b[?1049h",
    b"\x1b[8msecret\x1b[m\r\x1b[2K",
    b"\x1b[30;40msecret\x1b[m\r\x1b[2K",
    b"\x1b[38;5;0;48;5;0msecret\x1b[2J",
    "s\u200be\u200cc\u2060r\ufeffe\u00adt\x1b[2J".encode(),
    b"\x1b[1;2rsecret\r\n\r\n\r\n\x1b[r",
    b"\x1b[4hsecret\rpublic\x1b[2K",
    b"secret\x1b[H\x1b[4hpublic",
    b"secret\x1b[H\x1b[6@",
    b"\x1b]0;title\x07secret\x1b[2K",
    b"\x1bP1;2q\x1b\\secret\x1b[2K",
    b"\x1b[1;999999999Hsecret\x1b[2J",
]


@pytest.mark.parametrize("output", WIPED)
def test_what_was_wiped_was_drawn(output):
    assert "secret" in "".join(told(output)).replace("\n", "")


@pytest.mark.parametrize("output", WIPED)
def test_what_was_wiped_before_a_smaller_screen_was_drawn_too(output):
    assert "secret" in "".join(told(output, size=(3, 4)))


def test_a_line_is_told_once_where_nothing_changed_it():
    assert told(b"one\r\ntwo\r\nthree\r\nfour\r\nfive\x1b[2J") == ["one", "two", "three", "four", "five"]


def test_a_prompt_that_is_drawn_again_is_no_new_line():
    assert told(b"$ ls", b"\r$ ls") == ["$ ls"]


def test_a_line_has_the_time_of_its_first_character():
    lines: list[tuple[int, str]] = []
    terminal = Terminal(size=(4, 2), lines=lambda *line: lines.append(line))
    terminal.feed(5, b"ab")
    terminal.feed(9, b"cdef")
    terminal.end()
    assert lines == [(5, "abcdef")]


def test_the_text_before_a_line_feed_is_the_whole_line():
    seen: list[tuple[str, int]] = []
    terminal = Terminal(size=(4, 3), before_line_feed=lambda text, column: seen.append((text, column)))
    terminal.feed(0, b"abcdef\r\n")
    assert seen == [("abcdef", 0)]


def test_what_stood_on_the_screen_is_told_before_a_resize_cuts_it():
    lines: list[str] = []
    terminal = Terminal(size=(20, 4), lines=lambda _at, text: lines.append(text))
    terminal.feed(0, b"a long secret")
    terminal.resize(1, (5, 1))
    terminal.feed(2, b"x")
    terminal.end()
    assert lines[0] == "a long secret"
    assert len(terminal.rows()) == 1


@pytest.mark.parametrize(
    ("data", "size"),
    [(b"80x24", (80, 24)), (b"0x24", None), (b"80x", None), (b"-1x2", None), (b"99999x1", (99999, 1)), (b"", None)],
)
def test_a_size_is_columns_and_rows(data, size):
    assert size_of(data) == size


def test_no_recording_makes_a_screen_that_fills_the_memory():
    assert bounded((65535, 65535)) == (MAX_COLUMNS, MAX_ROWS)
    assert bounded((1, 0)) == (2, 1)


PIECES = st.sampled_from(
    [data for data, _ in DRAWN] + WIPED + [b"\x1b[99;99H", b"\x1b[3;9999r", b"\x1b[9999L", b"\x1b[9999M", b"\x1b[0;0H"]
)


@given(st.lists(st.one_of(PIECES, st.binary(max_size=6)), max_size=6).map(b"".join), st.integers(1, 5))
def test_whatever_comes_is_drawn_the_same_however_it_is_cut(data, step):
    cut = Terminal(size=(9, 3))
    for start in range(0, len(data), step):
        cut.feed(0, data[start : start + step])
    assert cut.rows() == rows(data, size=(9, 3))


@given(st.lists(st.tuples(PIECES, st.sampled_from([(2, 1), (9, 3), (500, 200), (20, 4)])), max_size=5))
def test_resizes_between_anything_raise_nothing(steps):
    terminal = Terminal(size=(9, 3))
    for data, size in itertools.chain(steps):
        terminal.feed(0, data)
        terminal.resize(0, size)
    terminal.end()
    assert len(terminal.rows()) == terminal.display.lines


def test_a_cursor_is_hidden_until_it_is_shown_whatever_is_restored():
    for data in (b"\x1b7\x1b[?25l\x1b8", b"\x1b[?1049h\x1b[?25l\x1b[?1049l"):
        terminal = Terminal()
        terminal.feed(0, data)
        assert terminal.display.cursor.hidden


def test_a_flood_of_marks_on_one_letter_costs_nothing():
    assert len(rows(("x" + "\u0330" * 100_000).encode())[0]) <= 1 + MAX_COMBINING


SHARED = ["abc", "x" * 9, "\r\n", "\r", "\n", "\b", "\t", "漢", "e\u0301", "ä"]
SHARED += [
    f"\x1b[{one}" for one in ("H", "2;3H", "K", "1K", "2K", "J", "1J", "2J", "L", "M", "2@", "2P", "2X", "A", "5C")
]
SHARED += [f"\x1b[{one}" for one in ("1;31m", "m", "7m", "38;5;9m", "?7l", "?7h", "4h", "4l", "2;3r", "r")]
SHARED += ["\x1bM", "\x1bD", "\x1bE"]


@given(st.lists(st.sampled_from(SHARED), max_size=20))
def test_where_pyte_knows_a_sequence_the_screen_is_pytes(pieces):
    theirs = pyte.Screen(7, 3)
    stream = pyte.Stream(theirs)
    ours = Terminal(size=(7, 3))
    for piece in pieces:
        stream.feed(piece)
        for y in range(3):
            theirs.buffer[y].pop(7, None)  # what pyte forgets: a cell over the edge, a row that was never drawn on
        ours.feed(0, piece.encode())
    cells = [[theirs.buffer[y][x] for x in range(7)] for y in range(3)]
    assert [[ours.display.buffer[y][x] for x in range(7)] for y in range(3)] == cells
    assert (ours.display.cursor.x, ours.display.cursor.y) == (theirs.cursor.x, theirs.cursor.y)
