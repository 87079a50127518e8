"""The web listener's JSON API, from the client's side.

Nothing is followed, guessed or taken from the environment: no redirects, no proxies, HTTPS only (plain HTTP to a
loopback address, for the demo). A refusal becomes a `Problem` with the server's sentence.
"""

from __future__ import annotations

import http.client
import json
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from proxy.cli.client.key import proof
from proxy.cli.client.problem import NotSignedIn, Problem, Unreachable

TIMEOUT_SECONDS = 20
"""For connecting and for each read: longer than a server's slowest honest answer, shorter than a person's patience."""
MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""10,000 clusters with labels are 2 MiB."""
MAX_LINE_BYTES = 1024 * 1024
"""Of an answer that is read by lines: a recording's are pieces of 16 KiB, at most six times that as JSON."""
_GONE = frozenset({"login_unknown", "login_ended", "login_expired", "proof_invalid"})
"""Reasons that a new login would cure."""
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")
"""In lower case; an address of IPv6 without its brackets. Names in other letters are typed in their ASCII form."""
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def server_url(text: str) -> str:
    """`scheme://host[:port]` as the client writes it everywhere. Raises Problem."""
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise Problem(f"{text[:200]!r} is not a URL; expected https://HOST[:PORT]", exit_code=2) from error
    more = parts.username or parts.path not in ("", "/") or parts.query or parts.fragment
    if more or not text.isprintable() or not host or not _HOST.fullmatch(host):
        raise Problem(f"{text[:200]!r} is not a server's URL; expected https://HOST[:PORT]", exit_code=2)
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOOPBACK):
        raise Problem(f"{text[:200]!r} is not https; a login would be readable on the way", exit_code=2)
    name = f"[{host}]" if ":" in host else host
    default = {"https": 443, "http": 80}[parts.scheme]
    return f"{parts.scheme}://{name}" + (f":{port}" if port and port != default else "")


@dataclass(slots=True)
class Api:
    """One server. `offset` is what its clock is ahead of ours, in seconds, once it has told us."""

    server: str
    clock: Callable[[], float]
    ca_pem: str | None = None
    key: EllipticCurvePrivateKey | None = None
    login: str = ""
    offset: float = field(default=0.0)
    timeout: float = TIMEOUT_SECONDS

    def call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        """The answer of a call, signed if there is a key. Raises Problem, Unreachable, NotSignedIn."""
        status, answer = self._once(method, path, body)
        if status == http.client.UNAUTHORIZED and answer.get("error") == "clock":
            self.offset = _number(answer.get("server_time")) - self.clock()
            status, answer = self._once(method, path, body)
        if status >= http.client.BAD_REQUEST:
            raise _refusal(self.server, status, answer)
        if not 200 <= status < 300:
            raise Problem(f"{self.server} answered {status} where an API was expected; is the URL right?")
        return answer

    def lines(self, path: str, body: Mapping[str, object] | None = None) -> Iterator[bytes]:
        """The lines of a long answer as they come; with a body it is posted. Raises as `call` does, before the first
        one or in between.
        """
        method, payload = ("GET", None) if body is None else ("POST", json.dumps(body).encode())
        for is_last in (False, True):
            connection = self._connection()
            try:
                connection.request(method, path, payload, self._headers(method, path, payload))
                response = connection.getresponse()
                if response.status == http.client.OK:
                    while line := response.readline(MAX_LINE_BYTES):
                        yield line
                    return
                answer = _parse(self.server, response.status, response.read(MAX_ANSWER_BYTES + 1))
            except ssl.SSLCertVerificationError as error:
                raise Problem(_untrusted(self.server, error)) from error
            except (OSError, http.client.HTTPException) as error:
                raise Unreachable(
                    f"{self.server} cannot be reached ({_short(error)}); check the URL and your network"
                ) from error
            finally:
                connection.close()
            if is_last or answer.get("error") != "clock":
                raise _refusal(self.server, response.status, answer)
            self.offset = _number(answer.get("server_time")) - self.clock()

    def _headers(self, method: str, path: str, payload: bytes | None) -> dict[str, str]:
        """A proof is of the path without its query (RFC 9449, section 4.2)."""
        headers = {"Accept": "application/json", "User-Agent": "kwit"}
        if payload is not None:
            headers["Content-Type"] = "application/json"
        if self.key is not None:
            now, url = self.clock() + self.offset, self.server + path.partition("?")[0]
            headers["DPoP"] = proof(self.key, method=method, url=url, login=self.login, now=now)
        return headers

    def _once(self, method: str, path: str, body: Mapping[str, object] | None) -> tuple[int, dict[str, Any]]:
        payload = None if body is None else json.dumps(body).encode()
        headers = self._headers(method, path, payload)
        connection = self._connection()
        try:
            connection.request(method, path, payload, headers)
            response = connection.getresponse()
            data = response.read(MAX_ANSWER_BYTES + 1)
        except ssl.SSLCertVerificationError as error:
            raise Problem(_untrusted(self.server, error)) from error
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(
                f"{self.server} cannot be reached ({_short(error)}); check the URL and your network"
            ) from (error)
        finally:
            connection.close()
        return response.status, _parse(self.server, response.status, data)

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.server)
        host, port = parts.hostname or "", parts.port
        if parts.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=self.timeout)
        try:
            context = ssl.create_default_context(cadata=self.ca_pem)
        except (ssl.SSLError, ValueError) as error:
            raise Problem("the CA file holds no certificate in PEM; give the file of the server's CA") from error
        return http.client.HTTPSConnection(host, port, timeout=self.timeout, context=context)


def _parse(server: str, status: int, data: bytes) -> dict[str, Any]:
    if len(data) > MAX_ANSWER_BYTES:
        raise Problem(f"{server} answered more than {MAX_ANSWER_BYTES} bytes; is the URL right?")
    if not data:
        return {}
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict):
        return answer
    if status >= http.client.BAD_REQUEST:
        return {}
    raise Problem(f"{server} answered something else than JSON; is the URL right?")


def _refusal(server: str, status: int, answer: Mapping[str, object]) -> Problem:
    reason = str(answer.get("error") or "")[:64]
    message = visible(str(answer.get("message") or f"{server} answered {status}"))
    following = visible(str(answer.get("next") or ""))
    sentence = message if not following or following in message else f"{message.rstrip('.')}; {following}"
    if reason in _GONE:
        return NotSignedIn(sentence, reason=reason)
    if status >= http.client.INTERNAL_SERVER_ERROR:
        return Unreachable(sentence, reason=reason)
    return Problem(sentence, reason=reason)


def visible(text: str) -> str:
    """Server text for a terminal: one line, no control characters, bounded."""
    return "".join(c if c.isprintable() else " " for c in text[:1000])


def _untrusted(server: str, error: ssl.SSLCertVerificationError) -> str:
    return (
        f"{server} shows a certificate that this machine does not trust ({error.verify_message}); "
        "if your company has its own CA, give its file with --ca-file"
    )


def _short(error: Exception) -> str:
    return visible(str(getattr(error, "strerror", None) or error or type(error).__name__))[:200]


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
