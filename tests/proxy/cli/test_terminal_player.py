"""The player, with a terminal whose keys and clock are the test's."""

import re

import pytest

from proxy.cli.terminal_player import CLEAR, HELP, READING, RESET, Look, Player, highlighted
from recordings.recorder.moment import Kind
from recordings.replay.commands import Command
from recordings.replay.keyframes import Keyframe
from recordings.replay.play_index import PlayIndex
from recordings.replay.search import Hit, hits
from recordings.replay.transcript import Line, Origin
from tests.recordings.replay.conversation import HEAD, PIPED, SHELL, other, said


class Glass:
    """Keys come at their seconds; without one, time passes until the player wants to draw."""

    def __init__(self, *keys: tuple[float, str], size: tuple[int, int] = (80, 24)) -> None:
        self.keys = list(keys)
        self.now = 0.0
        self.text = ""
        self.drawn_at: list[tuple[float, str]] = []
        self._size = size

    def write(self, text: str) -> None:
        self.text += text
        self.drawn_at.append((round(self.now, 3), text))

    def size(self) -> tuple[int, int]:
        return self._size

    def key(self, seconds: float | None) -> str:
        if self.keys and (seconds is None or self.keys[0][0] <= self.now + seconds):
            at, key = self.keys.pop(0)
            self.now = max(self.now, at)
            return key
        if seconds is None:
            return "q"
        self.now += seconds
        return ""

    def mono(self) -> float:
        return self.now


THREE = (said(1, b"one"), said(2, b"two"), said(9, b"three"))


def play(*keys: tuple[float, str], moments=THREE, look: Look = Look(), head=HEAD, **more) -> Glass:  # noqa: B008
    size = more.pop("size", (80, 24))
    glass = Glass(*keys, size=size)
    Player(head, moments, glass, look, **more).play()
    return glass


def words(glass: Glass) -> list[tuple[float, str]]:
    return [(at, text) for at, text in glass.drawn_at if text in ("one", "two", "three")]


def test_what_was_drawn_is_drawn_at_its_time():
    assert words(play()) == [(1.0, "one"), (2.0, "two"), (9.0, "three")]


def test_twice_the_speed_is_half_the_time():
    assert words(play(look=Look(speed=2.0))) == [(0.5, "one"), (1.0, "two"), (4.5, "three")]


def test_a_silence_is_as_long_as_the_limit():
    assert words(play(look=Look(idle_limit=0.5))) == [(0.5, "one"), (1.0, "two"), (1.5, "three")]


def test_playing_can_begin_anywhere():
    assert words(play(look=Look(start=8.0))) == [(0.0, "one"), (0.0, "two"), (1.0, "three")]


def test_a_pause_lasts_until_the_next_key():
    glass = play((1.5, " "), (7.5, " "))
    assert [at for at, _ in words(glass)][-1] == 15.0
    assert "0:01 / 0:09  1x  paused" in glass.text


def test_a_step_shows_the_next_thing_and_stays():
    glass = play((0.5, "."), (1.0, "."), (2.0, "q"))
    assert words(glass) == [(0.5, "one"), (1.0, "one"), (1.0, "two")]


def test_a_jump_back_draws_the_screen_again():
    glass = play((8.0, "\x1b[D"), (8.1, "q"))
    assert glass.text.count(CLEAR) == 1
    glass = play((2.5, "\x1b[D"), (2.6, "q"))
    assert glass.text.count(CLEAR) == 2


def test_a_jump_ahead_shows_all_that_lies_between():
    assert words(play((0.5, "\x1b[C"), (0.6, "q"))) == [(0.5, "one"), (0.5, "two")]


def test_the_next_command_is_a_key_away():
    index = PlayIndex(commands=(Command(1_000_000, "ls"), Command(2_000_000, "id")))
    glass = play((1.5, "c"), (1.6, "q"), index=lambda: index)
    assert words(glass)[-1] == (1.5, "two")
    assert words(play((2.5, "C"), (2.6, "q"), index=lambda: index))[-1] == (2.5, "one")
    for key in "cC":
        assert "no command there that could be told" in play((0.5, key), (0.6, "q")).text


def test_the_recording_is_read_for_commands_once_and_that_is_told():
    asked: list[int] = []
    glass = play(*((0.1 * n, key) for n, key in enumerate("ccCq")), index=lambda: asked.append(1) or PlayIndex())
    assert (asked, glass.text.count(READING)) == ([1], 1)
    assert READING not in play((0.1, "c"), (0.2, "q"), is_ready=True).text


LONG = tuple(said(n, b"%03d " % n + b"x" * 60_000 + b"\x1b[H\x1b[2J") for n in range(100))


def keyframe(shown: int, screen: str) -> Keyframe:
    return Keyframe(LONG[shown - 1].at, shown, "", screen)


def test_a_long_jump_begins_at_the_keyframe_before():
    index = PlayIndex((keyframe(40, "FORTY"), keyframe(90, "NINETY\x1b]0;evil\x07")))
    glass = play((0.5, "G"), (1.0, "5"), (2.0, "q"), moments=LONG, index=lambda: index, is_ready=True)
    assert [text for _, text in glass.drawn_at if text.isupper()] == ["NINETY", "FORTY"]
    drawn = [text[:3] for _, text in glass.drawn_at if text[:3].isdigit()]
    assert drawn == ["000"] + [f"{n:03}" for n in (*range(90, 100), *range(40, 50))]


