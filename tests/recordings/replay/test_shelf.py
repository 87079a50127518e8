"""Recordings in a folder: found, listed, followed."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from recordings.recorder.directory import RecordingDirectory
from recordings.recorder.reader import open_recording
from recordings.replay.shelf import Follower, Wanted, summaries
from tests.recordings.replay.conversation import HEAD, SHELL, said
from tests.recordings.replay.library import DONE, Library

OTHER = replace(
    HEAD, id="b" * 26, username="bob", namespace="bank", pod="db-1", cluster="prod", started=HEAD.started + 9
)


@pytest.fixture
async def library(tmp_path: Path) -> AsyncIterator[Library]:
    one = Library(tmp_path)
    yield one
    await one.close()


def found(library: Library, **wanted) -> list[str]:
    return sorted(one.head.username for one in summaries(RecordingDirectory(library.root), Wanted(**wanted)))


async def test_a_recording_is_read_back_as_it_happened(library):
    await library.add(HEAD, SHELL)
    path = RecordingDirectory(library.root).path_of(HEAD.id)
    assert path is not None
    with open_recording(path) as reader:
        assert tuple(reader.moments()) == SHELL


async def test_each_filter_narrows(library):
    await library.add(HEAD, SHELL)
    await library.add(OTHER, [said(1, b"nothing")])
    assert found(library) == ["ada@example.com", "bob"]
    assert found(library, user="bob") == ["bob"]
    assert found(library, cluster="prod") == ["bob"]
    assert found(library, namespace="shop") == ["ada@example.com"]
    assert found(library, pod="db-1") == found(library, pod="db") == ["bob"]
    assert found(library, pod="d") == []
    assert found(library, since=HEAD.started + 5) == ["bob"]
    assert found(library, until=OTHER.started) == ["ada@example.com"]
    assert found(library, text="SECRET") == ["ada@example.com"]
    assert found(library, text="neither") == []


async def test_a_summary_says_how_it_ended_and_what_is_wrong(library):
    await library.add(HEAD, SHELL)
    (one,) = summaries(RecordingDirectory(library.root), Wanted())
    assert one.head == HEAD
    assert one.footer is not None
    assert (one.footer.ended, one.footer.exit_code, one.damage) == ("exited", 3, "")
    assert one.fields()["end"]["exit_code"] == 3
    assert one.size > 0


async def test_what_is_no_recording_is_left_out(library):
    await library.add(HEAD, SHELL)
    path = RecordingDirectory(library.root).path_of(HEAD.id)
    assert path is not None
    path.with_name("c" * 26 + ".kwr").write_bytes(b"nonsense")
    assert found(library) == ["ada@example.com"]


async def test_a_recording_is_followed_until_it_ends(library):
    recorder = await library.begin(HEAD, [said(1, b"a"), said(1, b"b")])
    path = RecordingDirectory(library.root).path_of(HEAD.id)
    assert path is not None
    follower = Follower(path)
    assert [moment.data for moment in follower.more()] == [b"a", b"b"]
    assert list(follower.more()) == []
    await library.go_on(recorder, [said(1, b"c"), said(2, b"d")])
    assert [moment.data for moment in follower.more()] == [b"c", b"d"]
    assert follower.footer is None
    await recorder.close(DONE, "")
    assert list(follower.more()) == []
    assert follower.footer is not None
