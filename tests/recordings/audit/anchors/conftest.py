"""A place on loopback that takes what anchors send, and a log's checkpoints to send."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recordings.audit.anchors.anchor import Published
from recordings.audit.checkpoint import Checkpoint, signed
from recordings.audit.note import Ed25519Signer

SIGNER = Ed25519Signer.of("acme/host-0", Ed25519PrivateKey.from_private_bytes(bytes(32)))


def checkpoint(size: int, origin: str = "acme/host-0") -> Published:
    signer = Ed25519Signer.of(origin, SIGNER.private)
    return Published(origin, size, signed(Checkpoint(origin, size, bytes([size % 256]) * 32), signer))


@dataclass
class Place:
    """`answers` in order, then 200 for ever."""

    url: str = ""
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    answers: list[web.Response] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append((request.method, request.raw_path, headers, await request.read()))
        return self.answers.pop(0) if self.answers else web.Response()


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    found = Place()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", found.handle)
    server = TestServer(app)
    await server.start_server()
    found.url = f"http://127.0.0.1:{server.port}"
    yield found
    await server.close()
