"""Claims about indexes beside recordings: whose they are, which are missing, which can be made."""

import random
from dataclasses import replace

import pytest

from recordings.recorder.directory import RecordingDirectory
from recordings.recorder.reader import open_recording
from recordings.replay import index_files
from recordings.replay.index_files import index_beside, make_index, without_index
from recordings.replay.play_index import SUFFIX, index_of
from tests.recordings.replay.conversation import HEAD, SHELL, said
from tests.recordings.replay.library import Library

NOISE = said(60, random.Random(1).randbytes(index_files.MIN_RECORDING_BYTES))
LIVE = replace(HEAD, id="l" * 26)


@pytest.fixture
async def root(tmp_path):
    """A long recording, a short one, and a long one that goes on."""
    library = Library(tmp_path)
    await library.add(HEAD, (*SHELL, NOISE))
    await library.add(replace(HEAD, id="s" * 26), SHELL)
    await library.begin(LIVE, (*SHELL, NOISE))
    await library.close()
    return tmp_path


def path(root, name=HEAD.id):
    found = RecordingDirectory(root).path_of(name)
    assert found is not None
    return found


async def test_long_recordings_want_one_until_they_have_it(root):
    assert {one.stem for one in without_index(root)} == {HEAD.id, LIVE.id}
    assert make_index(path(root))
    assert [one.stem for one in without_index(root)] == [LIVE.id]
    assert path(root).with_suffix(SUFFIX).stat().st_mode & 0o777 == 0o600
    assert not make_index(path(root))
    assert not make_index(path(root, LIVE.id))


async def test_it_is_that_of_its_recording_and_of_no_other(root):
    make_index(path(root))
    with open_recording(path(root)) as reader:
        assert index_beside(path(root), reader.seal) == index_of(reader.head, reader.moments())
    with open_recording(path(root, LIVE.id)) as reader:
        path(root).with_suffix(SUFFIX).rename(path(root, LIVE.id).with_suffix(SUFFIX))
        assert index_beside(path(root, LIVE.id), reader.seal) is None
        assert index_beside(path(root), reader.seal) is None


async def test_a_link_and_what_is_too_large_are_not_read(root, monkeypatch):
    make_index(path(root))
    with open_recording(path(root)) as reader:
        seal = reader.seal
    monkeypatch.setattr(index_files, "MAX_FILE_BYTES", 10)
    assert index_beside(path(root), seal) is None
    monkeypatch.undo()
    path(root).with_suffix(SUFFIX).rename(root / "elsewhere")
    path(root).with_suffix(SUFFIX).symlink_to(root / "elsewhere")
    assert index_beside(path(root), seal) is None


async def test_a_flood_and_a_damaged_recording_have_none(root, monkeypatch):
    monkeypatch.setattr(index_files, "MAX_RECORDING_BYTES", index_files.MIN_RECORDING_BYTES)
    assert list(without_index(root)) == []
    path(root).write_bytes(b"no recording")
    assert not make_index(path(root))
