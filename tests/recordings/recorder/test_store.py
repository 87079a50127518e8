"""Claims about recordings as they are made; what is read back is `reader`'s, which is used here."""

import asyncio
import os
import threading
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recordings.audit.disk import RealDisk
from recordings.recorder.directory import RecordingDirectory
from recordings.recorder.head import RecordingHead
from recordings.recorder.moment import Kind, Moment
from recordings.recorder.reader import open_recording
from recordings.recorder.recorder import RecordingFailedError, RecordingLimitError
from recordings.recorder.store import RecordingStore
from recordings.streams.events import Closing, Ending, Role, Side, StrayData, StreamData, StreamEnded, StreamOpened
from recordings.streams.fault import StreamFaultError
from recordings.streams.outcome import Ended, Outcome

ID = "a" * 26
DONE = Outcome(Ended.EXITED, 0)
START = 1_700_000_000.0


def head(**rest) -> RecordingHead:
    given_ = {
        "id": ID,
        "started": START,
        "cluster": "prod",
        "namespace": "shop",
        "pod": "web",
        "subresource": "exec",
        "audit_id": "audit",
        "issuer": "https://idp",
        "subject": "1",
        "username": "ann",
        "login": "login",
        "source": "10.0.0.1",
        "protocol": "v5.channel.k8s.io",
        "command": ("sh", "-c", "x"),
    }
    return RecordingHead(**{**given_, **rest})


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def store(tmp_path, clock=None, **rest) -> RecordingStore:
    given_ = {"loop": asyncio.get_running_loop(), "mono": clock or Clock(), "max_bytes": 1 << 30, "writer": "node-0"}
    return RecordingStore(tmp_path / "recordings", **{**given_, **rest})


def out(data: bytes) -> StreamData:
    return StreamData(Side.SERVER, 1, Role.STDOUT, data)


def typed(data: bytes) -> StreamData:
    return StreamData(Side.CLIENT, 0, Role.STDIN, data)


def path(tmp_path):
    found = RecordingDirectory(tmp_path / "recordings").path_of(ID)
    assert found is not None
    return found


async def test_what_was_taken_is_what_is_read_back_with_its_times(tmp_path):
    clock = Clock()
    made = store(tmp_path, clock)
    recorder = await made.open(head())
    recorder.take([StreamOpened(0, Role.STDIN), typed(b"ls\r")])
    clock.now += 0.25
    recorder.take([out(b"a\r\n"), StreamData(Side.SERVER, 2, Role.STDERR, b"oh")])
    clock.now += 1.0
    recorder.take([StreamData(Side.CLIENT, 4, Role.RESIZE, b'{"Width":80,"Height":24}\n')])
    recorder.take([StreamEnded(Side.CLIENT, 0, Role.STDIN, Ending.FINISHED)])
    recorder.take([StreamData(Side.SERVER, 3, Role.ERROR, b"{}"), Closing(Side.SERVER, 1000)])
    recorder.take([StrayData(Side.CLIENT, 0, b"late"), StreamEnded(Side.SERVER, 1, Role.STDOUT, Ending.RESET, 5)])
    sealed = await recorder.close(DONE, "why")
    await made.close()
    whole = path(tmp_path).read_bytes()
    assert path(tmp_path) == tmp_path / "recordings" / "2023" / "11" / "14" / f"{ID}.kwr"
    assert (sealed.sha256, sealed.size) == (sha256(whole).hexdigest(), len(whole))
    assert (sealed.received, sealed.sent, sealed.duration, sealed.chunks) == (7, 7, 1.25, 1)
    with open_recording(path(tmp_path)) as reader:
        assert reader.head == head()
        assert list(reader.moments()) == [
            Moment(0, Kind.STDIN, b"ls\r"),
            Moment(250_000, Kind.STDOUT, b"a\r\n"),
            Moment(250_000, Kind.STDERR, b"oh"),
            Moment(1_250_000, Kind.RESIZE, b"80x24"),
            Moment(1_250_000, Kind.ENDED, b"stdin"),
            Moment(1_250_000, Kind.ERROR, b"{}"),
            Moment(1_250_000, Kind.ENDED, b"server 1000"),
            Moment(1_250_000, Kind.STRAY, b"late"),
            Moment(1_250_000, Kind.ENDED, b"stdout reset"),
        ]
        assert reader.footer is not None
        assert (reader.footer.ended, reader.footer.exit_code, reader.footer.why) == ("exited", 0, "why")
        assert (reader.duration, reader.verify()) == (1_250_000, [])


