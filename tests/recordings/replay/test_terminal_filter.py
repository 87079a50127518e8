"""A2: what was recorded cannot command the terminal that it is replayed on."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recordings.replay.terminal_filter import MAX_REPEAT, MAX_STRING_CHARS, SCREEN_RESET, TerminalFilter

ALLOWED = re.compile(
    "(?:"
    "[^\x00-\x1f\x7f-\x9f]"
    "|[\b\t\n\v\f\r\x0e\x0f]"
    r"|\x1b[78DEM]|\x1b[()][0B]"
    r"|\x1b\[[0-9;:]*m"
    r"|\x1b\[(?:[0-9]{1,4})?[ABCDEFGIKLMPSTXZ@`ade]"
    r"|\x1b\[0*[12]?J"
    r"|\x1b\[(?:[0-9]{0,4}(?:;[0-9]{0,4})?)[Hfr]"
    r"|\x1b\[\?(?:6|7|25|47|1047|1048|1049)(?:;(?:6|7|25|47|1047|1048|1049))*[hl]"
    r"|\x1b\[4(?:;4)*[hl]"
    ")*"
)
"""Written from the module's promise, not from its code."""


def shown(data: bytes) -> str:
    one = TerminalFilter()
    return one.feed(data) + one.end()


HONEST = [
    (b"plain \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80", "plain ä € 😀"),
    (b"a\tb\r\nc\bd", "a\tb\r\nc\bd"),
    (b"\x1b[31;1mred\x1b[0m\x1b[m", "\x1b[31;1mred\x1b[0m\x1b[m"),
    (b"\x1b[38;2;1;2;3m\x1b[38:2::1:2:3m\x1b[4:3m", "\x1b[38;2;1;2;3m\x1b[38:2::1:2:3m\x1b[4:3m"),
    (b"\x1b[H\x1b[2J\x1b[10;20H\x1b[K\x1b[1K\x1b[2K", "\x1b[H\x1b[2J\x1b[10;20H\x1b[K\x1b[1K\x1b[2K"),
    (b"\x1b[A\x1b[2B\x1b[3C\x1b[4D\x1b[5G\x1b[6d", "\x1b[A\x1b[2B\x1b[3C\x1b[4D\x1b[5G\x1b[6d"),
    (b"\x1b[2L\x1b[2M\x1b[2P\x1b[2@\x1b[2X\x1b[2S\x1b[2T", "\x1b[2L\x1b[2M\x1b[2P\x1b[2@\x1b[2X\x1b[2S\x1b[2T"),
    (b"\x1b[?1049h\x1b[?25l\x1b[?7h\x1b[2;20r", "\x1b[?1049h\x1b[?25l\x1b[?7h\x1b[2;20r"),
    (b"\x1b7\x1b8\x1bD\x1bE\x1bM\x1b(0lqk\x1b(B", "\x1b7\x1b8\x1bD\x1bE\x1bM\x1b(0lqk\x1b(B"),
    (b"\x1b[s\x1b[u", "\x1b7\x1b8"),
    (b"x\x1b[3b", "xxxx"),
    (b"x\x1b[99999b", "x" * (1 + MAX_REPEAT)),
    (b"\x1bc", SCREEN_RESET),
    (b"\x1b[99999999;1H", "\x1b[9999;1H"),
    (b"\x1b[?1049;1000;25h", "\x1b[?1049;25h"),
    (b"\x1b[1\n0m", "\n\x1b[10m"),
]


@pytest.mark.parametrize(("data", "text"), HONEST)
def test_what_draws_passes(data, text):
    assert shown(data) == text


