"""Claims about what a shell's echo tells of the input, and that whatever is doubtful is kept as its length."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.recorder.echo import (
    ECHO_MICROSECONDS,
    MAX_LINE_BYTES,
    MAX_LINES,
    MAX_LOOKED_AT,
    MAX_WAITING_BYTES,
    MAX_WAITING_PARTS,
    Echo,
)
from recordings.recorder.moment import Kind


def kept(*steps: bytes, echo: Echo | None = None) -> list[tuple[Kind, bytes]]:
    """What is written of a conversation: `>` before what is typed, `<` before what is shown; at the end all."""
    echo = echo or Echo()
    out = []
    for step in steps:
        out += echo.typed(0, step[1:]) if step[:1] == b">" else echo.shown(step[1:])
    return [*out, *echo.all()]


def typed(data: bytes) -> tuple[Kind, bytes]:
    return Kind.STDIN, data


def hidden(length: int) -> tuple[Kind, bytes]:
    return Kind.HIDDEN, b"%d" % length


def test_what_comes_back_is_kept_as_it_was():
    assert kept(b">l", b"<l", b">s", b"<s", b">\r", b"<\r\nfile\r\n$ ") == [typed(b"l"), typed(b"s"), typed(b"\r")]


def test_a_password_is_kept_as_its_length():
    steps = (b"<Password: ", b">h", b">u", b">n", b">\r", b"<\r\nSorry, try again.\r\n")
    assert kept(*steps) == [hidden(3), typed(b"\r")]


def test_a_password_that_is_pasted_with_its_enter_is_kept_as_its_length():
    assert kept(b">hunter2\r", b"<\r\n$ ") == [hidden(7), typed(b"\r")]


def test_stars_are_no_echo():
    assert kept(b">h", b"<*", b">u", b"<*", b">\r", b"<\r\n") == [hidden(2), typed(b"\r")]


def test_a_shell_that_goes_on_after_a_password_is_kept():
    steps = (b">hunter2\r", b"<\r\n$ ", b">id", b"<id", b">\r", b"<\r\n")
    assert kept(*steps) == [hidden(7), typed(b"\r"), typed(b"id"), typed(b"\r")]


def test_lines_typed_ahead_are_told_apart():
    steps = (b">id\rhunter2\rls\r", b"<id\r\nuid=0\r\nPassword: ", b"<\r\n$ ls\r\n", b"<")
    assert kept(*steps)[:4] == [typed(b"id\r"), hidden(7), typed(b"\r"), hidden(2)]


def test_lines_that_come_back_together_are_kept():
    assert kept(b">id\rls\r", b"<id\r\nls\r\n$ ") == [typed(b"id\rls\r")]


def test_an_echo_may_come_in_pieces_and_coloured():
    steps = (b">cat x", b"<\x1b[1mca\x1b[0m", b"<\x1b[32mt x\x1b[K", b">\r", b"<\r\n")
    assert kept(*steps) == [typed(b"ca"), typed(b"t x"), typed(b"\r")]


def test_a_line_that_the_shell_draws_again_is_an_echo():
    assert kept(b">l", b"<l", b">s", b"<\bls", b">\r", b"<\r\n") == [typed(b"l"), typed(b"s"), typed(b"\r")]
    # a letter put before others, which move
    assert kept(b">s", b"<s", b">\x1b[D", b">l", b"<ls\b")[-1] == typed(b"l")


@pytest.mark.parametrize("output", [b"", b"Please wait", b"xx", b"xh", b"hx", b"[h]"])
def test_output_that_is_not_just_what_was_typed_is_no_echo(output):
    assert kept(b">h", b"<" + output) == [hidden(1)]


def test_half_a_character_is_no_echo_of_another():
    assert kept(b">\xc3\xa9", b"<\xc3\xa8") == [hidden(2)]


@pytest.mark.parametrize(
    "key", [b"\r", b"\t", b"\x03", b"\x7f", b"\x1b", b"\x1b[A", b"\x1bOP", b"\x1b[1;5C", b"\x1b[200~"]
)
def test_keys_are_kept(key):
    assert kept(b">" + key) == [typed(key)]
    assert kept(b">a" + key) == [hidden(1), typed(key)]


def test_commands_of_an_editor_are_lengths_and_its_text_is_kept():
    steps = (b">d", b">d", b"<\x1b[2;1H\x1b[M", b">i", b"<\x1b[24;1H-- INSERT --", b">x", b"<x")
    assert kept(*steps) == [hidden(3), typed(b"x")]
    many = [b">" + b"q"] * (MAX_LOOKED_AT + 1)
    assert kept(*many, b">x", b"<x") == [hidden(MAX_LOOKED_AT + 1), typed(b"x")]


def test_a_password_whose_enter_shows_nothing_is_not_taken_for_what_is_typed_behind_it():
    """As bash's `read -s`, which writes no line end."""
    steps = [b">" + bytes([key]) for key in b"hunter2\r"] + [b"<$ "]
    steps += [step for key in b"ls /tmp" for step in (b">" + bytes([key]), b"<" + bytes([key]))]
    assert kept(*steps) == [hidden(7), typed(b"\rl"), *(typed(bytes([key])) for key in b"s /tmp")]
    assert kept(b">hh", b">\r", b">h", b"<h") == [hidden(2), typed(b"\rh")]


