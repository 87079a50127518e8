"""A folder of recordings, made by the recorder itself."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from recordings.recorder.head import RecordingHead
from recordings.recorder.moment import Kind, Moment
from recordings.recorder.recorder import Recorder
from recordings.recorder.store import RecordingStore
from recordings.streams.events import Role, Side, StreamData
from recordings.streams.outcome import Ended, Outcome

DONE = Outcome(Ended.EXITED, 3)
_ROLES = {Kind.STDIN: Role.STDIN, Kind.STDOUT: Role.STDOUT, Kind.STDERR: Role.STDERR, Kind.RESIZE: Role.RESIZE}


class Library:
    """Recordings whose moments have the times that they are given."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now = 0.0
        self.store = RecordingStore(
            root, loop=asyncio.get_running_loop(), mono=lambda: self.now, max_bytes=1 << 30, writer="w"
        )

    async def begin(self, head: RecordingHead, moments: Iterable[Moment]) -> Recorder:
        self.now = 0.0
        recorder = await self.store.open(head)
        await self.go_on(recorder, moments)
        return recorder

    async def go_on(self, recorder: Recorder, moments: Iterable[Moment]) -> None:
        for moment in moments:
            self.now = moment.at / 1_000_000 + 0.000_000_1
            recorder.take([_event(moment)])
        await recorder.stored()

    async def add(self, head: RecordingHead, moments: Iterable[Moment]) -> None:
        recorder = await self.begin(head, moments)
        await recorder.close(DONE, "")

    async def close(self) -> None:
        await self.store.close()


def _event(moment: Moment) -> StreamData:
    side = Side.CLIENT if moment.kind in (Kind.STDIN, Kind.RESIZE) else Side.SERVER
    data = moment.data
    if moment.kind is Kind.RESIZE:
        width, _, height = data.decode().partition("x")
        data = f'{{"Width":{width},"Height":{height}}}\n'.encode()
    return StreamData(side, int(moment.kind), _ROLES[moment.kind], data)
