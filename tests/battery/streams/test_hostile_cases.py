"""More than nine thousand hostile streams through the whole proxy, from the table in `hostile_cases`: nothing of them
goes on, both sides are told in the protocol's own way, the log says who sent what, and a neighbour does not notice.

By default every 29th; `KWIT_STREAM_CASES=1` is how many are passed over to the next: all of them.
"""

import asyncio
import os

import pytest

from proxy.streams.handshake import accept_of
from recordings.audit.record import Outcome
from recordings.recorder.directory import RecordingDirectory
from recordings.recorder.reader import open_recording
from recordings.streams.events import Side
from recordings.streams.fault import Fault
from tests.battery.streams.hostile_cases import Case, cases
from tests.battery.streams.hostile_kind import SPDY, Position, Protocol
from tests.proxy.dataplane import HOST, plane, settle
from tests.proxy.streams.conversations import KEY, Conversation, roles, until
from tests.proxy.streams.test_streaming import after_head, asked, begun, gone
from tests.recordings.streams.wire import CLIENT, SERVER, frame, goaway

STEP = int(os.environ.get("KWIT_STREAM_CASES", "29"))
CASE_SECONDS = 60
"""Until a stream that does not end is a finding."""
NO_MASK = bytes(4)
EVERY = [(protocol, side) for protocol in Protocol for side in Side]
TOO_LARGE = {Fault.FRAME_TOO_LARGE, Fault.HEADER_LIMIT}
TARGETS = {
    Protocol.FORWARD: b"/api/v1/namespaces/n/pods/p/portforward?ports=80&ports=443",
    Protocol.TUNNEL: b"/api/v1/namespaces/n/pods/p/portforward",
}


def handshake(protocol: Protocol) -> tuple[bytes, bytes]:
    """(the client's head, the server's)."""
    if protocol in {Protocol.SPDY_EXEC, Protocol.SPDY_FORWARD}:
        name = "exec-terminal-spdy-1.37" if protocol is Protocol.SPDY_EXEC else "port-forward-spdy-1.37"
        return Conversation(name).request, Conversation(name).answer
    target = TARGETS.get(protocol, b"/api/v1/namespaces/n/pods/p/exec?command=sh&stdin=true&stdout=true&tty=true")
    spoken = protocol.split(" ")[0].encode()
    lines = (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Protocol: " + spoken)
    of_client = (b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: " + KEY)
    request = (b"GET " + target + b" HTTP/1.1", b"Host: " + HOST, *lines, *of_client, b"", b"")
    answer = (b"HTTP/1.1 101 Switching Protocols", *lines, b"Sec-WebSocket-Accept: " + accept_of(KEY), b"", b"")
    return b"\r\n".join(request), b"\r\n".join(answer)


def farewell(case: Case, to: Side) -> bytes:
    """What ends a direction, written again from RFC 6455 section 7.4.1 and SPDY/3 section 2.6.6."""
    fault = case.kind.fault
    if case.protocol in {Protocol.SPDY_EXEC, Protocol.SPDY_FORWARD}:
        return goaway(case.opened if to is CLIENT else 0, 1)
    code = 1003 if fault is Fault.MESSAGE_TYPE else 1009 if fault in TOO_LARGE else 1002
    return frame(8, code.to_bytes(2) + fault.value.encode(), mask=NO_MASK if to is SERVER else None)


def check_passed(case: Case, got: bytes) -> None:
    """What the other side got of the hostile bytes: none, as a rule; and a farewell only between frames."""
    good = b"".join(piece for side, piece in case.before if side is case.side) + case.behind
    last = farewell(case, case.side.other)
    if case.kind.is_late:
        assert got[: len(good)] == good or case.behind
        assert (good + case.hostile).startswith(got)
        assert len(got) < len(good + case.hostile)
        return
    if case.protocol in SPDY and got != good + last and case.kind.most:
        assert got[: -len(last)] == (good + case.hostile)[: len(got) - len(last)]
        assert got.endswith(last)
        return
    assert got[: len(good)] == good
    rest = got[len(good) :]
    passed = rest.removesuffix(last)
    assert case.hostile.startswith(passed)
    assert len(passed) <= case.kind.most
    is_between = not passed or (case.kind.whole and passed == case.hostile)
    assert (rest != passed) is is_between


async def begun_with(it, case: Case):
    """The two ends of a stream of this protocol, once the beginning has passed."""
    request, answer = handshake(case.protocol)
    client, number = it.client(), len(it.server.streams)
    client.send(request)
    server = await asked(it, number)
    server.receive(answer)
    for side, piece in case.before:
        (client.send if side is CLIENT else server.receive)(piece)
    return client, server


@pytest.mark.timeout(900)  # a thousand streams on a busy machine
@pytest.mark.parametrize(("protocol", "side"), EVERY, ids=[f"{protocol}-{side}" for protocol, side in EVERY])
async def test_a_hostile_stream_ends_alone_in_its_own_words_and_the_log_says_why(tmp_path, protocol, side):
    directory = RecordingDirectory(tmp_path)
    async with plane(recordings=tmp_path, roles=roles()) as it:
        neighbour = await begun(it, Conversation("exec-terminal-websocket-1.37"))
        it.streaming._random = lambda size: NO_MASK if size == 4 else os.urandom(size)
        for number, case in enumerate(cases(protocol, side)):
            if (number + EVERY.index((protocol, side))) % STEP:
                continue
            seals = len(it.log.seals)
            client, server = await begun_with(it, case)
            for piece in case.pieces:
                (client.send if side is CLIENT else server.receive)(piece)
            async with asyncio.timeout(CASE_SECONDS):
                await gone(client)
                await until(lambda: len(it.streaming.live) == 1)
            got = {CLIENT: after_head(client.received), SERVER: after_head(server.written)}
            record = it.log.records[-1]
            assert server.closing, case.name
            assert (record.outcome, record.code) == (Outcome.FAILED, 101), case.name
            assert f"the {side} sent what cannot be followed: {case.kind.fault}" in record.message, case.name
            check_passed(case, got[side.other])
            answered = b"".join(piece for sender, piece in case.before if sender is side.other)
            assert got[side] == answered + farewell(case, side), case.name
            for seal in it.log.seals[seals:]:
                with open_recording(directory.path_of(seal["recording"])) as reader:
                    assert reader.verify() == [], case.name
                    assert case.kind.fault in reader.footer.why, case.name
            await noticed_nothing(neighbour, number)
        neighbour[1].end()
        await gone(neighbour[0])


async def noticed_nothing(neighbour, number: int) -> None:
    client, server = neighbour
    before, said = len(client.received), b"\x82\x02\x01" + bytes((number % 256,))
    server.receive(said)
    await settle()
    assert client.received[before:] == said


def test_there_are_thousands_of_cases_each_of_a_name_of_its_own():
    found = [case for protocol, side in EVERY for case in cases(protocol, side)]
    assert len({case.name for case in found}) == len(found) > 9_000
    assert {case.protocol for case in found} == set(Protocol)
    assert {case.position for case in found} == set(Position)
    faults = {case.kind.fault for case in found}
    assert set(Fault) - faults == {Fault.HELD_TOO_LONG, Fault.STREAM_LIMIT}  # they take many bytes: test_tap, test_spdy
