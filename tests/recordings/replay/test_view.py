"""A recording as text with times."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.recorder.moment import Kind, Moment
from recordings.replay.view import Code, Shown, View, first_size
from tests.recordings.replay.conversation import HEAD, PIPED, SHELL, other, said, typed


def shown(head, moments, **more) -> list[Shown]:
    view = View(head, **more)
    return [event for moment in moments for event in view.take(moment)] + list(view.end())


def test_a_character_cut_between_two_pieces_comes_with_the_second():
    assert shown(HEAD, [said(1, b"a\xe2\x82"), said(2, b"\xacb")]) == [
        Shown(1_000_000, Code.OUTPUT, "a"),
        Shown(2_000_000, Code.OUTPUT, "€b"),
    ]


def test_what_is_no_text_is_shown_as_broken_also_at_the_end():
    assert shown(HEAD, [said(1, b"\xff"), said(2, b"\xe2")]) == [
        Shown(1_000_000, Code.OUTPUT, "\ufffd"),
        Shown(2_000_000, Code.OUTPUT, "\ufffd"),
    ]


def test_input_is_shown_only_where_it_is_asked_for():
    moments = [typed(1, b"pw"), other(2, Kind.HIDDEN, b"3"), other(3, Kind.ENDED, b"stdin")]
    assert shown(HEAD, moments) == []
    assert shown(HEAD, moments, with_input=True) == [Shown(1_000_000, Code.INPUT, "pw")]


def test_a_resize_is_columns_and_rows_bounded():
    moments = [other(1, Kind.RESIZE, b"100x30"), other(2, Kind.RESIZE, b"9999x9999"), other(3, Kind.RESIZE, b"x")]
    assert [event.text for event in shown(HEAD, moments)] == ["100x30", "500x200"]
    assert shown(PIPED, moments) == []


@given(st.lists(st.sampled_from(["\n", "\r", "a", "b\r\n"]), max_size=8), st.data())
def test_without_a_terminal_every_line_feed_has_one_return_however_it_is_cut(parts, data):
    text = "".join(parts)
    cut = data.draw(st.integers(0, len(text)))
    events = shown(PIPED, [said(1, text[:cut].encode()), said(2, text[cut:].encode())])
    assert "".join(event.text for event in events) == text.replace("\r\n", "\n").replace("\n", "\r\n")


def test_stderr_is_output_too_and_has_its_own_characters():
    moments = [said(1, b"\xe2"), other(2, Kind.STDERR, b"x"), said(3, b"\x82\xac")]
    assert [event.text for event in shown(HEAD, moments)] == ["x", "€"]


@pytest.mark.parametrize(
    ("head", "moments", "size"),
    [
        (HEAD, SHELL, (40, 10)),
        (HEAD, [other(0, Kind.RESIZE, b"81x25"), other(0.1, Kind.RESIZE, b"80x25"), said(0.2, b"$")], (80, 25)),
        (HEAD, [said(0, b"$"), other(0.1, Kind.RESIZE, b"81x25")], (80, 24)),
        (PIPED, [other(0, Kind.RESIZE, b"81x25")], (80, 24)),
        (HEAD, [], (80, 24)),
        (HEAD, [other(0, Kind.RESIZE, b"65535x1")], (500, 1)),
    ],
)
def test_the_first_size_is_the_one_before_anything_is_drawn(head, moments, size):
    found, again = first_size(head, iter(moments))
    assert found == size
    assert list(again) == list(moments)


def test_looking_for_the_size_ends():
    endless = (Moment(0, Kind.STDIN, b"x") for _ in range(10_000))
    _, again = first_size(HEAD, endless)
    assert sum(1 for _ in again) == 10_000
