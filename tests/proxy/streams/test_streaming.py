"""Claims about whole streams: what each side gets, what the recording holds, what the log says."""

import asyncio
import io
import tarfile

import pytest

from auth.locks import Lock, Locks, LockTarget
from auth.rbac import compile_policy
from auth.rbac.role import Options
from proxy.filters.recorded_bodies import DEBUG_CONTAINER, DEBUG_REQUEST
from proxy.streams.stream_relay import PIECE_BYTES
from recordings.audit.record import Outcome
from recordings.recorder.directory import RecordingDirectory
from recordings.recorder.moment import Kind
from recordings.recorder.reader import open_recording
from tests.proxy.dataplane import plane, request, settle
from tests.proxy.streams.conversations import NAMES, Conversation, roles, until
from tests.recordings.streams.wire import MASK, frame

FORWARD = "port-forward-websocket-1.37"
EXEC = [name for name in NAMES if not name.startswith("port-forward")]
STRICT = roles(Options(record="strict"))


def recordings(tmp_path) -> list:
    return list(RecordingDirectory(tmp_path).paths())


async def gone(client) -> None:
    await until(lambda: client.closed)


async def asked(it, number: int = 0):
    """The server's side of an upgrade, once it has the request."""
    await until(lambda: len(it.server.streams) > number and it.server.streams[number].written)
    return it.server.streams[number]


async def begun(it, conversation: Conversation):
    """A client whose upgrade the server has answered, and the server's side."""
    client, number = it.client(), len(it.server.streams)
    client.send(conversation.request)
    server = await asked(it, number)
    server.receive(conversation.answer)
    await settle()
    return client, server


def after_head(data: bytes) -> bytes:
    return data.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("policy", [roles(), STRICT], ids=["standard", "strict"])
@pytest.mark.parametrize("name", NAMES)
async def test_both_sides_get_what_was_sent_and_the_recording_holds_it(tmp_path, name, policy):
    conversation = Conversation(name)
    async with plane(recordings=tmp_path, roles=policy) as it:
        client, server = await begun(it, conversation)
        for by_client, data in conversation.passed:
            (client.send if by_client else server.receive)(data)
            await settle()
        sent, answered = conversation.sent_by(client=True), conversation.sent_by(client=False)
        await until(lambda: len(after_head(server.written)) >= len(sent))
        await until(lambda: len(after_head(client.received)) >= len(answered))
        server.end()
        await gone(client)
        assert after_head(server.written) == sent
        assert after_head(client.received) == answered
        assert it.log.outcomes == [(Outcome.INTENT, None), (Outcome.STARTED, 101), (Outcome.DONE, 101)]
        annotations = it.log.records[-1].annotations
    if name not in EXEC:
        assert recordings(tmp_path) == []
        assert int(annotations["kubewitness.dev/connections"]) > 0
        return
    (path,) = recordings(tmp_path)
    (seal,) = it.log.seals
    with open_recording(path) as reader:
        assert reader.verify() == []
        assert reader.footer is not None
        assert (annotations["kubewitness.dev/recording"], seal["recording"]) == (path.stem, path.stem)
        assert annotations["kubewitness.dev/recording-sha256"] == seal["sha256"]
        told = annotations.get("kubewitness.dev/exit-code")
        assert told == (None if reader.footer.exit_code is None else str(reader.footer.exit_code))


async def test_the_recording_holds_both_directions_apart(tmp_path):
    conversation = Conversation("exec-stdin-websocket-1.37")
    async with plane(recordings=tmp_path, roles=roles()) as it:
        client, server = await begun(it, conversation)
        for by_client, data in conversation.passed:
            (client.send if by_client else server.receive)(data)
        server.end()
        await gone(client)
    (path,) = recordings(tmp_path)
    with open_recording(path) as reader:
        kinds = {moment.kind for moment in reader.moments() if moment.data}
        assert {Kind.STDIN, Kind.STDOUT, Kind.ERROR} <= kinds
        assert (reader.head.username, reader.head.subresource, reader.head.role) == (
            "ada@example.com",
            "exec",
            "shells",
        )
        assert reader.head.command != ()


