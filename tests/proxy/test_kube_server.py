"""What `proxy.kube_server` composes is tried whole by test_app.py; here is what it hands on."""

import asyncio
import socket

from auth.state.live import LiveState
from auth.state.sqlite import SqliteStore
from proxy.clusters import ClusterRegistry
from proxy.config import Config
from proxy.in_force import InForce
from proxy.keys import load_keys
from proxy.kube_server import KubeServer
from proxy.log_writer import LogWriter
from proxy.role_directory import RoleDirectory
from tests.proxy.running import configuration


async def test_a_connection_without_a_certificate_is_counted_and_recorded_by_its_writer(tmp_path):
    config = Config.load(configuration(tmp_path, "https://id.example.com", 1))
    loop, now = asyncio.get_running_loop(), lambda: 1_800_000_000.0
    store = SqliteStore(config.state_path)
    await store.open()
    clusters = ClusterRegistry.load(config.clusters_dir)
    in_force = InForce(store, LiveState(), RoleDirectory(config, clusters), clusters, max_age_seconds=60.0)
    writer = LogWriter(config, "node-0", loop=loop, clock=now, mono=now)
    await writer.open()
    counted = []
    writer.refused = lambda *facts: counted.append(facts)
    server = KubeServer(config, load_keys(config, now()), in_force, writer, worker=0, loop=loop, clock=now)
    listening = socket.create_server(("127.0.0.1", 0))
    server.start(listening)
    try:
        reader, sender = await asyncio.open_connection(*listening.getsockname())
        sender.write(b"GET / HTTP/1.1\r\n\r\n")
        await reader.read()
        sender.close()
        async with asyncio.timeout(10):
            while not server.metrics.handshake_failures:
                await asyncio.sleep(0.01)
        server.sweep()
    finally:
        await server.stop()
        await writer.close()
        await store.close()
    assert dict(server.metrics.handshake_failures) == {"plain_http": 1}
    assert counted == [("plain_http", "127.0.0.1", "")]
