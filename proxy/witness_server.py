"""The listener of a witness: one path, whose answers are `recordings.audit.anchors.witness`'s."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from recordings.audit.anchors.witness import MAX_BODY_BYTES, Witness

PATH = "/add-checkpoint"
BODY_SECONDS = 10.0
"""From the head to the end of the body, which has some 70 KiB at most."""
CLOSE_SECONDS = 2.0
MAX_LINE_BYTES = 1024
"""Of the request line and of each header: nothing here is long."""


def tls_context(certificate_chain: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.3 only. Raises OSError, ssl.SSLError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(certificate_chain, key)
    return context


class WitnessServer:
    """`start`, then `stop`. Who asks is known by what he has signed: there is no other authentication."""

    def __init__(self, witness: Witness, *, clock: Callable[[], float], say: Callable[[str], None]) -> None:
        self._witness, self._clock, self._say = witness, clock, say
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_post(PATH, self._add_checkpoint)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=CLOSE_SECONDS,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_LINE_BYTES,
            auto_decompress=False,
        )

    async def start(self, listening: socket.socket, context: ssl.SSLContext | None) -> None:
        """`context` None: plain HTTP."""
        await self._runner.setup()
        await web.SockSite(self._runner, listening, ssl_context=context).start()

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _add_checkpoint(self, request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await request.read()
            reply = await asyncio.to_thread(self._witness.add_checkpoint, body, self._clock())
        except TimeoutError:
            return web.Response(status=408)
        except OSError as error:
            self._say(f"a checkpoint was not kept, so it was not signed: {error}")
            return web.Response(status=503, text="it cannot be kept now\n")
        if reply.status != 200:
            self._say(f"refused {request.remote}: {reply.status} {reply.body.strip()}")
        return web.Response(status=reply.status, text=reply.body, headers={"Content-Type": reply.content_type})