async def test_files_and_folders_are_private_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        made = store(tmp_path)
        await (await made.open(head())).close(DONE)
        await made.close()
    finally:
        os.umask(before)
    assert path(tmp_path).stat().st_mode & 0o777 == 0o600
    assert {folder.stat().st_mode & 0o777 for folder in list(path(tmp_path).parents)[:4]} == {0o700}


async def test_what_is_stored_is_in_the_file_though_the_recording_goes_on(tmp_path):
    made = store(tmp_path)
    recorder = await made.open(head())
    recorder.take([out(b"one")])
    await recorder.stored()
    recorder.take([out(b"two")])
    with open_recording(path(tmp_path)) as reader:
        assert [moment.data for moment in reader.moments()] == [b"one"]
        assert reader.footer is None
        assert reader.verify() == ["it has no footer: it is still being made, or was interrupted"]
    await recorder.close(DONE)
    await made.close()


async def test_what_is_quiet_is_written_within_a_second(tmp_path):
    class Loop:
        def __init__(self, real):
            self.real, self.later = real, []

        def call_later(self, seconds, callback):
            self.later.append((seconds, callback))
            return asyncio.TimerHandle(0, callback, (), self.real)

        def __getattr__(self, name):
            return getattr(self.real, name)

    loop = Loop(asyncio.get_running_loop())
    made = store(tmp_path, loop=loop)
    recorder = await made.open(head())
    recorder.take([out(b"one")])
    recorder.take([out(b"two")])
    ((seconds, callback),) = loop.later
    assert seconds == 1.0
    callback()
    drained = asyncio.Event()
    recorder.when_drained(drained.set)
    await drained.wait()
    assert recorder.backlog == 0
    with open_recording(path(tmp_path)) as reader:
        assert [moment.data for moment in reader.moments()] == [b"one", b"two"]
    await recorder.close(DONE)
    await made.close()


async def test_a_stream_that_carried_too_much_is_told(tmp_path):
    made = store(tmp_path, max_bytes=10)
    recorder = await made.open(head())
    recorder.take([out(b"x" * 6), typed(b"y" * 4)])
    with pytest.raises(RecordingLimitError, match="10 bytes"):
        recorder.take([typed(b"z")])
    await recorder.close(DONE)
    await made.close()


async def test_a_terminal_size_that_is_none_is_a_fault_of_the_stream(tmp_path):
    made = store(tmp_path)
    recorder = await made.open(head())
    with pytest.raises(StreamFaultError):
        recorder.take([StreamData(Side.CLIENT, 4, Role.RESIZE, b"no size")])
    await recorder.close(DONE)
    await made.close()


async def test_an_id_that_is_none_is_refused_and_one_is_never_used_twice(tmp_path):
    made = store(tmp_path)
    with pytest.raises(RecordingFailedError):
        await made.open(head(id="../../etc/passwd"))
    await (await made.open(head())).close(DONE)
    with pytest.raises(RecordingFailedError, match="File exists"):
        await made.open(head())
    await made.close()


@pytest.mark.parametrize("allowed", range(6))
async def test_a_disk_that_fails_fails_the_recording_and_says_so_at_once(tmp_path, allowed):
    class Disk(RealDisk):
        writes = 0

        def write(self, fd: int, data: bytes) -> int:
            self.writes += 1
            if self.writes > allowed:
                raise OSError(28, "No space left on device")
            return super().write(fd, data)

    made = store(tmp_path, disk=Disk())
    told: list[str] = []

    async def stream() -> None:
        recorder = await made.open(head())
        recorder.on_failure(lambda error: told.append(str(error)))
        for number in range(3):
            recorder.take([out(b"%d" % number)])
            await recorder.stored()
        await recorder.close(DONE)

    with pytest.raises(RecordingFailedError, match="No space left on device"):
        await stream()
    await asyncio.sleep(0)
    if allowed >= 2:  # the file and its head were written
        assert [text.split(" (")[0] for text in told] == (["No space left on device"])
        with open_recording(path(tmp_path)) as reader:
            assert [moment.data for moment in reader.moments()] == [b"0", b"1", b"2"][: allowed - 2]
    await made.close()


async def test_a_mistake_of_ours_fails_that_recording_and_no_other(tmp_path):
    class Packer:
        def packed(self, *chunk: object) -> bytes:
            raise MemoryError("none left")

    made = store(tmp_path)
    one, other = await made.open(head()), await made.open(head(id="b" * 26))
    packer, made._packer = made._packer, Packer()
    one.take([out(b"x")])
    with pytest.raises(RecordingFailedError, match="a mistake of ours"):
        await asyncio.wait_for(one.stored(), 5)
    made._packer = packer
    other.take([out(b"y")])
    await asyncio.wait_for(other.stored(), 5)
    with pytest.raises(RecordingFailedError, match="a mistake of ours"):
        await one.close(DONE)
    await other.close(DONE)
    await made.close()


