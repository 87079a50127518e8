"""An API server over real TLS that answers only what `proxy.cluster_probe` asks; its account's rights are mutable.

Its answers have the shapes that Kubernetes gives.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import trustme


@dataclass
class ProbedAPIServer:
    """A context manager. `rights`: (verb, group, resource) that reviews allow. `status`: path → forced status."""

    token: str = "good"
    rights: set[tuple[str, str, str]] = field(default_factory=lambda: {("impersonate", "", "users")})
    status: dict[str, int] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    seen: list[tuple[str, str]] = field(default_factory=list)
    ca: trustme.CA = field(default_factory=trustme.CA)
    tls: bool = True

    def __enter__(self) -> Self:
        import ssl

        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer._answer(self)

            def do_POST(self) -> None:
                outer._answer(self)

            def log_message(self, *_: Any) -> None:
                """Nothing on stderr."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.ca.issue_cert("127.0.0.1", "named.example").configure_cert(context)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self._server.server_address[1]}"

    @property
    def ca_pem(self) -> str:
        return self.ca.cert_pem.bytes().decode()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        path = handler.path.partition("?")[0]
        self.seen.append((handler.command, handler.path))
        status, answer = self._decide(path, handler.headers.get("Authorization", ""), body)
        data = self.bodies.get(path, json.dumps(answer).encode())
        handler.send_response(self.status.get(path, status))
        for name, value in {"Content-Length": str(len(data)), **self.headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)

    def _decide(self, path: str, authorization: str, body: bytes) -> tuple[int, dict[str, Any]]:
        if authorization != f"Bearer {self.token}":
            return 401, {"kind": "Status", "code": 401}
        if path == "/version":
            return 200, {"gitVersion": "v1.36.3"}
        if path.endswith("/selfsubjectaccessreviews"):
            asked = json.loads(body)["spec"]["resourceAttributes"]
            wanted = (asked["verb"], asked["group"], asked["resource"])
            return 201, {"status": {"allowed": wanted in self.rights or ("*", "*", "*") in self.rights}}
        allowed = ("list", "", "pods") in self.rights or ("*", "*", "*") in self.rights
        return (200, {"kind": "PodList"}) if allowed else (403, {"kind": "Status", "code": 403})
