import io
import os
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from recordings.recorder.chunks import ChunkPacker
from recordings.recorder.directory import RecordingDirectory
from recordings.recorder.frames import FrameKind, frames
from recordings.recorder.frames import sealed as seal_frame
from recordings.recorder.interrupted import WHY, seal_interrupted
from recordings.recorder.moment import Kind
from recordings.recorder.reader import open_recording
from recordings.streams.outcome import Ended, Outcome
from tests.recordings.recorder.test_store import ID, head, out, path, store, typed

WRITER = "node-0"


async def recorded(tmp_path, *, close: bool) -> bytes:
    """A recording of three pieces, sealed or left open; what its file holds then."""
    made = store(tmp_path)
    recorder = await made.open(head())
    for data in (b"one", b"two", b"three"):
        recorder.take([typed(b"k"), out(data)])
        await recorder.stored()
    if close:
        await recorder.close(Outcome(Ended.EXITED, 0))
    await made.close()
    return path(tmp_path).read_bytes()


def sealed(tmp_path):
    return list(seal_interrupted(tmp_path / "recordings", WRITER))


async def test_what_was_left_open_is_sealed_once_with_all_that_is_whole(tmp_path):
    before = await recorded(tmp_path, close=False)
    ((found_head, found),) = sealed(tmp_path)
    data = path(tmp_path).read_bytes()
    assert data.startswith(before)
    assert (found_head, found.sha256, found.size) == (head(), sha256(data).hexdigest(), len(data))
    assert (found.chunks, found.received, found.sent) == (3, 3, 11)
    assert (found.id, found.outcome, found.interrupted) == (ID, Outcome(Ended.UNKNOWN), True)
    with open_recording(path(tmp_path)) as reader:
        assert reader.verify() == []
        assert reader.footer is not None
        assert (reader.footer.ended, reader.footer.exit_code, reader.footer.why) == ("unknown", None, WHY)
    assert sealed(tmp_path) == []


async def test_what_was_closed_in_order_is_left_alone(tmp_path):
    before = await recorded(tmp_path, close=True)
    assert sealed(tmp_path) == []
    assert path(tmp_path).read_bytes() == before


async def test_another_writers_are_left_alone(tmp_path):
    await recorded(tmp_path, close=False)
    assert list(seal_interrupted(tmp_path / "recordings", "node-1")) == []
    assert len(sealed(tmp_path)) == 1


async def test_whatever_a_crash_left_of_the_file_becomes_a_whole_recording(tmp_path):
    whole = await recorded(tmp_path, close=False)
    mark = tmp_path / "recordings" / "open" / WRITER / ID
    for size in range(0, len(whole), 5):
        file = path(tmp_path) or tmp_path
        file.write_bytes(whole[:size])
        mark.touch()
        found = sealed(tmp_path)
        if not found:
            assert RecordingDirectory(tmp_path / "recordings").path_of(ID) is None
            file.write_bytes(whole)
            continue
        with open_recording(file) as reader:
            assert reader.verify() == []
            data = [moment.data for moment in reader.moments() if moment.kind is Kind.STDOUT]
            assert data == [b"one", b"two", b"three"][: len(data)]


async def test_a_crash_right_behind_the_footer_leaves_the_outcome_that_it_holds(tmp_path):
    await recorded(tmp_path, close=True)
    (tmp_path / "recordings" / "open" / WRITER / ID).touch()
    ((_, found),) = sealed(tmp_path)
    with open_recording(path(tmp_path)) as reader:
        assert (found.outcome.ended, found.outcome.exit_code) == (reader.footer.ended, reader.footer.exit_code)
    assert (found.outcome.ended, found.interrupted) == (Ended.EXITED, True)


async def test_a_recording_that_was_taken_away_leaves_only_its_mark_to_go(tmp_path):
    await recorded(tmp_path, close=False)
    path(tmp_path).unlink()
    assert sealed(tmp_path) == []
    assert not (tmp_path / "recordings" / "open" / WRITER / ID).exists()


CHILD = """
import asyncio, sys, time
from pathlib import Path
from tests.recordings.recorder.test_store import head, out, store

async def main():
    made = store(Path(sys.argv[1]))
    recorder = await made.open(head())
    number = 0
    while True:
        recorder.take([out(b"%d," % number)])
        await recorder.stored()
        number += 1
        print(number, flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("after", [1, 3, 10, 40])
def test_a_process_that_is_killed_leaves_every_byte_that_was_stored(tmp_path, after):
    root = Path(__file__).parents[3]
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, cwd=root, text=True
    )
    assert process.stdout is not None
    for _ in range(after):
        acknowledged = int(process.stdout.readline())
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert len(sealed(tmp_path)) == 1
    with open_recording(path(tmp_path)) as reader:
        numbers = b"".join(moment.data for moment in reader.moments()).split(b",")[:-1]
        assert reader.verify() == []
    assert list(map(int, numbers)) == list(range(len(numbers)))
    assert len(numbers) >= acknowledged


async def test_rows_of_a_copy_are_in_what_was_sealed(tmp_path):
    import io
    import tarfile

    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        info = tarfile.TarInfo("notes.txt")
        info.size = 5
        archive.addfile(info, io.BytesIO(b"hello"))
    made = store(tmp_path)
    recorder = await made.open(head(command=("tar", "cf", "-", "notes.txt")))
    archive_bytes = data.getvalue()
    for at in range(0, len(archive_bytes), 100):
        recorder.take([out(archive_bytes[at : at + 100])])
    done = await recorder.close(Outcome(Ended.EXITED, 0))
    await made.close()
    (row,) = done.rows
    assert (row.direction, row.path, row.size, row.sha256) == (
        "from-pod",
        "notes.txt",
        5,
        sha256(b"hello").hexdigest(),
    )
    assert (done.files, done.doubt) == (1, "")


async def test_a_chunk_that_cannot_be_read_is_cut_and_not_counted(tmp_path):
    whole = await recorded(tmp_path, close=False)
    with open_recording(path(tmp_path)) as reader:
        last = [*frames(io.BytesIO(whole))][-1]
        moments_before = [*reader.moments()]
    frame, _ = seal_frame(last.digest, FrameKind.CHUNK, ChunkPacker().packed(1, 2, b"\x00\x00\x01k\x00\x63no moment"))
    path(tmp_path).write_bytes(whole + frame)
    ((_, found),) = sealed(tmp_path)
    assert (found.chunks, found.received, found.sent) == (3, 3, 11)
    with open_recording(path(tmp_path)) as reader:
        assert reader.verify() == []
        assert [*reader.moments()] == moments_before