def test_a_window_smaller_than_the_recorded_one_is_drawn_from_the_beginning():
    index = PlayIndex((keyframe(90, "NINETY"),))
    glass = play((0.5, "G"), (1.0, "q"), moments=LONG, index=lambda: index, is_ready=True, size=(79, 24))
    assert "NINETY" not in glass.text
    assert len(glass.text) > 5_000_000


def test_a_long_jump_back_makes_the_keyframes_that_are_missing():
    index = PlayIndex((keyframe(40, "FORTY"), keyframe(80, "EIGHTY")))
    glass = play((0.5, "9"), (1.0, "8"), (1.1, "q"), moments=LONG, index=lambda: index)
    assert glass.text.index("089 ") < glass.text.index(READING) < glass.text.index("EIGHTY")


def test_a_short_jump_needs_no_keyframes():
    def index() -> PlayIndex:
        raise AssertionError

    assert play((2.5, "\x1b[D"), (2.6, "q"), index=index).text.count(CLEAR) == 2


def test_a_step_draws_where_the_shell_was_and_not_behind_the_last_line():
    glass = play((1.5, " "), (2.0, "."), (3.0, "q"))
    after = glass.text[glass.text.index("paused") :]
    assert after.index(CLEAR) < after.index("one") < after.index("two")


def test_who_jumps_to_the_end_can_look_at_it():
    for key in ("G", "\x1b[A"):
        glass = play((0.5, key), (5.0, "q"))
        assert glass.now == 5.0
        assert "the end" in glass.text


def test_any_tenth_is_a_key_away():
    assert "0:04 / 0:09" in play((0.5, " "), (0.6, "5"), (0.7, "q")).text
    assert "0:00 / 0:09" in play((2.5, " "), (2.6, "0"), (2.7, "q")).text


def test_speed_is_changed_by_keys():
    assert words(play((0.0, "+")))[0] == (0.5, "one")
    assert words(play((0.0, "-")))[0] == (2.0, "one")


def test_a_search_jumps_to_what_was_drawn_and_marks_it():
    glass = play(
        *[(0.0, key) for key in "/secxx\x7f\x7f\r"],
        (1.0, "n"),
        (2.0, "q"),
        moments=SHELL,
        search=lambda text: list(hits(HEAD, SHELL, text)),
    )
    assert "hit 1 of 1: \x1b[1;4msec\x1b[22;24mret" in glass.text
    assert "0:04 / 0:10" in glass.text


def test_a_search_for_nothing_that_is_there_says_so():
    glass = play(*[(0.0, key) for key in "/zz\r"], (1.0, "q"))
    assert "nothing drawn or typed holds 'zz'" in glass.text
    assert "nothing" not in play(*[(0.0, key) for key in "/zz\x1b"], (1.0, "q")).text


def test_the_keys_are_told():
    for columns in (200, 80, 30):
        text = play((0.5, "?"), (0.6, "q"), size=(columns, 24)).text
        assert [key for key in HELP if key not in text] == []


def test_the_terminal_is_left_as_it_was_whatever_happens():
    assert play((0.5, "q")).text.endswith(RESET + "\x1b[999;1H\r\n")

    class Broken(Glass):
        def key(self, seconds):
            raise KeyboardInterrupt

    glass = Broken()
    with pytest.raises(KeyboardInterrupt):
        Player(HEAD, THREE, glass, Look()).play()
    assert RESET in glass.text


def test_nothing_recorded_commands_the_viewers_terminal():
    glass = play(moments=[said(1, b"\x1b]52;c;ZXZpbA==\x07\x1b[6n\x1b[cx\x9b5n")])
    assert "52;c" not in glass.text
    assert not re.search(r"\x1b\[[0-9]*[nc]", glass.text)


def test_colours_are_left_out_where_they_are_not_wanted():
    moments = [said(1, b"\x1b[31mred\x1b[m\x1b[2K")]
    assert "\x1b[31mred" in play(moments=moments).text
    assert "red\x1b[2K" in play(moments=moments, look=Look(color=False)).text


def test_a_window_that_is_too_small_is_told():
    moments = [other(0, Kind.RESIZE, b"200x50"), *THREE]
    assert "recorded on 200x50, yours is smaller" in play((1.5, " "), (1.6, "q"), moments=moments).text
    narrow = play((1.5, " "), (1.6, "q"), moments=moments, size=(8, 3)).text
    assert "\x1b[2;1H\x1b[m\x1b[7m0:01 / \x1b[K\x1b[m\x1b[3;1H\x1b[m\x1b[7m0:09\x1b[K" in narrow


def test_without_a_terminal_lines_have_no_stairs():
    assert "a\r\nb" in play(moments=[said(1, b"a\nb")], head=PIPED).text


def test_every_place_of_a_hit_is_marked():
    assert highlighted(Hit(Line(0, Origin.DRAWN, "abab"), ((0, 1), (2, 3))), "<", ">") == "<a>b<a>b"


def test_an_empty_recording_is_over_at_once():
    assert play(moments=[]).now == 0.0
