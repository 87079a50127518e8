"""One HTTP request of kwit's own, for a person who waits: bounded, blocking, straight to the address it names.

No redirect is followed, no proxy of the environment used, no cookie kept. The data plane has its own pool; this is for
`kwit doctor` and `kwit cluster add`.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 10.0
"""A person waits; what needs longer counts as unreachable."""
MAX_ANSWER_BYTES = 1 << 20


class DirectError(Exception):
    """There was no answer; the message says what happened, in a few words."""


@dataclass(frozen=True, slots=True)
class DirectAnswer:
    """Status, headers with lower-case names, and at most MAX_ANSWER_BYTES of body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


def ask(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    context: ssl.SSLContext | None = None,
    tls_server_name: str | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> DirectAnswer:
    """Send one request and read its answer. `context` is needed for https. Raises DirectError."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection = http.client.HTTPConnection(host, port, timeout=timeout_seconds)
        connection.sock = _connect(host, port, context, tls_server_name or host, timeout_seconds)
        try:
            connection.request(method, target, body=body, headers={"User-Agent": "kubewitness", **(headers or {})})
            response = connection.getresponse()
            data = response.read(MAX_ANSWER_BYTES + 1)
        finally:
            connection.close()
    except ssl.SSLCertVerificationError as error:
        raise DirectError(f"its certificate is not accepted: {error.verify_message}") from error
    except TimeoutError as error:
        raise DirectError(f"no answer within {timeout_seconds:g} s") from error
    except (OSError, http.client.HTTPException) as error:
        raise DirectError(getattr(error, "strerror", None) or str(error) or type(error).__name__) from error
    if len(data) > MAX_ANSWER_BYTES:
        raise DirectError(f"the answer is longer than {MAX_ANSWER_BYTES} bytes")
    return DirectAnswer(response.status, {k.lower(): v for k, v in response.getheaders()}, data)


def _connect(host: str, port: int, context: ssl.SSLContext | None, name: str, timeout_seconds: float) -> socket.socket:
    plain = socket.create_connection((host, port), timeout=timeout_seconds)
    if context is None:
        return plain
    try:
        return context.wrap_socket(plain, server_hostname=name)
    except BaseException:
        plain.close()
        raise