@pytest.mark.parametrize("size", [1, 7, PIECE_BYTES, 1 << 20])
@pytest.mark.parametrize(
    "name", ["exec-stdin-spdy-1.37", "exec-terminal-websocket-1.37", "port-forward-websocket-1.37"]
)
async def test_however_it_is_cut_and_glued_to_the_handshake_the_same_passes(tmp_path, name, size):
    conversation = Conversation(name)
    first = next((number for number, (by_client, _) in enumerate(conversation.passed) if not by_client), 0)
    glued = b"".join(data for _, data in conversation.passed[:first])
    async with plane(recordings=tmp_path, roles=roles()) as it:
        client = it.client()
        client.send(conversation.request + glued)
        server = await asked(it)
        server.receive(conversation.answer)
        await settle()
        for by_client, data in conversation.passed[first:]:
            for at in range(0, len(data), size):
                (client.send if by_client else server.receive)(data[at : at + size])
        await settle()
        assert after_head(server.written) == conversation.sent_by(client=True)
        assert after_head(client.received) == conversation.sent_by(client=False)
        server.end()
        await gone(client)


async def test_bytes_glued_to_the_servers_answer_are_not_lost(tmp_path):
    conversation = Conversation("exec-websocket-1.37")
    answered = conversation.sent_by(client=False)
    for cut in range(0, len(conversation.answer + answered), 9):
        async with plane(recordings=tmp_path / str(cut), roles=roles()) as it:
            client = it.client()
            client.send(conversation.request)
            server = await asked(it)
            whole = conversation.answer + answered
            for part in (whole[:cut], whole[cut:]):
                if part:
                    server.receive(part)
            await settle()
            assert after_head(client.received) == answered
            server.end()
            await gone(client)


async def test_nothing_leaves_in_strict_mode_before_it_is_stored(tmp_path):
    conversation = Conversation("exec-websocket-1.37")
    async with plane(recordings=tmp_path, roles=STRICT) as it:
        client, server = await begun(it, conversation)
        stream = next(iter(it.streaming.live))
        gate = asyncio.Event()
        stored = stream.recorder.stored

        class Slow:
            def __getattr__(self, name):
                return getattr(real, name)

            async def stored(self):
                await gate.wait()
                await stored()

        real, stream.recorder = stream.recorder, Slow()
        before = len(client.received)
        server.receive(conversation.sent_by(client=False))
        await settle()
        assert len(client.received) == before
        gate.set()
        await until(lambda: len(client.received) > before)
        assert after_head(client.received) == conversation.sent_by(client=False)
        stream.recorder = real
        server.end()
        await gone(client)


async def test_a_recording_that_cannot_be_made_refuses_the_stream_before_it_begins(tmp_path):
    (tmp_path / "2027").write_text("no folder")
    conversation = Conversation("exec-websocket-1.37")
    async with plane(recordings=tmp_path, roles=roles()) as it:
        client = it.client()
        client.send(conversation.request)
        await gone(client)
        assert client.received.startswith(b"HTTP/1.1 503 ")
        assert b"recording does not work" in client.received
        assert it.server.streams == []
        assert it.log.outcomes == [(Outcome.INTENT, None), (Outcome.REFUSED, 503)]


async def test_a_recording_that_fails_ends_the_stream_and_says_why(tmp_path):
    conversation = Conversation("exec-terminal-websocket-1.37")
    async with plane(recordings=tmp_path, roles=roles()) as it:
        client, server = await begun(it, conversation)
        before = len(client.received)
        next(iter(it.streaming.live)).recorder.fail("no space left on device")
        await gone(client)
        assert b"recorded" not in client.received[:before]
        assert server.closing
        assert it.log.outcomes[-1] == (Outcome.ABORTED, 101)
        assert it.log.records[-1].message == "it can no longer be recorded: no space left on device"


