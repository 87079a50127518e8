"""`kwit play`: at a terminal of its own, and without one."""

import os
import pty
import sys
import termios
from pathlib import Path

import pytest

from proxy.cli import play
from proxy.cli.commands import run
from recordings.recorder.directory import RecordingDirectory
from tests.recordings.replay.conversation import HEAD, said
from tests.recordings.replay.library import Library

MOMENTS = (said(0.01, b"$ secret\rxxxxxxxx"), said(0.02, b"\x1b[31mred\x1b]0;title\x07"))


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    library = Library(tmp_path / "recordings")
    await library.add(HEAD, MOMENTS)
    await library.close()
    found = RecordingDirectory(library.root).path_of(HEAD.id)
    assert found is not None
    return found


async def test_without_a_terminal_it_prints_text(path, capsys):
    assert run(["play", str(path)]) == 0
    assert capsys.readouterr().out == "$ secret\nxxxxxxxxred\n"
    assert run(["play", HEAD.id, "--dir", str(path.parents[3])]) == 0
    assert capsys.readouterr().out == "$ secret\nxxxxxxxxred\n"


async def test_at_a_terminal_it_plays_and_leaves_the_terminal_as_it_was(path, monkeypatch, capsys):
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    with os.fdopen(theirs, "r") as keys:
        monkeypatch.setattr(sys, "stdin", keys)
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        os.write(ours, b"0++")
        assert run(["play", str(path), "--no-color", "--idle-limit", "0.01", "--from", "0:00"]) == 0
        assert termios.tcgetattr(theirs) == before
    os.close(ours)
    shown = capsys.readouterr().out
    assert "$ secret\rxxxxxxxx" in shown
    assert "title" not in shown
    assert "\x1b[31m" not in shown


async def test_a_recording_that_shows_nothing_says_so(tmp_path, monkeypatch, capsys):
    library = Library(tmp_path)
    await library.add(HEAD, [])
    await library.close()
    for one in (sys.stdin, sys.stdout):
        monkeypatch.setattr(one, "isatty", lambda: True)
    assert run(["play", HEAD.id, "--dir", str(tmp_path)]) == 0
    assert "Nothing was shown in this recording" in capsys.readouterr().err


async def test_more_than_can_be_held_is_said_so(path, monkeypatch):
    monkeypatch.setattr(play, "MAX_PLAYED_BYTES", 3)
    with pytest.raises(Exception, match="holds more than"):
        play._held(iter(MOMENTS))


async def test_what_is_neither_file_nor_id_is_said_so(capsys):
    assert run(["play", "nonsense"]) == 2
    assert "neither a file" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "seconds"), [("5", 5.0), ("1.5", 1.5), ("12:30", 750.0), ("1:02:03", 3723.0)])
def test_a_place_is_seconds_minutes_or_hours(text, seconds):
    assert play._seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "1:2:3:4", "-1"])
def test_a_place_that_is_none_is_said_so(text):
    with pytest.raises(Exception, match="no place"):
        play._seconds(text)
