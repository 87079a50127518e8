"""A recording drawn beforehand, frame by frame."""

from hypothesis import example, given
from hypothesis import strategies as st

from recordings.recorder.moment import OUTPUT, Kind, Moment
from recordings.replay.frames import FRAME_MICROSECONDS, PLAIN, Frame, Style, frames
from recordings.replay.screen import Terminal
from tests.recordings.replay.conversation import HEAD, PIPED, SHELL, other, said
from tests.recordings.replay.test_screen import DRAWN, SHARED, WIPED


def played(moments, head=HEAD) -> list[str]:
    """The rows that stand there after the last frame."""
    rows: dict[int, str] = {}
    size = (0, 0)
    for frame in frames(head, moments):
        size = frame.size or size
        rows |= {y: "".join(text for text, _ in row) for y, row in frame.rows}
    return [rows.get(y, "").rstrip() for y in range(size[1])]


def test_a_frame_names_what_changed_and_where_the_cursor_is():
    moments = [other(0, Kind.RESIZE, b"20x4"), said(1, b"\x1b[1;31mred\x1b[m x"), said(2, b"\r\n\x1b[?25l")]
    assert list(frames(HEAD, moments)) == [
        Frame(0, (), (0, 0), (20, 4)),
        Frame(1_000_000, ((0, (("red", Style(fg="red", bold=True)), (" x", PLAIN))),), (5, 0)),
        Frame(2_000_000, (), None),
    ]


def test_the_cursor_behind_a_wide_character_is_behind_one_character():
    *_, frame = frames(HEAD, [said(1, "漢a\x1b[5C".encode())])
    assert frame.cursor == (7, 0)


def test_what_happens_within_a_frame_is_one():
    moments = [Moment(0, Kind.STDOUT, b"a"), Moment(FRAME_MICROSECONDS - 1, Kind.STDOUT, b"b")]
    assert [frame.at for frame in frames(HEAD, moments)] == [0, 0]
    later = [*moments, Moment(FRAME_MICROSECONDS, Kind.STDOUT, b"c")]
    assert [frame.at for frame in frames(HEAD, later)] == [0, 0, FRAME_MICROSECONDS]


def test_a_row_that_was_drawn_again_the_same_is_not_told_again():
    assert len(list(frames(HEAD, [said(1, b"x"), said(2, b"\rx")]))) == 2


def test_the_screen_after_all_frames_is_that_of_the_terminal():
    terminal = Terminal(size=(40, 10))
    for moment in SHELL:
        if moment.kind in OUTPUT:
            terminal.feed(moment.at, moment.data)
        elif moment.kind is Kind.RESIZE:
            terminal.resize(moment.at, (40, 10) if moment.at == 0 else (30, 8))
    assert played(SHELL) == list(terminal.rows())


@given(st.lists(st.sampled_from([data for data, _ in DRAWN] + WIPED), max_size=6))
def test_frames_lose_nothing_whatever_is_drawn(pieces):
    terminal = Terminal()
    for piece in pieces:
        terminal.feed(0, piece)
    assert played([said(at + 1, piece) for at, piece in enumerate(pieces)]) == list(terminal.rows())


@given(st.lists(st.sampled_from(SHARED), max_size=25))
@example(["abc", "\x1b[2K"])
@example(["abc", "\x1b[H", "\x1b[2@"])
@example(["abc", "\x1b[H", "\x1b[2P"])
@example(["abc", "\x1b[H", "\x1b[2X"])
@example(["abc", "\x1b[2J"])
@example(["xxxxxxxe", "\u0301"])
def test_a_row_that_is_remembered_is_forgotten_when_it_is_edited(pieces):
    size = other(0, Kind.RESIZE, b"8x3")
    terminal = Terminal(size=(8, 3))
    for piece in pieces:
        terminal.feed(0, piece.encode())
    assert played([size, *(said(at + 1, piece.encode()) for at, piece in enumerate(pieces))]) == list(terminal.rows())


def test_without_a_terminal_there_are_no_stairs():
    assert played([said(1, b"a\nb\n")], PIPED)[:2] == ["a", "b"]
