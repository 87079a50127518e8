"""Claims about the index beside a recording: what it holds, and that nothing else is taken for it."""

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from recordings.replay.commands import Command
from recordings.replay.keyframes import EVERY_MICROSECONDS, Keyframe
from recordings.replay.play_index import MAGIC, MAX_BYTES, NoIndexError, PlayIndex, index_bytes, index_of, read_index
from tests.recordings.replay.conversation import HEAD, PIPED, SHELL, said, typed

SEAL = bytes(range(32))
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_INDEXES = st.builds(
    PlayIndex,
    st.lists(st.builds(Keyframe, st.integers(0, 1 << 50), st.integers(0, 1 << 40), _TEXT, _TEXT), max_size=3).map(
        tuple
    ),
    st.lists(st.builds(Command, st.integers(0, 1 << 50), _TEXT), max_size=3).map(tuple),
)


def test_it_holds_the_commands_and_the_screen_of_each_minute():
    later = said(EVERY_MICROSECONDS / 1_000_000, b"late")
    index = index_of(HEAD, (*SHELL, later))
    assert index.commands == (Command(2_000_000, "ls"), Command(4_000_000, "cat file\\ one"))
    assert [(one.at, one.shown, one.last) for one in index.keyframes] == [(later.at, 11, "e")]


def test_without_a_terminal_lines_stand_below_each_other():
    index = index_of(PIPED, (said(0, b"a\nb\r\n"), typed(1, b"ls\n"), said(60, b"c")))
    assert index.commands == (Command(1_000_000, "ls"),)
    (one,) = index.keyframes
    assert "\x1b[1;1H\x1b[0ma\x1b[2;1Hb\x1b[3;1Hc" in one.screen


def test_an_empty_recording_has_an_empty_one():
    assert index_of(HEAD, ()) == PlayIndex()


@given(_INDEXES)
def test_what_was_written_comes_back(index):
    assert read_index(index_bytes(index, SEAL), SEAL) == index


def test_the_index_of_another_recording_is_not_taken():
    with pytest.raises(NoIndexError, match="another recording"):
        read_index(index_bytes(PlayIndex(), SEAL), bytes(32))


def packed(data: bytes) -> bytes:
    return MAGIC + zstandard.ZstdCompressor().compress(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        MAGIC,
        MAGIC + b"x" * 20,
        packed(b"{}"),
        packed(b"[]"),
        packed(b"null"),
        packed(b'{"seal":"%s","keyframes":[[1]],"commands":[]}' % SEAL.hex().encode()),
        packed(b'{"seal":"%s","keyframes":{},"commands":[]}' % SEAL.hex().encode()),
        packed(b'{"seal":"%s","keyframes":[],"commands":[["a","b"]]}' % SEAL.hex().encode()),
        packed(bytes(MAX_BYTES + 1)),
    ],
)
def test_what_is_no_index_is_not_taken(data):
    with pytest.raises(NoIndexError, match="no index"):
        read_index(data, SEAL)
