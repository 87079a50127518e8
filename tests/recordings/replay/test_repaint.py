"""Claims about screens drawn again: what comes after finds the terminal as if it had seen everything."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recordings.replay.repaint import can_be_repainted, repainted
from recordings.replay.screen import Terminal
from recordings.replay.terminal_filter import TerminalFilter

SIZE = (12, 5)
_PIECES = st.sampled_from(
    [
        *"ab \u00e4\u6f22\n\r\b\t\v",
        "e\u0301",
        "0123456789abcdef",
        "\x1b[31m",
        "\x1b[1;4;7;9;38;5;208;48;2;1;2;3m",
        "\x1b[95;103m",
        "\x1b[m",
        "\x1b[2;3H",
        "\x1b[5;12H",
        "\x1b[A",
        "\x1b[3G",
        "\x1b[K",
        "\x1b[1J",
        "\x1b[2J",
        "\x1b[2L",
        "\x1b[M",
        "\x1b[3X",
        "\x1b[2;4r",
        "\x1b[r",
        "\x1bM",
        "\x1bD",
        "\x1b7",
        "\x1b8",
        "\x1b[?1049h",
        "\x1b[?1049l",
        "\x1b[?7l",
        "\x1b[?7h",
        "\x1b[4h",
        "\x1b[4l",
        "\x1b[?25l",
        "\x1b(0",
        "\x1b(B",
        "\x0e",
        "\x0f",
        "qqx",
    ]
)
_TEXT = st.lists(_PIECES, max_size=20).map(lambda pieces: "".join(pieces).encode())


def drawn(*data: bytes) -> Terminal:
    terminal = Terminal(size=SIZE)
    for one in data:
        terminal.feed(0, one)
    return terminal


def state(terminal: Terminal) -> object:
    display = terminal.display
    cursor = display.cursor
    rows = [[display.buffer[y][x] for x in range(display.columns)] for y in range(display.lines)]
    return terminal.rows(), rows, (cursor.x, cursor.y, cursor.attrs, cursor.hidden), display.margins, display.mode


@given(_TEXT, _TEXT)
@example(b"\x1b[?1049hfull\x1b[2;4r\x1b[3;3H\x1b7", b"x\x1b8y\n\x1b[?1049l!")
@example(b"0123456789ab", b"c")
@example("0123456789\u6f22".encode(), b"c")
@example("\u6f22\u6f22\x1b[3Gx".encode(), b"c")
@example("\u6f22\u6f22\x1b[2Gx".encode(), b"c")
@example(b"\x1b(0qqx", b"q\x0eq")
def test_what_follows_is_drawn_as_if_nothing_had_been_left_out(before, after):
    whole, begun = drawn(before), drawn(repainted(drawn(before).display).encode())
    if not can_be_repainted(whole.display):
        return
    assert state(begun) == state(whole)
    whole.feed(0, after)
    begun.feed(0, after)
    assert state(begun)[0] == state(whole)[0]


@given(_TEXT)
def test_only_what_the_filter_lets_through_is_in_it(before):
    text = repainted(drawn(before).display)
    assert TerminalFilter().feed(text.encode()) == text


@pytest.mark.parametrize("data", [b"\x1b[?6h", b"\x1b[?6h\x1b7\x1b[?6l"])
def test_origin_mode_cannot_be_repainted(data):
    assert not can_be_repainted(drawn(data).display)
    assert can_be_repainted(drawn(b"\x1b7").display)
