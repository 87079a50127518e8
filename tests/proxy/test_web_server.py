"""What `proxy.web_server` composes is tried whole by test_app.py; here is its TLS side, which that one leaves out."""

import asyncio
import socket
import ssl

import aiohttp

from auth.state.live import LiveState
from auth.state.sqlite import SqliteStore
from proxy.clusters import ClusterRegistry
from proxy.config import Config
from proxy.in_force import InForce
from proxy.keys import load_keys
from proxy.log_writer import LogWriter
from proxy.role_directory import RoleDirectory
from proxy.web_server import WebServer
from tests.proxy.running import configuration


async def test_it_serves_tls_by_our_own_ca_and_names_itself(tmp_path):
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"https://localhost:{listening.getsockname()[1]}"
    path = configuration(tmp_path, "https://id.example.com", 1, web={"address": "127.0.0.1:1", "url": url})
    config = Config.load(path)
    loop, now = asyncio.get_running_loop(), lambda: 1_800_000_000.0
    keys, store = load_keys(config, now()), SqliteStore(config.state_path)
    await store.open()
    clusters = ClusterRegistry.load(config.clusters_dir)
    in_force = InForce(store, LiveState(), RoleDirectory(config, clusters), clusters, max_age_seconds=60.0)
    writer = LogWriter(config, "node-web", loop=loop, clock=now, mono=now)
    await writer.open()
    server = WebServer(config, keys, in_force, writer=writer, store=store, connectors={}, kube_ca_pem="CA", clock=now)
    await server.start(listening)
    try:
        context = ssl.create_default_context(cadata=keys.servers.pem)
        context.verify_flags |= 0x200000  # no dates: the clock of this test is its own
        async with aiohttp.ClientSession() as client, client.get(url + "/api/v1/installation", ssl=context) as answer:
            document = await answer.json()
        server.sweep()
    finally:
        await server.stop()
        await writer.close()
        await store.close()
    assert (document["installation"], document["connectors"]) == ("example", [])
