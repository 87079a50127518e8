"""Text in recordings."""

from recordings.replay.search import Hit, among, hits
from recordings.replay.transcript import Line, Origin
from tests.recordings.replay.conversation import HEAD, SHELL


def test_what_was_wiped_is_found_with_its_time():
    assert list(hits(HEAD, SHELL, "secret")) == [Hit(Line(4_100_000, Origin.DRAWN, "secret"), ((0, 6),))]


def test_what_was_typed_unseen_is_found():
    assert [hit.line.origin for hit in hits(HEAD, SHELL, "HUNTER2")] == [Origin.TYPED]


def test_every_place_in_a_line_is_told_and_letters_case_does_not_matter():
    line = Line(0, Origin.DRAWN, "aXaxAx")
    assert list(among([line], "ax")) == [Hit(line, ((0, 2), (2, 4), (4, 6)))]


def test_a_place_is_not_told_where_small_letters_are_longer():
    line = Line(0, Origin.DRAWN, "\u0130 ax")
    assert list(among([line], "ax")) == [Hit(line, ())]


def test_no_text_is_found_nowhere():
    assert list(among([Line(0, Origin.DRAWN, "a")], "")) == []
