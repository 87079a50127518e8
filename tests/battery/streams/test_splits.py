"""A handshake with the frames behind it, cut in two at every byte, in both directions: what was sent is what arrives
and what is recorded, whichever segment it came in. Security: U4.

By default at every 61st byte and around the ends of heads; `KWIT_STREAM_STEP=1` takes all 9,200. In SPDY nothing but
the first frame can be glued to a handshake: the other side has to accept a stream before it carries anything.
"""

import os

import pytest

from recordings.recorder.directory import RecordingDirectory
from recordings.recorder.moment import Kind
from recordings.recorder.reader import open_recording
from tests.proxy.dataplane import plane, settle
from tests.proxy.streams.conversations import Conversation, roles
from tests.proxy.streams.test_streaming import after_head, asked, gone

STEP = int(os.environ.get("KWIT_STREAM_STEP", "61"))
FRAMES = 4096
"""Bytes of frames behind a handshake where cuts are made."""
AROUND = 24
"""Bytes before and behind the end of a head, where each cut is made in any case."""
LARGE = bytes(range(256)) * 160
"""What was typed and came back."""
WEBSOCKET, SPDY = "exec-large-websocket-1.37", "exec-large-spdy-1.24"


def glued(conversation: Conversation, name: str) -> tuple[bytes, bytes, list[tuple[bool, bytes]]]:
    """What the client and the server send behind their heads in one go, and what is said then."""
    if name == WEBSOCKET:
        return conversation.sent_by(client=True), conversation.sent_by(client=False), []
    (_, opening), (_, accepting), *rest = conversation.passed
    return opening, accepting, rest


def cuts(head: bytes, behind: bytes) -> list[int]:
    whole = len(head) + min(FRAMES, len(behind))
    near = range(len(head) - AROUND, min(whole, len(head) + AROUND))
    return sorted({*range(1, whole, STEP), *near})


def recorded(path) -> dict[Kind, bytes]:
    kept = dict.fromkeys((Kind.STDIN, Kind.STDOUT), b"")
    with open_recording(path) as reader:
        for moment in reader.moments():
            if moment.kind in kept:
                kept[moment.kind] += moment.data
    return kept


@pytest.mark.parametrize("by_client", [True, False])
@pytest.mark.parametrize("name", [WEBSOCKET, SPDY])
async def test_nothing_is_lost_or_unrecorded_wherever_a_handshake_is_cut(tmp_path, name, by_client):
    conversation, directory = Conversation(name), RecordingDirectory(tmp_path)
    of_client, of_server, rest = glued(conversation, name)
    request, answer = conversation.request + of_client, conversation.answer + of_server
    where = cuts(conversation.request, of_client) if by_client else cuts(conversation.answer, of_server)
    async with plane(recordings=tmp_path, roles=roles()) as it:
        for number, cut in enumerate(where):
            client = it.client()
            for piece in (request[:cut], request[cut:]) if by_client else (request,):
                assert client.send(piece)
            server = await asked(it, number)
            for piece in (answer,) if by_client else (answer[:cut], answer[cut:]):
                assert server.receive(piece)
            for from_client, data in rest:
                assert (client.send if from_client else server.receive)(data)
            await settle()
            server.end()
            await gone(client)
            assert after_head(server.written) == conversation.sent_by(client=True), cut
            assert after_head(client.received) == conversation.sent_by(client=False), cut
            path = directory.path_of(it.log.seals[-1]["recording"])
            assert recorded(path) == {Kind.STDIN: LARGE, Kind.STDOUT: LARGE}, cut
