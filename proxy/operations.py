"""The operations listener: is it alive, may it get traffic, what does it count. It asks nobody who they are."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

BACKLOG_CLOSE_SECONDS = 1.0
"""A scrape takes milliseconds; nothing here is worth waiting for at the end."""
MAX_HEADER_BYTES = 8190


@dataclass(frozen=True, slots=True)
class Check:
    """One line of /readyz: `problem` is empty while all is well. Only what is `fatal` takes a server out of service."""

    name: str
    problem: str = ""
    fatal: bool = True


def readiness(checks: list[Check]) -> tuple[bool, str]:
    """(ready, text) with a line for each check, as the API server's own /readyz?verbose has them."""
    ready = not any(check.problem and check.fatal for check in checks)
    lines = [
        f"[{'+' if not check.problem else '-' if check.fatal else '!'}]{check.name} {check.problem or 'ok'}"
        for check in checks
    ]
    return ready, "\n".join([*lines, "readyz check passed" if ready else "readyz check failed"]) + "\n"


class OperationsListener:
    """Plain HTTP on an address of its own, loopback by default."""

    def __init__(self, checks: Callable[[], list[Check]], metrics: Callable[[], str]) -> None:
        self._checks, self._metrics = checks, metrics
        app = web.Application(client_max_size=0)
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._page)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=BACKLOG_CLOSE_SECONDS,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
        )

    async def start(self, listening: socket.socket) -> None:
        await self._runner.setup()
        await web.SockSite(self._runner, listening).start()

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _livez(self, _request: web.Request) -> web.Response:
        """That this is answered is all there is to say: the loop runs."""
        return web.Response(text="ok\n")

    async def _readyz(self, _request: web.Request) -> web.Response:
        ready, text = readiness(self._checks())
        return web.Response(status=200 if ready else 503, text=text)

    async def _page(self, _request: web.Request) -> web.Response:
        return web.Response(
            body=self._metrics().encode(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )
