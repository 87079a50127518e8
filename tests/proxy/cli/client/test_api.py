"""Claims about how the client speaks to the web listener."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import trustme

from proxy.cli.client import key
from proxy.cli.client.api import Api, server_url, visible
from proxy.cli.client.problem import NotSignedIn, Problem, Unreachable


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("kwit.example.com", "https://kwit.example.com"),
        ("https://KWIT.example.com:443/", "https://kwit.example.com"),
        ("https://kwit.example.com:8443", "https://kwit.example.com:8443"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_a_server_is_written_one_way(typed: str, url: str) -> None:
    assert server_url(typed) == url


@pytest.mark.parametrize(
    "typed",
    [
        "http://kwit.example.com",
        "ftp://x",
        "https://",
        "https://x/path",
        "https://x?y",
        "https://u:p@x",
        "https://x:99999",
        "https://a b",
        "https://a\tb",
        "https://a\nb",
        "https://[x",
        "https://bücher.example",
        "https://a,b",
        "https://a%2fb",
        "https://a/..",
        "",
    ],
)
def test_what_is_no_server_is_refused_as_wrong_usage(typed: str) -> None:
    with pytest.raises(Problem) as caught:
        server_url(typed)
    assert caught.value.exit_code == 2


@pytest.fixture
def canned() -> Iterator[list[tuple[int, bytes, str]]]:
    """Answers to give, newest last; the server's URL is in the first one's text before it is replaced."""
    answers: list[tuple[int, bytes, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body, location = answers.pop()
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    http = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    answers.append((0, b"", f"http://127.0.0.1:{http.server_address[1]}"))
    yield answers
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("status", "body", "kind", "sentence"),
    [
        (403, b'{"error":"locked","message":"locked."}', Problem, "locked."),
        (403, b'{"error":"x","message":"no.","next":"ask"}', Problem, "no; ask"),
        (401, b'{"error":"login_expired","message":"over"}', NotSignedIn, "over"),
        (503, b'{"error":"x","message":"later"}', Unreachable, "later"),
        (502, b"<html>", Unreachable, "answered 502"),
        (404, b"", Problem, "answered 404"),
        (200, b"<html>", Problem, "something else than JSON"),
        (200, b"[]", Problem, "something else than JSON"),
        (200, b"[" * 100_000, Problem, "something else than JSON"),
        (302, b"{}", Problem, "answered 302"),
    ],
)
def test_each_answer_that_is_no_success_is_a_sentence_of_the_right_kind(
    canned: list[tuple[int, bytes, str]], status: int, body: bytes, kind: type[Problem], sentence: str
) -> None:
    server = canned.pop()[2]
    canned.append((status, body, f"{server}/elsewhere"))
    with pytest.raises(Problem, match=sentence) as caught:
        Api(server, time.time).call("GET", "/x")
    assert type(caught.value) is kind
    assert canned == []


def test_a_server_whose_clock_never_suits_is_asked_twice_and_no_more(canned: list[tuple[int, bytes, str]]) -> None:
    server = canned.pop()[2]
    canned += [(401, b'{"error":"clock","server_time":5}', "")] * 3
    with pytest.raises(Problem):
        Api(server, lambda: 0.0, key=key.new_key(), login="x").call("GET", "/x")
    assert len(canned) == 1


def test_nobody_listening_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="cannot be reached"):
        Api("http://127.0.0.1:1", time.time).call("GET", "/x")


def test_a_certificate_of_an_unknown_ca_is_refused_and_names_the_option(canned: list[tuple[int, bytes, str]]) -> None:
    mine, other = trustme.CA(), trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    mine.issue_cert("127.0.0.1").configure_cert(context)
    http = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    http.handle_error = lambda request, client_address: None  # type: ignore[method-assign]
    http.socket = context.wrap_socket(http.socket, server_side=True)
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    url = f"https://127.0.0.1:{http.server_address[1]}"
    with pytest.raises(Problem, match="--ca-file"):
        Api(url, time.time, other.cert_pem.bytes().decode()).call("GET", "/x")
    with pytest.raises(Unreachable, match="answered 501"):
        Api(url, time.time, mine.cert_pem.bytes().decode()).call("GET", "/x")
    http.shutdown()
    http.server_close()


def test_a_ca_that_is_none_is_a_sentence() -> None:
    with pytest.raises(Problem, match="PEM"):
        Api("https://127.0.0.1:1", time.time, "nonsense").call("GET", "/x")


def test_server_text_cannot_steer_the_terminal() -> None:
    assert visible("a\x1b[2J\nb\u202ec" + "x" * 2000) == ("a [2J b c" + "x" * 2000)[:1000]
