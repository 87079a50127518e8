"""Claims about when a recorder hands over; test_store has the whole way to the disk."""

from dataclasses import replace

from recordings.recorder.chunks import MAX_RAW_BYTES, ChunkPacker, moments
from recordings.recorder.moment import Kind, Moment
from recordings.recorder.recorder import CHUNK_BYTES, Recorder
from recordings.streams.events import Role, Side, StrayData, StreamData
from tests.recordings.recorder.test_store import head


class Keeper:
    def __init__(self):
        self.now, self.kept, self.later, self.chunks = 5.0, [], [], []

    def mono(self):
        return self.now

    def flush_later(self, recorder):
        self.later.append(recorder)

    def keep(self, recorder, chunk, tar):
        first, last, raw = chunk
        self.kept.append((first, last, len(raw)))
        self.chunks.append(chunk)

    async def sync(self, recorder):
        pass


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


def test_chunks_grow_while_one_waits_to_be_written_and_are_never_more_than_a_reader_takes():
    keeper = Keeper()
    recorder = Recorder(head(), keeper, max_bytes=1 << 30)
    for _ in range(12):
        recorder.take([out(CHUNK_BYTES)])
    sizes = [size for _, _, size in keeper.kept]
    assert [size // 1024 for size in sizes] == [64, 256, 256]
    assert max(sizes) + CHUNK_BYTES < MAX_RAW_BYTES
    for size in sizes:
        recorder.written(size)
    recorder.take([out(1)])
    assert [size // 1024 for _, _, size in keeper.kept[3:]] == [192]


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


def typed(data: bytes) -> StreamData:
    return StreamData(Side.CLIENT, 0, Role.STDIN, data)


def shown(data: bytes) -> StreamData:
    return StreamData(Side.SERVER, 1, Role.STDOUT, data)


def hiding(keeper: Keeper, **fields) -> Recorder:
    return Recorder(replace(head(), **{"tty": True, "hides_input": True} | fields), keeper, max_bytes=1 << 30)


def written(keeper: Keeper) -> list[Moment]:
    return [one for chunk in keeper.chunks for one in moments(ChunkPacker().packed(*chunk))]


def test_input_that_does_not_come_back_is_kept_as_its_length_where_the_role_says_so():
    keeper = Keeper()
    recorder = hiding(keeper)
    for event in (
        typed(b"su"),
        shown(b"su"),
        typed(b"\r"),
        shown(b"\r\nPassword: "),
        typed(b"hunter2\r"),
        shown(b"\r\n# "),
    ):
        recorder.take([event])
    recorder.flush()
    assert written(keeper) == [
        Moment(0, Kind.STDIN, b"su"),
        Moment(0, Kind.STDOUT, b"su"),
        Moment(0, Kind.STDIN, b"\r"),
        Moment(0, Kind.STDOUT, b"\r\nPassword: "),
        Moment(0, Kind.HIDDEN, b"7"),
        Moment(0, Kind.STDIN, b"\r"),
        Moment(0, Kind.STDOUT, b"\r\n# "),
    ]
    assert (recorder.received, recorder.sent) == (11, 18)


def test_input_waits_a_second_for_its_echo_and_then_no_longer():
    keeper = Keeper()
    recorder = hiding(keeper)
    recorder.take([typed(b"pw")])
    assert keeper.later == [recorder]
    keeper.now += 0.5
    recorder.flush()
    assert (written(keeper), len(keeper.later)) == ([], 2)
    keeper.now += 0.5
    recorder.flush()
    assert written(keeper) == [Moment(1_000_000, Kind.HIDDEN, b"2")]


async def test_what_must_be_stored_now_is_kept_as_its_length():
    keeper = Keeper()
    recorder = hiding(keeper)
    recorder.take([typed(b"pw")])
    await recorder.stored()
    recorder.take([shown(b"pw")])
    recorder.take([StrayData(Side.CLIENT, 0, b"late"), StrayData(Side.SERVER, 0, b"late")])
    recorder.flush()
    at = [Moment(0, Kind.HIDDEN, b"2"), Moment(0, Kind.STDOUT, b"pw")]
    assert written(keeper) == [*at, Moment(0, Kind.HIDDEN, b"4"), Moment(0, Kind.STRAY, b"late")]


def test_without_a_terminal_or_without_the_option_all_input_is_kept():
    for fields in ({"tty": False}, {"hides_input": False}):
        keeper = Keeper()
        recorder = hiding(keeper, **fields)
        recorder.take([typed(b"pw")])
        recorder.flush()
        assert written(keeper) == [Moment(0, Kind.STDIN, b"pw")]


def test_a_failure_is_told_once():
    told = []
    recorder = Recorder(head(), Keeper(), max_bytes=1 << 30)
    recorder.on_failure(told.append)
    recorder.fail("full")
    recorder.fail("again")
    assert [str(error) for error in told] == ["full"]
