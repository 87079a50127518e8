"""A web listener's API in memory, checking what the client sends; and a folder of its own for each test."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import urlopen

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey, generate_private_key
from cryptography.x509.oid import NameOID

from proxy.cli.client.saved_login import SavedLogin
from proxy.cli.client.sign_in import Person, sign_in

LOGIN = "a" * 26


def hash_of(key: Any) -> str:
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.urlsafe_b64encode(sha256(der).digest()).rstrip(b"=").decode()


class FakeWeb:
    """One installation. `clock_ahead` is the server's clock minus ours; `refusal` answers every signed call."""

    def __init__(self) -> None:
        self.ca_key = generate_private_key(SECP256R1())
        self.clusters: list[dict[str, Any]] = [
            {"name": "prod", "labels": {"env": "prod"}},
            {"name": "dev", "labels": {}},
        ]
        self.clock_ahead = 0.0
        self.lifetime = 3600.0
        self.refusal: tuple[int, dict[str, object]] | None = None
        self.verdict: dict[str, object] = {"allowed": True, "role": "dev", "rule": "allow[0]", "reason": ""}
        self.calls: list[str] = []
        self.transaction: dict[str, str] = {}
        self.key_hash = ""
        self.seen: set[str] = set()
        self.ended = False
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                self._answer()

            def do_DELETE(self) -> None:
                self._answer()

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, answer = fake.handle(self.command, self.path, dict(self.headers), body)
                data = b"" if answer is None else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"

    def handle(self, method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        path = urlsplit(target).path
        self.calls.append(f"{method} {path}")
        if path == "/api/v1/installation":
            return 200, {"installation": "example", "connectors": [{"name": "corp"}], "login_ttl_seconds": 36000}
        data = json.loads(body) if body else {}
        if path == "/api/v1/logins":
            challenge = base64.urlsafe_b64encode(sha256(data["code_verifier"].encode()).digest()).rstrip(b"=").decode()
            key = serialization.load_pem_public_key(data["public_key"].encode())
            self.key_hash = hash_of(key)
            if (data["code"], challenge, self.key_hash) != (
                "CODE", self.transaction["code_challenge"], self.transaction["key"],
            ):  # fmt: skip
                return 400, {"error": "code_invalid", "message": "this code is not for this key"}
            self.ended = False
            return 201, self.login()
        refused = self._proof(method, path, headers) or self.refusal
        if refused is not None:
            return refused
        if path == "/api/v1/can-i":
            self.question = data
            return 200, self.verdict
        if path == "/api/v1/certificates":
            return 201, self._certificate(data)
        if method == "DELETE":
            self.ended = True
            return 204, None
        return 200, self.login()

    def _proof(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, dict[str, object]] | None:
        token = headers["DPoP"]
        header = jwt.get_unverified_header(token)
        key = jwt.PyJWK(header["jwk"], algorithm="ES256").key
        claims = jwt.decode(token, key, algorithms=["ES256"], options={"verify_iat": False})
        now = time.time() + self.clock_ahead
        if abs(claims["iat"] - now) > 300:
            return 401, {"error": "clock", "server_time": now}
        if self.ended:
            return 401, {"error": "login_ended", "message": "this login has ended; run `kwit login`"}
        assert (header["typ"], claims["htm"], claims["htu"]) == ("dpop+jwt", method, self.url + path)
        assert (hash_of(key), claims["login"]) == (self.key_hash, LOGIN)
        assert claims["jti"] not in self.seen
        self.seen.add(claims["jti"])
        return None

    def _certificate(self, data: dict[str, str]) -> dict[str, object]:
        request = x509.load_pem_x509_csr(data["csr"].encode())
        assert request.is_signature_valid
        assert hash_of(request.public_key()) == self.key_hash
        return {"certificate": self.sign(request.public_key()), "lifetime_seconds": self.lifetime, "serial": "1"}

    def sign(self, key: Any) -> str:
        assert isinstance(key, EllipticCurvePublicKey)
        now = datetime.now(UTC)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, LOGIN)])
        builder = x509.CertificateBuilder(name, name, key, x509.random_serial_number(), now, now + timedelta(hours=1))
        return builder.sign(self.ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()

    def login(self) -> dict[str, object]:
        person = {"id": LOGIN, "username": "ada@example.com", "groups": ["eng"], "connector": "corp", "email": None}
        return {
            "login": person | {"expires_in": 36000},
            "installation": "example",
            "kube": {
                "url": "https://kube.example.com:8443",
                "ca": self.sign(self.ca_key.public_key()),
                "tls_server_name": None,
            },
            "clusters": self.clusters,
        }

    def browse(self, url: str, **changes: str) -> bool:
        """A browser whose person signs in at once; `changes` to the query that it brings back."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        self.transaction = query
        if "redirect_uri" in query:
            back = {"code": "CODE", "state": query["state"]} | changes
            with urlopen(f"{query['redirect_uri']}?{urlencode(back)}", timeout=5) as page:
                self.page = page.read().decode()
        return True


@pytest.fixture
def web() -> Iterator[FakeWeb]:
    fake = FakeWeb()
    thread = threading.Thread(target=fake.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield fake
    fake.http.shutdown()
    fake.http.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KWIT_HOME", str(tmp_path / "kwit"))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    monkeypatch.delenv("KUBERNETES_EXEC_INFO", raising=False)
    return tmp_path


@pytest.fixture
def person(web: FakeWeb) -> Person:
    said: list[str] = []
    return Person(said.append, web.browse, lambda _: "CODE")


@pytest.fixture
def login(web: FakeWeb, person: Person) -> SavedLogin:
    return sign_in(web.url, person, clock=time.time)
