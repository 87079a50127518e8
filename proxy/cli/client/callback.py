"""The one request that the browser brings back after a sign-in.

RFC 8252, section 7.3: a literal loopback address and a port that the system chose, bound before the URL is made. The
first callback with our state is taken and no other; anything else that knocks is told so and changes nothing.
"""

from __future__ import annotations

import hmac
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

from proxy.cli.client.problem import Problem

REQUEST_SECONDS = 10
"""A browser opens connections that it may never use; each is dropped after this."""
MAX_TARGET = 4096
"""Characters of a request target; ours has 150."""
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>kubewitness</title>
<style>body{{font:16px/1.5 system-ui;max-width:32rem;margin:18vh auto;padding:0 1rem}}</style>
<h1>{title}</h1><p>{text}</p></html>"""
_SECURITY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Connection": "close",
}


@dataclass(frozen=True, slots=True)
class Returned:
    """What the browser brought: a code, or the server's error and its sentence."""

    code: str = ""
    error: str = ""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = False
    request_queue_size = 16

    def __init__(self, state: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.state = state
        self.returned: queue.Queue[Returned] = queue.Queue(maxsize=1)

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that breaks off is no news."""


class _Handler(BaseHTTPRequestHandler):
    timeout: ClassVar[int | None] = REQUEST_SECONDS
    server: _Server
    server_version = "kwit"
    sys_version = ""

    def do_GET(self) -> None:
        status, title, text = self._take()
        page = _PAGE.format(title=title, text=text).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        for name, value in _SECURITY.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(page)

    def _take(self) -> tuple[int, str, str]:
        parts = urlsplit(self.path)
        if self.headers.get("Host") != f"127.0.0.1:{self.server.server_address[1]}":
            return 400, "Not for this address", "This page answers to its own address only."
        if parts.path != "/callback" or len(self.path) > MAX_TARGET:
            return 404, "Nothing here", "This address waits for one sign-in."
        query = parse_qs(parts.query, keep_blank_values=True)
        if any(len(values) != 1 for values in query.values()):
            return 400, "Not understood", "A parameter stands there twice. Run <code>kwit login</code> again."
        one = {name: values[0] for name, values in query.items()}
        if not hmac.compare_digest(one.get("state", "").encode(), self.server.state.encode()):
            return 400, "Not this sign-in", "This is not the sign-in that was started here. Run it again."
        returned = Returned(one.get("code", ""), one.get("error_description", "") or one.get("error", ""))
        try:
            self.server.returned.put_nowait(returned)
        except queue.Full:
            return 400, "Too late", "This sign-in was already taken."
        if returned.error or not returned.code:
            return 200, "Not signed in", "The terminal says why."
        return 200, "You are signed in", "Close this page and go back to the terminal."

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing: the target holds the code."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A bound listener. `redirect_uri` is where the browser is to come back to."""

    redirect_uri: str
    _server: _Server

    def wait(self, seconds: float) -> Returned:
        """The callback. Raises Problem when none comes in time."""
        try:
            return self._server.returned.get(timeout=seconds)
        except queue.Empty:
            raise Problem(
                f"nobody signed in within {seconds:.0f} seconds; run `kwit login` again, "
                "with --no-browser if the browser is on another machine"
            ) from None


@contextmanager
def listening(state: str) -> Iterator[Waiting]:
    """Bind 127.0.0.1 on a port of the system's choice, until the block ends. Raises Problem."""
    try:
        server = _Server(state)
    except OSError as error:
        raise Problem(f"no loopback port can be opened ({error.strerror}); use --no-browser") from error
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield Waiting(f"http://127.0.0.1:{server.server_address[1]}/callback", server)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