async def test_a_mistake_while_a_recording_begins_is_told_to_who_asked_for_it(tmp_path):
    class Disk(RealDisk):
        def open(self, path):
            raise RuntimeError("no disk")

    made = store(tmp_path, disk=Disk())
    with pytest.raises(RecordingFailedError, match="RuntimeError: no disk"):
        await asyncio.wait_for(made.open(head()), 5)
    await made.close()


async def test_syncs_that_are_asked_for_at_once_are_done_together_and_each_behind_its_own_chunk(tmp_path):
    """One of them fails, which is nothing to the others. A barrier lets none end before all have begun."""
    ids = [letter * 26 for letter in "abcd"]

    class Disk(RealDisk):
        opening = True
        held = threading.Event()
        together = threading.Barrier(len(ids), timeout=10)

        def __init__(self):
            self.sizes: dict[int, int] = {}

        def write(self, fd: int, data: bytes) -> int:
            if not self.opening:
                self.held.wait(10)
            return super().write(fd, data)

        def sync(self, fd: int) -> None:
            if self.opening:
                super().sync(fd)
                return
            self.together.wait()
            self.sizes[fd] = os.fstat(fd).st_size
            if fd == self.bad:
                raise OSError(5, "Input/output error")

    disk = Disk()
    made = store(tmp_path, disk=disk)
    recorders = [await made.open(head(id=one)) for one in ids]
    before = {one.handle.fd: os.fstat(one.handle.fd).st_size for one in recorders}
    disk.opening, disk.bad = False, recorders[2].handle.fd
    for one in recorders:
        one.take([out(b"x" * 100)])
    waiting = asyncio.gather(*(one.stored() for one in [*recorders, recorders[2]]), return_exceptions=True)
    await asyncio.sleep(0)
    disk.held.set()
    told = await asyncio.wait_for(waiting, 10)
    assert [type(one) for one in told] == [type(None)] * 2 + [RecordingFailedError, type(None), RecordingFailedError]
    assert all(disk.sizes[fd] > size for fd, size in before.items())
    disk.opening = True
    await made.close()


@pytest.mark.parametrize("call", ["write", "sync"])
async def test_a_sync_behind_one_that_failed_or_behind_a_lost_chunk_is_not_believed(tmp_path, call):
    """The disk is well again at once, and all was handed over before the loop could hear of the failure."""

    class Disk(RealDisk):
        fails = False

        def once(self, kind: str) -> None:
            if self.fails and kind == call:
                self.fails = False
                raise OSError(5, "Input/output error")

        def write(self, fd: int, data: bytes) -> int:
            self.once("write")
            return super().write(fd, data)

        def sync(self, fd: int) -> None:
            self.once("sync")
            super().sync(fd)

    disk = Disk()
    made = store(tmp_path, disk=disk)
    recorder = await made.open(head())
    disk.fails = True
    recorder.take([out(b"lost")])
    ends = await asyncio.gather(recorder.stored(), recorder.stored(), recorder.close(DONE), return_exceptions=True)
    assert [str(end).split(" (")[0] for end in ends] == ["Input/output error"] * 3
    assert {type(end) for end in ends} == {RecordingFailedError}
    await made.close()
    with open_recording(path(tmp_path)) as reader:
        assert reader.footer is None


@settings(deadline=None)  # each example waits for the disk
@given(
    st.lists(st.lists(st.tuples(st.booleans(), st.binary(max_size=3000)), max_size=4), max_size=8),
    st.integers(0, 2**40),
)
def test_whatever_is_taken_is_read_back(tmp_path_factory, pieces, pause):
    tmp_path = tmp_path_factory.mktemp("r")

    async def run():
        clock = Clock()
        made = store(tmp_path, clock)
        recorder = await made.open(head())
        for piece in pieces:
            recorder.take([out(data) if is_out else typed(data) for is_out, data in piece])
            clock.now += pause / 1e6
        await recorder.close(DONE)
        await made.close()

    asyncio.run(run())
    kinds = {True: Kind.STDOUT, False: Kind.STDIN}
    with open_recording(path(tmp_path)) as reader:
        assert [(moment.kind, moment.data) for moment in reader.moments()] == [
            (kinds[is_out], data) for piece in pieces for is_out, data in piece
        ]
        assert reader.verify() == []
