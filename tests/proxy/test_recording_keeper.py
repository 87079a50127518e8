"""Claims about the keeper of recordings: what has ended gets its index, once, in a process of its own."""

import asyncio

from proxy import recording_keeper
from proxy.recording_keeper import RecordingKeeper
from recordings.recorder.directory import RecordingDirectory
from recordings.replay.play_index import SUFFIX
from tests.proxy.streams.conversations import until
from tests.recordings.replay.conversation import HEAD
from tests.recordings.replay.library import Library
from tests.recordings.replay.test_index_files import LIVE, NOISE


async def test_what_has_ended_is_indexed_once_and_what_has_not_is_asked_again_when_it_grew(tmp_path):
    library = Library(tmp_path)
    await library.add(HEAD, [NOISE])
    recorder = await library.begin(LIVE, [NOISE])
    keeper = RecordingKeeper(tmp_path, say=lambda _: None)
    assert await keeper.round() == 1
    assert [path.stem for path in tmp_path.rglob(f"*{SUFFIX}")] == [HEAD.id]
    assert keeper._missing() == []
    await library.go_on(recorder, [NOISE])
    await library.close()
    assert len(keeper._missing()) == 1
    assert await keeper.round() == 0


async def test_it_works_until_it_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(recording_keeper.RecordingKeeper, "seconds", 0.0)
    library = Library(tmp_path)
    await library.add(HEAD, [NOISE])
    await library.close()
    said: list[str] = []
    keeper = RecordingKeeper(tmp_path, say=said.append)
    keeper.start()
    await until(lambda: list(tmp_path.rglob(f"*{SUFFIX}")))
    await keeper.stop()
    assert said == []
    assert RecordingDirectory(tmp_path).path_of(HEAD.id) is not None


async def test_what_fails_is_said_and_ends_nothing(tmp_path, monkeypatch):
    said: list[str] = []

    async def fails(self):
        raise OSError("broken")

    monkeypatch.setattr(recording_keeper.RecordingKeeper, "seconds", 0.0)
    monkeypatch.setattr(RecordingKeeper, "round", fails)
    keeper = RecordingKeeper(tmp_path, say=said.append)
    keeper.start()
    await until(lambda: len(said) > 1)
    await asyncio.gather(keeper.stop())
    assert "broken" in said[0]
