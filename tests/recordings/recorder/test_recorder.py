"""Claims about when a recorder hands over; test_store has the whole way to the disk."""

from recordings.recorder.recorder import CHUNK_BYTES, Recorder
from recordings.streams.events import Role, Side, StreamData
from tests.recordings.recorder.test_store import head


class Keeper:
    def __init__(self):
        self.now, self.kept, self.later = 5.0, [], []

    def mono(self):
        return self.now

    def flush_later(self, recorder):
        self.later.append(recorder)

    def keep(self, recorder, chunk, tar):
        first, last, raw = chunk
        self.kept.append((first, last, len(raw)))


def out(size: int) -> StreamData:
    return StreamData(Side.SERVER, 1, Role.STDOUT, b"x" * size)


def test_a_chunk_is_handed_over_when_it_is_full_and_later_otherwise():
    keeper = Keeper()
    recorder = Recorder(head(), keeper, max_bytes=1 << 30)
    recorder.take([out(10), out(10)])
    assert (keeper.kept, keeper.later) == ([], [recorder])
    keeper.now += 1
    recorder.take([out(CHUNK_BYTES)])
    ((first, last, size),) = keeper.kept
    assert (first, last, recorder.backlog) == (0, 1_000_000, size)
    recorder.flush()
    assert len(keeper.kept) == 1
    recorder.written(size)
    assert recorder.backlog == 0


def test_time_never_goes_back():
    keeper = Keeper()
    recorder = Recorder(head(), keeper, max_bytes=1 << 30)
    keeper.now = 7.0
    recorder.take([out(1)])
    keeper.now = 6.0
    recorder.take([out(1)])
    recorder.flush()
    assert keeper.kept[0][:2] == (2_000_000, 2_000_000)


def test_who_waits_for_the_backlog_is_called_once():
    keeper, called = Keeper(), []
    recorder = Recorder(head(), keeper, max_bytes=1 << 30)
    recorder.when_drained(lambda: called.append(1))
    recorder.take([out(CHUNK_BYTES), out(CHUNK_BYTES)])
    for _, _, size in keeper.kept:
        assert called == []
        recorder.written(size)
    recorder.written(0)
    assert called == [1]


def test_a_failure_is_told_once():
    told = []
    recorder = Recorder(head(), Keeper(), max_bytes=1 << 30)
    recorder.on_failure(told.append)
    recorder.fail("full")
    recorder.fail("again")
    assert [str(error) for error in told] == ["full"]
