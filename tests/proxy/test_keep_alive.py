import asyncio
import socket
import sys

import pytest
import uvloop

from proxy.keep_alive import keep_alive


@pytest.mark.skipif(sys.platform != "linux", reason="the options' names are Linux's")
@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_peer_that_vanished_is_noticed_after_two_minutes(factory):
    async def kept():
        with socket.create_server(("127.0.0.1", 0)) as server:
            loop = asyncio.get_running_loop()
            transport, _ = await loop.create_connection(asyncio.Protocol, *server.getsockname())
            shown = transport.get_extra_info("socket")
            keep_alive(shown)
            options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            transport.abort()
            return [shown.getsockopt(socket.IPPROTO_TCP, option) for option in options]

    with asyncio.Runner(loop_factory=factory) as runner:
        idle, interval, probes = runner.run(kept())
    assert idle + interval * probes == 120