async def test_a_stream_ends_at_its_limit_with_a_record(tmp_path):
    conversation = Conversation("exec-large-websocket-1.37")
    async with plane(recordings=tmp_path, roles=roles(), max_bytes=1000) as it:
        client, server = await begun(it, conversation)
        for by_client, data in conversation.passed:
            (client.send if by_client else server.receive)(data)
        await gone(client)
        assert it.log.outcomes[-1] == (Outcome.ABORTED, 101)
        assert "1000 bytes" in it.log.records[-1].message


@pytest.mark.parametrize("name", ["exec-terminal-websocket-1.37", "exec-terminal-spdy-1.37"])
async def test_what_cannot_be_followed_is_not_passed_on_and_ends_both(tmp_path, name):
    conversation = Conversation(name)
    async with plane(recordings=tmp_path, roles=roles()) as it:
        client, server = await begun(it, conversation)
        before = len(server.written)
        client.send(b"\xff" * 64)
        await gone(client)
        assert b"\xff" * 8 not in server.written[before:]
        assert it.log.outcomes[-1] == (Outcome.FAILED, 101)
        assert "the client sent what cannot be followed" in it.log.records[-1].message


@pytest.mark.parametrize("lost", ["logout", "role", "lock"])
async def test_a_stream_whose_person_may_not_any_more_is_cut_within_a_second(tmp_path, lost):
    conversation = Conversation("exec-terminal-websocket-1.37")
    async with plane(recordings=tmp_path, roles=roles()) as it:
        client, _server = await begun(it, conversation)
        it.streaming.live.sweep()
        assert not client.wire.closing
        if lost == "logout":
            it.state.live = None
        elif lost == "lock":
            it.state.locks = Locks([Lock("l1", LockTarget.parse("group:eng"), "", 0.0, "bob")])
        else:
            it.roles[0] = compile_policy([], [], ["corp"])
        it.streaming.live.sweep()
        await gone(client)
        assert it.log.outcomes[-1] == (Outcome.ABORTED, 101)


async def test_a_person_has_as_many_streams_as_the_role_says(tmp_path):
    conversation = Conversation("exec-terminal-websocket-1.37")
    async with plane(recordings=tmp_path, roles=roles(Options(max_streams=1))) as it:
        client, server = await begun(it, conversation)
        second = it.client()
        answer = await second.ask(conversation.request)
        assert answer.startswith(b"HTTP/1.1 429 ")
        assert b"maxStreams" in answer
        server.end()
        await gone(client)
        third, server = await begun(it, conversation)
        server.end()
        await gone(third)


@pytest.mark.parametrize("record", ["standard", "strict"])
async def test_what_the_pod_does_not_echo_is_a_length_where_the_role_says_so(tmp_path, record):
    conversation = Conversation("exec-terminal-websocket-1.37")
    options = Options(record=record, hide_unechoed_input=True)
    async with plane(recordings=tmp_path, roles=roles(options)) as it:
        client, server = await begun(it, conversation)
        for by_client, data in conversation.passed:
            if by_client:
                client.send(data)
        await until(lambda: after_head(server.written) == conversation.sent_by(client=True))
        server.end()
        await gone(client)
    (path,) = recordings(tmp_path)
    with open_recording(path) as reader:
        found = list(reader.moments())
        assert reader.head.hides_input
        assert reader.footer is not None
        kept = b"".join(one.data for one in found if one.kind is Kind.STDIN)
        lengths = [int(one.data) for one in found if one.kind is Kind.HIDDEN]
        assert lengths
        assert not any(0x20 <= byte < 0x7F for byte in kept)
        assert len(kept) + sum(lengths) == reader.footer.received


async def test_a_client_that_leaves_ends_the_other_side(tmp_path):
    conversation = Conversation("exec-terminal-websocket-1.37")
    async with plane(recordings=tmp_path, roles=roles()) as it:
        client, server = await begun(it, conversation)
        client.wire.end()
        await until(lambda: server.closing and not len(it.streaming.live))
        assert it.log.outcomes[-1] == (Outcome.ABORTED, 101)
        assert it.log.records[-1].annotations["kubewitness.dev/ended"] == "unknown"
    (path,) = recordings(tmp_path)
    with open_recording(path) as reader:
        assert reader.footer is not None
        assert reader.footer.ended == "unknown"


