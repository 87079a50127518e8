"""Claims about back-pressure and answers that are no upgrade; test_streaming has whole streams."""

import asyncio

import pytest

from auth.rbac.role import Options
from proxy.streams.stream_relay import CUT_OFF, PIECE_BYTES, UNDELIVERED
from recordings.audit.record import Outcome
from recordings.recorder.directory import RecordingDirectory
from recordings.recorder.recorder import RecordingFailedError
from tests.bench.streams.frames import message
from tests.proxy.dataplane import plane, request, settle
from tests.proxy.streams.conversations import Conversation, roles, until
from tests.proxy.streams.test_streaming import asked, begun, gone

SPDY, WEBSOCKET = Conversation("exec-spdy-1.37"), Conversation("exec-websocket-1.37")
SECOND = request(b"POST", b"/api/v1/namespaces/default/pods", body=b"{}")
STATUS = b'{"kind":"Status","code":403}'
HEAD = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nContent-Type: application/json\r\n\r\n%b"
REFUSALS = [(HEAD % (code, len(STATUS), STATUS), code) for code in (400, 401, 403, 404, 426, 500, 503)]
INVALID = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n",
    b"HTTP/1.1 101 X\r\n" + b"X: y\r\n" * 9000 + b"\r\n",
    b"\x16\x03\x01 no HTTP at all\r\n\r\n",
]


@pytest.mark.parametrize("when", ["glued", "early", "late"])
@pytest.mark.parametrize("conversation", [SPDY, WEBSOCKET], ids=["spdy", "websocket"])
@pytest.mark.parametrize(("answer", "code"), REFUSALS, ids=[str(code) for _, code in REFUSALS])
async def test_a_refusal_is_told_as_it_is_and_nothing_passes_behind_it(tmp_path, answer, code, conversation, when):
    async with plane(recordings=tmp_path, roles=roles()) as it:
        client = it.client()
        client.send(conversation.request + (SECOND if when == "glued" else b""))
        server = await asked(it)
        head = server.written
        if when == "early":
            client.send(SECOND)
        server.receive(answer)
        if when == "late":
            client.send(SECOND)
        await gone(client)
        assert server.written == head
        assert (len(it.server.streams), it.server.seen, server.closing) == (1, [], True)
        assert client.received.startswith(b"HTTP/1.1 %d " % code)
        assert client.received.endswith(STATUS)
        assert it.log.outcomes == [(Outcome.INTENT, None), (Outcome.DONE, code)]
    assert list(RecordingDirectory(tmp_path).paths()) == []


@pytest.mark.parametrize("conversation", [SPDY, WEBSOCKET], ids=["spdy", "websocket"])
@pytest.mark.parametrize("answer", INVALID)
async def test_an_answer_that_is_neither_joins_nothing(tmp_path, answer, conversation):
    async with plane(recordings=tmp_path, roles=roles()) as it:
        client = it.client()
        client.send(conversation.request)
        server = await asked(it)
        head = server.written
        server.receive(answer)
        client.send(SECOND)
        await gone(client)
        assert (server.written, server.closing) == (head, True)
        assert client.received.startswith(b"HTTP/1.1 502 ")
        assert b"169.254" not in client.received
        assert it.log.outcomes[-1] == (Outcome.FAILED, 502)
    assert list(RecordingDirectory(tmp_path).paths()) == []


async def test_a_client_that_does_not_read_stops_the_server_and_the_other_way_round(tmp_path):
    conversation = Conversation("exec-large-websocket-1.37")
    async with plane(recordings=tmp_path, roles=roles()) as it:
        client, server = await begun(it, conversation)
        client.connection.pause_writing()
        assert (server.reading, client.wire.reading) == (False, True)
        client.connection.resume_writing()
        assert server.reading
        server.protocol.pause_writing()
        assert (server.reading, client.wire.reading) == (True, False)
        server.protocol.resume_writing()
        assert client.wire.reading
        server.end()
        await gone(client)


@pytest.mark.parametrize("faulty", [b"", b"\xf2\x00"])
async def test_what_came_in_one_delivery_leaves_in_one_write_and_before_whatever_ends_the_stream(tmp_path, faulty):
    frames = message(1, bytes(2 * PIECE_BYTES - 20), masked=False)
    async with plane(recordings=tmp_path, roles=roles()) as it:
        client, server = await begun(it, Conversation("exec-terminal-websocket-1.37"))
        writes = []
        client.wire.on_write = writes.append
        server.receive(frames + faulty)
        assert writes[:1] == [frames]
        assert [write[:1] for write in writes[1:]] == ([b"\x88"] if faulty else [])
        server.end()
        await gone(client)


