"""Captured conversations with something wrong in them: frames, lengths, channels, ids, masks, headers, changed by a
seeded hand. Whatever it is, just what was understood is passed on and recorded, the log says how it ended, and a
neighbour in the same process does not notice. Security: S2 to S6, E1.

600 mutants by default; `KWIT_STREAM_MUTANTS` is how many each of the ten conversations gives.
"""

import os
import random
import re

import pytest

from recordings.audit.record import Outcome
from recordings.recorder.directory import RecordingDirectory
from recordings.recorder.moment import Kind
from recordings.recorder.reader import open_recording
from recordings.streams.events import Purpose, Role, Side, StreamData
from recordings.streams.fault import StreamFaultError
from recordings.streams.resize import ResizeReader
from recordings.streams.tap import spdy_tap, websocket_tap
from tests.proxy.dataplane import plane, settle
from tests.proxy.streams.conversations import Conversation, roles, until
from tests.proxy.streams.test_streaming import after_head, begun, gone

MUTANTS = int(os.environ.get("KWIT_STREAM_MUTANTS", "60"))
NAMES = [
    "attach-spdy-1.24",
    "attach-websocket-1.37",
    "exec-spdy-1.37",
    "exec-stdin-spdy-1.37",
    "exec-stdin-websocket-1.30",
    "exec-terminal-spdy-1.24",
    "exec-terminal-websocket-1.37",
    "exec-websocket-1.30",
    "port-forward-spdy-1.37",
    "port-forward-websocket-1.37",
]
NUMBERS = (b"\x00", b"\x7f", b"\x80", b"\xff", b"\x00\x00", b"\xff\xff", b"\x7f\xff\xff\xff", b"\xff" * 4, b"\xff" * 8)
KINDS = {Role.STDIN: Kind.STDIN, Role.STDOUT: Kind.STDOUT, Role.STDERR: Kind.STDERR, Role.ERROR: Kind.ERROR}

Steps = list[tuple[bool, bytes]]
"""(whether the client says it, bytes)."""


def mutant(chance: random.Random, data: bytes) -> bytes:
    """One to three changes."""
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        at = chance.randrange(len(out) + 1)
        match chance.randrange(8):
            case 0 if at < len(out):
                out[at] ^= 1 << chance.randrange(8)
            case 1 if at < len(out):
                out[at] = chance.randrange(256)
            case 2:
                del out[at : at + chance.randrange(1, 12)]
            case 3:
                out[at:at] = chance.randbytes(chance.randrange(1, 12))
            case 4:
                out[at : at + 1] = chance.choice(NUMBERS)
            case 5:
                out[at:at] = out[at : at + chance.randrange(1, 80)]
            case 6:
                other = chance.randrange(len(out) + 1)
                out[at:at] = out[other : other + chance.randrange(1, 80)]
            case _:
                at = chance.randrange(min(len(out), 14) or 1)  # heads of frames stand first
                out[at : at + 1] = chance.choice(NUMBERS)
    return bytes(out)


def changed(chance: random.Random, conversation: Conversation) -> Steps:
    """One piece is changed; now and then one comes twice, or at another time."""
    steps = list(conversation.passed)
    at = chance.randrange(len(steps))
    kind = chance.randrange(10)
    if kind == 0:
        steps.insert(chance.randrange(len(steps) + 1), steps[at])
    elif kind == 1:
        steps.insert(chance.randrange(len(steps)), steps.pop(at))
    else:
        steps[at] = (steps[at][0], mutant(chance, steps[at][1]))
    return [step for step in steps if step[1]]


def understood(conversation: Conversation, steps: Steps) -> tuple[dict[Side, bytes], dict[Kind, bytes], bool]:
    """By a decoder alone: what each side's bytes come to, what is to be recorded, and whether there was a fault."""
    chosen = re.findall(rb"Sec-WebSocket-Protocol: (\S+)", conversation.answer)
    purpose = Purpose.PORT_FORWARD if b"/portforward" in conversation.request else Purpose.EXEC
    tap, resizes = websocket_tap(chosen[0].decode()) if chosen else spdy_tap(purpose), ResizeReader()
    through, kept = dict.fromkeys(Side, b""), dict.fromkeys(KINDS.values(), b"")
    for from_client, data in steps:
        side, fault = Side.CLIENT if from_client else Side.SERVER, False
        try:
            taken = tap.feed(side, data)
        except StreamFaultError as error:
            taken, fault = error.taken, True
        try:
            for event in taken.events:
                if isinstance(event, StreamData) and event.role is Role.RESIZE:
                    resizes.feed(event.data)
                elif isinstance(event, StreamData) and event.role in KINDS:
                    kept[KINDS[event.role]] += event.data
            through[side] += taken.released
        except StreamFaultError as error:
            tap.refuse(side, error)
            fault = True
        if fault:
            return {one: through[one] + tap.farewell(one.other, mask=bytes(4)) for one in Side}, kept, True
    return through, kept, False


def recorded(directory: RecordingDirectory, recording: str) -> dict[Kind, bytes]:
    kept = dict.fromkeys(KINDS.values(), b"")
    path = directory.path_of(recording)
    assert path is not None
    with open_recording(path) as reader:
        assert reader.verify() == []
        assert reader.footer is not None
        for moment in reader.moments():
            if moment.kind in kept:
                kept[moment.kind] += moment.data
    return kept


async def played(it, conversation: Conversation, steps: Steps) -> tuple[dict[Side, bytes], str]:
    """What came from each side at the other one, and how the log says that it ended."""
    client, server = await begun(it, conversation)
    for from_client, data in steps:
        (client.send if from_client else server.receive)(data)
    await settle()
    server.end()
    await gone(client)
    await until(lambda: len(it.streaming.live) == 1)
    return {Side.CLIENT: after_head(server.written), Side.SERVER: after_head(client.received)}, it.log.records[
        -1
    ].outcome


async def alive(client, server, number: int) -> None:
    """The neighbour's stream goes on as if nothing was."""
    before, frame = len(client.received), b"\x82\x02\x01" + bytes((number % 256,))
    server.receive(frame)
    await settle()
    assert client.received[before:] == frame


@pytest.mark.parametrize("name", NAMES)
async def test_whatever_is_wrong_in_a_stream_ends_that_stream_alone_and_is_told(tmp_path, name):
    chance, conversation, directory = random.Random(name), Conversation(name), RecordingDirectory(tmp_path)
    faults = 0
    async with plane(recordings=tmp_path, roles=roles()) as it:
        neighbour = await begun(it, Conversation("exec-terminal-websocket-1.37"))
        it.streaming._random = lambda size: bytes(4) if size == 4 else os.urandom(size)  # masks can be compared
        for number in range(MUTANTS):
            steps = changed(chance, conversation)
            through, kept, fault = understood(conversation, steps)
            faults += fault
            expected = Outcome.FAILED if fault else Outcome.DONE
            seals = len(it.log.seals)
            assert await played(it, conversation, steps) == (through, expected), steps
            for seal in it.log.seals[seals:]:
                assert recorded(directory, seal["recording"]) == kept, steps
            assert len(it.log.seals) == seals + (not name.startswith("port-forward"))
            assert ("sent what cannot be followed" in it.log.records[-1].message) is fault
            await alive(*neighbour, number)
        neighbour[1].end()
        await gone(neighbour[0])
    assert MUTANTS // 4 < faults < MUTANTS
