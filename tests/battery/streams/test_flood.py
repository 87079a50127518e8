"""A flood ends by the limit of a recording, with its record; memory does not know how much was recorded.

By default 64 MiB are recorded and a stream is cut at 1 MiB; `KWIT_FLOOD_BYTES` is 10 GiB in `make battery`, which takes
a minute and, since it is text, 100 MB of disk.
"""

import asyncio
import os
import time
from pathlib import Path

import pytest

from recordings.audit.record import Outcome as Result
from recordings.recorder.directory import RecordingDirectory
from recordings.recorder.reader import open_recording
from recordings.recorder.recorder import RecordingLimitError
from recordings.recorder.store import RecordingStore
from recordings.streams.events import Role, Side, StreamData
from recordings.streams.outcome import Ended, Outcome
from tests.proxy.dataplane import plane, settle
from tests.proxy.streams.conversations import Conversation, roles
from tests.proxy.streams.test_streaming import after_head, begun, gone
from tests.recordings.replay.conversation import HEAD

FLOOD = int(os.environ.get("KWIT_FLOOD_BYTES", str(64 << 20)))
LIMIT = 1 << 20
MAX_GROWTH = 32 << 20
"""Of memory between a quarter of the flood and its end; the flood is larger."""
MAX_BACKLOG = 1 << 20
PIECE = b"".join(b"%08d /var/log/syslog: the same line again and again\r\n" % n for n in range(300))[: 16 * 1024]
FRAMES = b"\x82\x7e\x10\x01\x01" + b"y\r\n" * 1365 + b"y"
"""A WebSocket message of stdout, 4 KiB."""


def resident() -> int:
    """Bytes of memory of this process (proc(5))."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
async def test_memory_does_not_grow_with_what_is_recorded(tmp_path):
    store = RecordingStore(
        tmp_path, loop=asyncio.get_running_loop(), mono=time.monotonic, max_bytes=FLOOD, writer="node-0"
    )
    recorder = await store.open(HEAD)
    piece, early = StreamData(Side.SERVER, 1, Role.STDOUT, PIECE), 0
    while recorder.sent + len(PIECE) <= FLOOD:
        recorder.take([piece])
        early = resident() if not early and recorder.sent > FLOOD // 4 else early
        if recorder.backlog > MAX_BACKLOG:
            drained = asyncio.Event()
            recorder.when_drained(drained.set)
            await drained.wait()
    with pytest.raises(RecordingLimitError, match=f"may carry {FLOOD} bytes"):
        recorder.take([piece, piece])
    sealed = await recorder.close(Outcome(Ended.UNKNOWN), "limit")
    assert resident() - early < MAX_GROWTH
    await store.close()
    with open_recording(next(RecordingDirectory(tmp_path).paths())) as reader:
        assert reader.damage is None
        assert reader.footer is not None
        assert (reader.footer.why, reader.footer.chunks) == ("limit", sealed.chunks)
        assert FLOOD - len(PIECE) < sum(len(one.data) for one in reader.moments()) <= FLOOD


async def test_a_flooding_stream_is_cut_with_its_record_and_its_neighbour_goes_on(tmp_path):
    conversation = Conversation("exec-terminal-websocket-1.37")
    async with plane(recordings=tmp_path, roles=roles(), max_bytes=LIMIT) as it:
        flooded, flooding = await begun(it, conversation)
        neighbour, quiet = await begun(it, conversation)
        while not flooded.closed:
            flooding.receive(FRAMES)
            await settle()
        await gone(flooded)
        record = it.log.records[-1]
        assert it.log.outcomes[-1] == (Result.ABORTED, 101)
        assert f"a stream may carry {LIMIT} bytes (recordings.max_bytes)" in str(record)
        assert "kubewitness.dev/recording-sha256" in record.annotations
        assert len(after_head(flooded.received)) <= LIMIT + 256 * 5 + 4  # heads, and a Close
        quiet.receive(FRAMES)
        await settle()
        assert after_head(neighbour.received) == FRAMES
        quiet.end()
        await gone(neighbour)
    for path in RecordingDirectory(tmp_path).paths():
        with open_recording(path) as reader:
            assert reader.verify() == []