async def test_a_disk_that_does_not_keep_up_stops_both(tmp_path):
    conversation = Conversation("exec-terminal-websocket-1.37")
    async with plane(recordings=tmp_path, roles=roles()) as it:
        client, server = await begun(it, conversation)
        stream = next(iter(it.streaming.live))
        stream.recorder._handed += 2 << 20
        server.receive(b"\x82\x02\x01x")
        assert (server.reading, client.wire.reading) == (False, False)
        stream.recorder.written(2 << 20)
        await settle()
        assert (server.reading, client.wire.reading) == (True, True)
        server.end()
        await gone(client)


async def test_the_server_that_ends_ends_its_streams_in_order(tmp_path):
    conversation = Conversation("exec-terminal-websocket-1.37")
    async with plane(recordings=tmp_path, roles=roles()) as it:
        client, _server = await begun(it, conversation)
        it.listener.cut()
        await gone(client)
        assert client.received.endswith(b"\x88\x02\x03\xe9") or b"\x88" in client.received[-40:]
        assert it.log.outcomes[-1] == (Outcome.ABORTED, 101)
        await until(lambda: not len(it.streaming.live))


@pytest.mark.parametrize("name", ["exec-terminal-websocket-1.37", "exec-terminal-spdy-1.37"])
@pytest.mark.parametrize("by_client", [True, False])
async def test_a_frame_that_never_ended_is_named_in_the_record(tmp_path, name, by_client):
    conversation = Conversation(name)
    async with plane(recordings=tmp_path, roles=roles()) as it:
        client, server = await begun(it, conversation)
        first = next(data for sent, data in conversation.passed if sent is by_client)
        (client.send if by_client else server.receive)(first[:-1])
        (client.wire if by_client else server).end()
        await until(lambda: not len(it.streaming.live))
        assert it.log.records[-1].annotations[CUT_OFF] == ("client" if by_client else "server")


async def test_a_stream_that_ended_between_frames_was_not_cut_off(tmp_path):
    conversation = Conversation("exec-terminal-websocket-1.37")
    async with plane(recordings=tmp_path, roles=roles()) as it:
        client, server = await begun(it, conversation)
        for by_client, data in conversation.passed:
            (client.send if by_client else server.receive)(data)
        server.end()
        await gone(client)
        assert CUT_OFF not in it.log.records[-1].annotations


class SlowDisk:
    """A stream's recorder for which `stored` waits; it fails where `cause` says why."""

    def __init__(self, stream) -> None:
        self._real, self.cause = stream.recorder, ""
        self.storing, self.free = asyncio.Event(), asyncio.Event()
        stream.recorder = self

    def __getattr__(self, name):
        return getattr(self._real, name)

    async def stored(self) -> None:
        self.storing.set()
        await self.free.wait()
        if self.cause:
            raise RecordingFailedError(self.cause)
        await self._real.stored()


async def held(it, conversation):
    """A strict stream in which a byte of each side waits for the disk."""
    client, server = await begun(it, conversation)
    disk = SlowDisk(next(iter(it.streaming.live)))
    server.receive(b"\x82\x02\x01x")
    client.send(b"\x82\x82\x00\x00\x00\x00\x00y")
    await disk.storing.wait()
    return client, server, disk


@pytest.mark.parametrize("cause", ["", "no space left on device"])
async def test_what_waits_for_the_disk_when_a_stream_is_cut_never_leaves_and_is_counted(tmp_path, cause):
    conversation = Conversation("exec-terminal-websocket-1.37")
    async with plane(recordings=tmp_path, roles=roles(Options(record="strict"))) as it:
        client, server, disk = await held(it, conversation)
        before = (client.received, server.written)
        if cause:
            disk.cause = cause
        else:
            it.listener.cut()
        disk.free.set()
        await gone(client)
        await settle()
        assert (client.received, server.written) == before
        last = it.log.records[-1]
        assert (last.outcome, last.annotations[UNDELIVERED]) == (Outcome.ABORTED, "client=4,server=8")


async def test_a_disk_that_fails_behind_the_end_of_the_command_is_told_as_that(tmp_path):
    conversation = Conversation("exec-terminal-websocket-1.37")
    async with plane(recordings=tmp_path, roles=roles(Options(record="strict"))) as it:
        client, server, disk = await held(it, conversation)
        before = client.received
        server.end()
        await settle()
        assert not client.closed
        disk.cause = "no space left on device"
        disk.free.set()
        await gone(client)
        assert client.received == before
        last = it.log.records[-1]
        assert (last.outcome, "no space left" in last.message) == (Outcome.ABORTED, True)
