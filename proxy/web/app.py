"""The web listener: its application, and its socket with a limit of its own on the first head."""

from __future__ import annotations

import asyncio
import socket
import ssl

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from aiohttp.web_protocol import RequestHandler

from auth.login import Grants
from proxy.web.api import Api
from proxy.web.audit import AuditApi
from proxy.web.deps import WebDeps
from proxy.web.errors import DEPS, errors_middleware
from proxy.web.locks import LocksApi
from proxy.web.login import LoginPages
from proxy.web.pages import add_headers, stylesheet
from proxy.web.recordings import RecordingsApi
from proxy.web.requests import MAX_BODY_BYTES, host_middleware

HEAD_SECONDS = 10.0
"""From the connection to the end of the first request's head. aiohttp would wait as long as between two requests."""
HANDSHAKE_SECONDS = 10.0
KEEPALIVE_SECONDS = 30.0
MAX_LINE_BYTES = 8190
"""Of the request line: a provider's answer with `session_state` and `iss` has 1 KiB."""
MAX_HEADER_BYTES = 8190
MAX_HEADERS = 64
DRAIN_SECONDS = 5.0
BACKLOG = 128

__all__ = ["WebDeps", "WebListener", "build_web_app", "web_ssl_context"]


def build_web_app(deps: WebDeps) -> web.Application:
    """The application; it holds sign-ins under way, so there is one of it in an installation."""
    codes = Grants()
    app = web.Application(
        middlewares=[errors_middleware, host_middleware(deps.host, deps.refused)], client_max_size=MAX_BODY_BYTES
    )
    app[DEPS] = deps
    app.add_routes(LoginPages(deps, codes).routes())
    api = Api(deps, codes)
    app.add_routes(api.routes())
    app.add_routes(RecordingsApi(deps, api.caller).routes())
    app.add_routes(LocksApi(deps, api.caller).routes())
    if deps.audit_log is not None:
        app.add_routes(AuditApi(deps, deps.audit_log, api.caller).routes())
    app.router.add_get("/static/kwit.css", stylesheet, allow_head=False)
    app.on_response_prepare.append(add_headers)
    return app


def web_ssl_context(certificate_chain: str, key: str) -> ssl.SSLContext:
    """TLS 1.3 only (every browser since 2019), http/1.1 only. Paths of PEM files."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(certificate_chain, key)
    return context


class WebListener:
    """Serves an application on a bound socket. A connection that sends no whole head in time is dropped."""

    def __init__(self, app: web.Application, *, head_seconds: float = HEAD_SECONDS) -> None:
        self._head_seconds = head_seconds
        self._silent: dict[RequestHandler, asyncio.TimerHandle] = {}
        app.middlewares.insert(0, self._middleware())
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            keepalive_timeout=KEEPALIVE_SECONDS,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            max_headers=MAX_HEADERS,
            auto_decompress=False,
            shutdown_timeout=DRAIN_SECONDS,
        )
        self._server: asyncio.Server | None = None
        self._tls = False

    async def start(self, listening: socket.socket, context: ssl.SSLContext | None) -> None:
        """`context` None: plain HTTP, for the demo on loopback."""
        self._tls = context is not None
        await self._runner.setup()
        self._server = await asyncio.get_running_loop().create_server(
            self._connection,
            sock=listening,
            ssl=context,
            backlog=BACKLOG,
            ssl_handshake_timeout=None if context is None else HANDSHAKE_SECONDS,
        )

    async def stop(self) -> None:
        """Accept no more, let what runs end, close."""
        if self._server is not None:
            self._server.close()
        for timer in self._silent.values():
            timer.cancel()
        self._silent.clear()
        await self._runner.cleanup()

    def _connection(self) -> RequestHandler:
        server = self._runner.server
        assert server is not None
        handler = server()
        # the handshake, which has its own limit, comes after this
        seconds = self._head_seconds + (HANDSHAKE_SECONDS if self._tls else 0.0)
        self._silent[handler] = asyncio.get_running_loop().call_later(seconds, self._drop, handler)
        return handler

    def _drop(self, handler: RequestHandler) -> None:
        self._silent.pop(handler, None)
        if handler.transport is not None:
            handler.transport.abort()

    def _middleware(self) -> Middleware:
        @web.middleware
        async def asked(request: web.Request, handler: Handler) -> web.StreamResponse:
            timer = self._silent.pop(request.protocol, None)
            if timer is not None:
                timer.cancel()
            return await handler(request)

        return asked