def test_what_does_not_come_back_in_time_is_its_length():
    echo = Echo()
    assert echo.typed(10, b"secret") == []
    assert bool(echo)
    assert echo.due(10 + ECHO_MICROSECONDS - 1) == []
    assert echo.due(10 + ECHO_MICROSECONDS) == [hidden(6)]
    assert not echo
    assert echo.shown(b"secret") == []


def test_what_waits_is_bounded():
    echo = Echo()
    assert echo.typed(0, b"a" * (MAX_WAITING_BYTES + 1)) == [hidden(MAX_WAITING_BYTES + 1)]
    assert echo.typed(0, b"a\x01" * MAX_WAITING_PARTS)[0] == hidden(1)
    echo = Echo()
    echo.typed(0, b"ab" * MAX_LINE_BYTES)
    assert echo.shown(b"ab" * MAX_LINE_BYTES) == [typed(b"ab" * MAX_LINE_BYTES)]


def test_more_lines_than_are_looked_at_keep_less():
    typed_ = b"".join(b"%d\r" % n for n in range(100, 100 + MAX_LINES + 2))
    whole = kept(b">" + typed_, b"<" + typed_.replace(b"\r", b"\r\n"))
    assert whole[0] == typed(b"".join(b"%d\r" % n for n in range(100, 100 + MAX_LINES)))
    assert whole[1:] == [hidden(3), typed(b"\r"), hidden(3), typed(b"\r")]


_KEY = re.compile(rb"\x1b\[[0-?]*[@-~]|\x1bO[@-~]|[\x00-\x1f\x7f]")
_PIECE = st.binary(max_size=6) | st.text("ab \r\n\x1b[;*é", max_size=6).map(str.encode)


@given(st.lists(st.tuples(st.booleans(), _PIECE), max_size=12))
def test_nothing_is_lost_and_no_character_is_kept_that_was_not_shown(steps):
    echo, out, shown, sent = Echo(), [], b"", 0
    for at, (is_typed, data) in enumerate(steps):
        out += echo.typed(at, data) if is_typed else echo.shown(data)
        shown += b"" if is_typed else data
        sent += len(data) if is_typed else 0
        kept_text = b"".join(text for kind, text in out if kind is Kind.STDIN)
        assert set(_KEY.sub(b"", kept_text)) <= set(shown)
    out += echo.all()
    assert not echo
    assert sum(int(text) if kind is Kind.HIDDEN else len(text) for kind, text in out) == sent


@given(st.text("abc é", min_size=1, max_size=30).map(str.encode), st.lists(st.integers(1, 5), max_size=12))
def test_a_terminal_that_echoes_loses_nothing_however_it_cuts(text, cuts):
    pieces, at = [], 0
    for cut in [*cuts, len(text)]:
        pieces.append(text[at : at + cut])
        at += cut
    out = kept(*(step for piece in pieces if piece for step in (b">" + piece, b"<" + piece)))
    assert b"".join(data for _, data in out) == text