async def test_a_command_whose_end_the_api_server_did_not_tell_is_recorded_as_such(tmp_path):
    conversation = Conversation("exec-terminal-websocket-1.37")
    async with plane(recordings=tmp_path, roles=roles()) as it:
        client, server = await begun(it, conversation)
        server.end(ConnectionResetError())
        await gone(client)
        last = it.log.records[-1]
        assert (last.annotations["kubewitness.dev/ended"], "exit-code" in str(last.annotations)) == ("unknown", False)
        assert last.message == "the API server ended the stream and did not say how the command ended"


async def test_an_api_server_that_cannot_be_reached_leaves_no_recording(tmp_path):
    conversation = Conversation("exec-terminal-websocket-1.37")
    async with plane(recordings=tmp_path, roles=roles()) as it:
        it.server.refuses = ConnectionRefusedError(111, "Connection refused")
        client = it.client()
        client.send(conversation.request)
        await gone(client)
        assert client.received.startswith(b"HTTP/1.1 502 ")
        assert it.log.outcomes == [(Outcome.INTENT, None), (Outcome.REFUSED, 502)]
    assert recordings(tmp_path) == []


async def test_an_api_server_that_never_answers_an_upgrade_is_given_up(tmp_path):
    conversation = Conversation("exec-terminal-websocket-1.37")
    async with plane(recordings=tmp_path, roles=roles()) as it:
        client = it.client()
        client.send(conversation.request)
        await asked(it)
        await it.loop.turn(61)
        await gone(client)
        assert client.received.startswith(b"HTTP/1.1 504 ")
        assert b"is not known, so look before you try again" in client.received
        assert it.log.outcomes == [(Outcome.INTENT, None), (Outcome.FAILED, 504)]
        assert it.log.records[-1].annotations["kubewitness.dev/effect"] == "unknown"
    assert recordings(tmp_path) == []


async def test_a_debug_container_and_the_attach_that_follows_are_one_story(tmp_path):
    conversation = Conversation("attach-websocket-1.37")
    path = conversation.request.split(b" ")[1].partition(b"?")[0].removesuffix(b"/attach") + b"/ephemeralcontainers"
    patch = b'{"spec":{"ephemeralContainers":[{"name":"c"}]}}'
    kind = b"Content-Type: application/strategic-merge-patch+json"
    async with plane(recordings=tmp_path, roles=roles()) as it:
        await it.client().ask(request(b"PATCH", path, kind, body=patch))
        client, server = await begun(it, conversation)
        server.end()
        await gone(client)
        made, attached = (
            record for record in it.log.records if record.outcome not in (Outcome.INTENT, Outcome.STARTED)
        )
        assert made.annotations[DEBUG_CONTAINER] == attached.annotations[DEBUG_CONTAINER] == "c"
        assert attached.annotations[DEBUG_REQUEST] == made.audit_id


async def test_files_of_a_copy_are_rows_in_the_log(tmp_path):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for number in range(3):
            info = tarfile.TarInfo(f"file-{number}")
            info.size = number
            archive.addfile(info, io.BytesIO(b"x" * number))
    conversation = Conversation("exec-websocket-1.37")
    target = b"/api/v1/namespaces/default/pods/p/exec?command=tar&command=cf&command=-&command=x&stdout=true"
    asked_for = conversation.request.split(b" ")[1]
    async with plane(recordings=tmp_path, roles=roles()) as it:
        conversation.request = conversation.request.replace(asked_for, target)
        client, server = await begun(it, conversation)
        for at in range(0, len(data.getvalue()), 4000):
            piece = data.getvalue()[at : at + 4000]
            server.receive(b"\x82\x7e" + (len(piece) + 1).to_bytes(2) + b"\x01" + piece)
        server.end()
        await gone(client)
        (files,) = it.log.files
    assert [(row["path"], row["size"], row["direction"]) for row in files["rows"]] == [
        ("file-0", 0, "from-pod"),
        ("file-1", 1, "from-pod"),
        ("file-2", 2, "from-pod"),
    ]
    assert files["files"] == 3