STRINGS = [
    "0;title", "1;icon", "2;title", "3;WM_NAME=x", "4;1;?", "4;1;red", "7;file:///etc", "8;;http://evil/",
    "9;notify", "9;4;1;50", "10;?", "11;?", "12;?", "13;?", "17;?", "50;?", "50;font", "52;c;ZXZpbA==", "52;c;?",
    "52;p;?", "60", "104", "110", "111", "133;A", "133;C", "633;E;ls", "697;x", "777;notify;a;b", "1337;File=:AAAA",
    "1337;CopyToClipboard=:x", "1337;StealFocus", "1337;RequestUpload=format=tgz", "1337;SetUserVar=a=b", "555",
    "I/tmp/icon", "L", "l", "P1ff0000", "R",
]  # fmt: skip
DEVICE = ['$q"p', "$qm", "$qr", "+q544e", "+p544e=78", "1$r", "0;1|17/636c6561720d", "q#0;2;0;0;0#0~~", "=1s"
]  # fmt: skip
QUERIES = [
    "c", "0c", ">c", ">0c", "=c", "5n", "6n", "?6n", "?15n", "?25n", "?26n", "?53n", "?55n", "?62n", "?63;1n", "?75n",
    "?85n", "?996n", "x", "1x", ">q", ">0q", "?1$p", "?2026$p", "4$p", "1$w", "2$w", "&v", "1$u", "?u", ">1u", "<u",
    "=1;1u", "+q", "1;1;1;1;1;1*y", "14t", "15t", "16t", "18t", "19t", "20t", "21t", "11t", "13t", "5i", "4i", "?5i",
    "0i", "?1i", "1t", "2t", "3;0;0t", "4;100;100t", "5t", "6t", "7t", "8;24;80t", "9;1t", "10;1t", "22;0t", "23;0t",
    "24t", ">1;1t", ">0T", "1;2;3;4;5T", "3J", "?3J", "03J", "?1h", "?3h", "?4h", "?5h", "?8h", "?9h", "?12h", "?40h",
    "?45h", "?66h", "?67h", "?69h", "?80h", "?95h", "?1000h", "?1001h", "?1002h", "?1003h", "?1004h", "?1005h",
    "?1006h", "?1007h", "?1010h", "?1015h", "?1016h", "?1034h", "?1035h", "?1036h", "?1039h", "?1042h", "?1043h",
    "?1050h", "?1060h", "?1061h", "?2004h", "?2026h", "?2027h", "?2031h", "?2048h", "?9001h", "2h", "12h", "20h",
    " q", "2 q", "5 q", "!p", '1"p', '62;1"p', '1"q', "1;2;3;4$r", "1;2;3;4$t", "1;1;1;1;1;1;1;1$v", "65;1;1;1;1$x",
    "1;1;1;1$z", "1;1;1;1${", "2*x", "1'z", "1'{", "1'w", "'|", "1'}", "1'~", "1#p", "#q", "#{", "#}", "#|", "#P",
    "#Q", "#R", ">4;2m", ">4m", "?4m", ">1n", ">1p", "<0;1;1M", "<0;1;1m", "1;2s", "0g", "3g", "1v", "1w", "1z", "1|",
    "1;2;3H", "1;2;3r", "1;1A", "200~", "201~", "15~", "1~", "W", "?5W", "1y", "2;1y", "V", "U", "Q", "N", "O",
    "R", "1;1R", "Y", "\\", "]", "^", "_", "j", "k", "o", "p", "{", "}",
]  # fmt: skip
ESCAPES = ["Z", "=", ">", "H", "N", "O", "V", "W", "F", "l", "m", "n", "o", "|", "}", "~", "#8", "#3", "#6", "%G", "%@",
           " F", " G", "*0", "+0", "-A", ".A", "/A", "(A", "(K", "6", "9", "a", "b", "\\", "k" ]  # fmt: skip

STRING_VECTORS = [
    start + body + end
    for start, end in (("\x1b]", "\x07"), ("\x1b]", "\x1b\\"))
    for body in STRINGS
] + [f"\x1b{start}{body}\x1b\\" for start in "P_^X" for body in DEVICE]  # fmt: skip
SILENT = [*STRING_VECTORS, *(f"\x1b[{query}" for query in QUERIES), *(f"\x1b{escape}" for escape in ESCAPES)]
SILENT += list("\x00\x01\x02\x03\x04\x05\x06\x07\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1c\x1d\x1e\x1f\x7f")


def test_there_are_three_hundred_of_them():
    assert len(set(SILENT)) >= 300


@pytest.mark.parametrize("sequence", SILENT)
def test_what_commands_a_terminal_vanishes_whole(sequence):
    assert shown(b"a" + sequence.encode() + b"b") == "ab"


@pytest.mark.parametrize("code", range(0x80, 0xA0))
def test_a_c1_control_is_shown_as_broken_in_either_encoding(code):
    assert shown(b"a" + chr(code).encode() + b"2Jb") == "a\ufffd2Jb"
    assert shown(b"a" + bytes((code,)) + b"2Jb") == "a\ufffd2Jb"


@pytest.mark.parametrize("char", "\u202e\u202d\u2066\u2069\u200f\u061c\U000e0041")
def test_what_turns_or_hides_text_is_shown_as_broken(char):
    assert shown(f"a{char}b".encode()) == "a\ufffdb"


def test_a_string_that_does_not_end_hides_a_bounded_part():
    assert shown(b"\x1b]0;" + b"x" * (MAX_STRING_CHARS + 10)).endswith("x" * 9)


def test_a_string_that_another_sequence_breaks_off_hides_nothing_of_it():
    assert shown(b"\x1b]0;title\x1b[31mred") == "\x1b[31mred"


def test_a_sequence_without_end_is_given_up():
    assert shown(b"\x1b[" + b"1;" * 200 + b"mtext").endswith("text")


def test_half_a_character_at_the_end_is_broken_and_half_a_sequence_nothing():
    assert shown(b"a\xe2\x82") == "a\ufffd"
    assert shown(b"a\x1b[3") == "a"


HOSTILE = st.lists(
    st.one_of(
        st.sampled_from([one.encode() for one in SILENT] + [data for data, _ in HONEST]),
        st.binary(max_size=8),
        st.sampled_from([b"\x1b", b"[", b"]", b"\x9b", b"\xc2\x9b", b"?", b";", b"1", b"h", b"J", b"\x07", b"\x18"]),
    ),
    max_size=12,
).map(b"".join)


@given(HOSTILE)
@example(b"\x1b[3\x1b[3J")
def test_nothing_comes_out_but_what_is_allowed(data):
    assert ALLOWED.fullmatch(shown(data))


@given(HOSTILE, st.integers(1, 7))
def test_cuts_change_nothing(data, size):
    one = TerminalFilter()

    parts = [one.feed(data[i : i + size]) for i in range(0, len(data), size)]
    assert "".join(parts) + one.end() == shown(data)


@given(HOSTILE)
def test_what_was_filtered_once_is_not_changed_again(data):
    once = shown(data)
    assert shown(once.encode()) == once
