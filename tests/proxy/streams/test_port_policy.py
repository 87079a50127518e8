"""Claims about ports that a role leaves out; on real streams, so that nothing of such a connection leaves."""

import pytest

from auth.rbac.ports import PortRange, Ports
from auth.rbac.role import Options
from proxy.streams.stream_relay import CUT_OFF
from recordings.audit.record import Outcome
from tests.proxy.dataplane import plane, request
from tests.proxy.streams.conversations import KEY, NAMES, Conversation, roles, until
from tests.proxy.streams.test_streaming import after_head, begun, gone

FORWARDS = [name for name in NAMES if name.startswith("port-forward")]
POD = b"/api/v1/namespaces/shop/pods/web-0/portforward"


def only(*ports: int):
    return roles(Options(forward_ports=Ports(tuple(PortRange(port, port) for port in ports))))


@pytest.mark.parametrize("name", FORWARDS)
async def test_a_connection_to_another_port_ends_the_stream_before_it_leaves(tmp_path, name):
    conversation = Conversation(name)
    async with plane(recordings=tmp_path, roles=only(22)) as it:
        client, server = await begun(it, conversation)
        for data in (data for by_client, data in conversation.passed if by_client):
            client.send(data)
        await gone(client)
        record = it.log.records[-1]
        assert it.log.outcomes[-1] == (Outcome.ABORTED, 101)
        assert "may not be forwarded; your role allows 22 (forwardPorts)" in str(record)
        assert "kubewitness.dev/connections" not in record.annotations
        assert CUT_OFF not in record.annotations
        assert b"portforward" not in after_head(server.written)
        assert len(after_head(server.written)) < len(conversation.sent_by(client=True))


@pytest.mark.parametrize("name", FORWARDS)
async def test_a_port_that_the_role_names_is_forwarded(tmp_path, name):
    conversation = Conversation(name)
    async with plane(recordings=tmp_path, roles=only(1, 80)) as it:
        client, server = await begun(it, conversation)
        for by_client, data in conversation.passed:
            (client.send if by_client else server.receive)(data)
        await until(lambda: after_head(server.written) == conversation.sent_by(client=True))
        server.end()
        await gone(client)


async def test_a_port_that_the_request_names_is_refused_at_once(tmp_path):
    lines = (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: " + KEY)
    asked = request(b"GET", POD + b"?ports=80&ports=22", *lines, b"Sec-WebSocket-Protocol: v4.channel.k8s.io")
    async with plane(recordings=tmp_path, roles=only(80)) as it:
        answer = await it.client().ask(asked)
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert b"port 22 may not be forwarded; your role allows 80 (forwardPorts)" in answer
        assert it.server.streams == []
        assert it.log.outcomes == [(Outcome.REFUSED, 403)]