PROXIED = [
    b"/api/v1/namespaces/n/pods/p/proxy/live",
    b"/api/v1/namespaces/n/services/http:s:80/proxy/live",
    b"/api/v1/nodes/node-1/proxy/live",
]
READ = [b"/api/v1/namespaces/n/pods?watch=true", b"/api/v1/namespaces/n/pods/p/log?follow=true"]


@pytest.mark.parametrize("target", PROXIED)
async def test_a_proxied_connection_passes_as_it_is_and_is_kept_as_who_where_and_how_much(tmp_path, target):
    conversation = Conversation("exec-websocket-1.37")
    was = conversation.request.split(b" ")[1]
    conversation.request = conversation.request.replace(was, target).replace(b"v5.channel.k8s.io", b"chat")
    conversation.answer = conversation.answer.replace(b"v5.channel.k8s.io", b"chat")
    async with plane(recordings=tmp_path, roles=roles()) as it:
        client, server = await begun(it, conversation)
        client.send(b"no frames " * 10_000)
        server.receive(b"at all")
        await settle()
        assert after_head(server.written) == b"no frames " * 10_000
        assert after_head(client.received) == b"at all"
        server.end()
        await gone(client)
        assert it.log.outcomes == [(Outcome.INTENT, None), (Outcome.STARTED, 101), (Outcome.DONE, 101)]
        annotations = it.log.records[-1].annotations
        assert (annotations["kubewitness.dev/bytes-in"], annotations["kubewitness.dev/bytes-out"]) == ("100000", "6")
        assert "kubewitness.dev/duration" in annotations
    assert recordings(tmp_path) == []


@pytest.mark.parametrize("target", READ)
async def test_a_watch_or_log_passes_and_its_client_has_nothing_to_say(tmp_path, target):
    conversation = Conversation("exec-websocket-1.37")
    conversation.request = conversation.request.replace(conversation.request.split(b" ")[1], target)
    told, asked_back = frame(1, b'{"type":"ADDED"}') + frame(9, b"?"), frame(10, b"?", mask=MASK)
    async with plane(recordings=tmp_path, roles=roles()) as it:
        client, server = await begun(it, conversation)
        server.receive(told)
        client.send(asked_back)
        await settle()
        assert (after_head(client.received), after_head(server.written)) == (told, asked_back)
        client.send(frame(2, b"GET /api HTTP/1.1", mask=MASK))
        await gone(client)
        assert after_head(server.written)[len(asked_back) :][:1] == b"\x88"  # a Close, and nothing else
        assert b"GET" not in after_head(server.written)
        assert it.log.outcomes == [(Outcome.INTENT, None), (Outcome.STARTED, 101), (Outcome.FAILED, 101)]
    assert recordings(tmp_path) == []


async def test_streams_end_when_the_log_cannot_be_written(tmp_path):
    conversation = Conversation("exec-terminal-websocket-1.37")
    async with plane(recordings=tmp_path, roles=roles(), owed=True) as it:
        client, server = await begun(it, conversation)
        it.log.cause = "no space left on device"
        it.streaming.live.sweep()
        await gone(client)
        assert server.closing
        assert b"\x88" in after_head(client.received)
    (path,) = recordings(tmp_path)
    with open_recording(path) as reader:
        assert reader.footer is not None
        assert reader.verify() == []


@pytest.mark.parametrize("target", [*PROXIED, b"/api/v1/namespaces/n/pods/p/exec?command=sh"])
async def test_who_may_get_everything_may_not_open_a_stream_yet(tmp_path, target):
    conversation = Conversation("exec-websocket-1.37")
    async with plane(recordings=tmp_path) as it:
        client = it.client()
        client.send(conversation.request.replace(conversation.request.split(b" ")[1], target))
        await gone(client)
        assert client.received.startswith(b"HTTP/1.1 403 ")
        assert (it.server.streams, it.log.outcomes) == ([], [(Outcome.REFUSED, 403)])
