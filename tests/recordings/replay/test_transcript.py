"""A recording as text."""

from dataclasses import replace

from recordings.recorder.moment import Kind
from recordings.replay.commands import Command
from recordings.replay.transcript import MAX_LINE_CHARS, Line, Origin, commands, transcript
from tests.recordings.replay.conversation import HEAD, PIPED, SHELL, other, said, typed


def lines(*origins: Origin, head=HEAD, moments=SHELL) -> list[str]:
    return [line.text for line in transcript(head, moments) if line.origin in origins]


def test_every_line_that_was_ever_drawn_is_there_also_the_overwritten_one():
    assert lines(Origin.DRAWN) == [
        "secret",
        "$ ls",
        "file one",
        "$ cat file\\ one",
        "xxxxxx",
        "password:",
        "no",
        "$",
        "$ ä",
    ]


def test_every_line_that_was_typed_is_there_also_the_one_that_never_came_back():
    assert lines(Origin.TYPED) == ["ls", "ca    ", "hunter2"]


def test_commands_are_told_with_the_time_of_their_enter():
    assert list(commands(HEAD, SHELL)) == [Command(2_000_000, "ls"), Command(4_000_000, "cat file\\ one")]


def test_input_that_was_not_kept_is_told_as_its_length():
    moments = [other(1, Kind.HIDDEN, b"3"), other(2, Kind.HIDDEN, b"4"), typed(3, b"\r"), other(4, Kind.HIDDEN, b"1")]
    assert [line for line in transcript(HEAD, moments) if line.text] == [
        Line(1_000_000, Origin.HIDDEN, "(7 bytes typed unseen)"),
        Line(4_000_000, Origin.HIDDEN, "(1 byte typed unseen)"),
    ]


def test_a_command_whose_keys_were_not_kept_is_read_from_the_screen():
    moments = [said(1, b"$ "), other(2, Kind.HIDDEN, b"2"), said(3, b"ls"), typed(4, b"\r"), said(5, b"\r\nPassword: ")]
    moments += [other(6, Kind.HIDDEN, b"7"), typed(7, b"\r"), said(8, b"\r\n$ ")]
    assert list(commands(HEAD, moments)) == [Command(4_000_000, "ls")]


def test_a_line_longer_than_the_screen_is_one_line():
    moments = [other(0, Kind.RESIZE, b"10x4"), said(1, b"a needle in a haystack"), said(2, b"\r\nnext")]
    assert lines(Origin.DRAWN, moments=moments) == ["a needle in a haystack", "next"]


def test_without_a_terminal_stdout_and_stderr_are_lines_of_their_own():
    moments = [
        said(1, b"one\ntw"),
        other(2, Kind.STDERR, b"oops\n"),
        said(3, b"o\r\n\xe2\x82"),
        said(4, b"\xac"),
    ]
    assert list(transcript(replace(PIPED, command=("ls",)), moments)) == [
        Line(1_000_000, Origin.STDOUT, "one"),
        Line(2_000_000, Origin.STDERR, "oops"),
        Line(1_000_000, Origin.STDOUT, "two"),
        Line(4_000_000, Origin.STDOUT, "€"),
    ]


def test_lines_fed_to_a_shell_are_commands():
    assert list(commands(PIPED, [typed(1, b"id\nls")])) == [Command(1_000_000, "id")]
    assert list(commands(replace(PIPED, command=("cat",)), [typed(1, b"id\n")])) == []


def test_a_line_without_end_is_cut_and_not_kept():
    moments = [said(1, b"x" * (3 * MAX_LINE_CHARS))]
    assert [len(text) for text in lines(Origin.STDOUT, head=PIPED, moments=moments)] == [MAX_LINE_CHARS] * 3


def test_nothing_in_a_line_commands_a_terminal():
    moments = [said(1, b"\x1b]0;x\x07\x9b2J\xc2\x9b2J\x1b[2Jred\x07\n")]
    text = "".join(line.text for head in (HEAD, PIPED) for line in transcript(head, moments))
    assert text.isprintable()
    assert "red" in text
