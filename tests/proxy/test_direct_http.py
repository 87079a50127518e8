import ssl

import pytest
import trustme

from proxy.direct_http import MAX_ANSWER_BYTES, DirectAnswer, DirectError, ask
from tests.fakes.probed_apiserver import ProbedAPIServer


def trusting(server: ProbedAPIServer) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=server.ca_pem)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def test_an_answer_has_status_lower_case_headers_and_body():
    with ProbedAPIServer(bodies={"/x": b"hello"}, status={"/x": 418}, headers={"X-Y": "z"}) as server:
        answer = ask(f"{server.url}/x?a=b", context=trusting(server))
    assert (answer.status, answer.headers["x-y"], answer.body) == (418, "z", b"hello")
    assert server.seen == [("GET", "/x?a=b")]


def test_the_body_is_not_shown():
    assert "s3cret" not in repr(DirectAnswer(200, {}, b"s3cret"))


def test_another_name_is_checked_when_it_is_given():
    with ProbedAPIServer() as server:
        assert ask(server.url, context=trusting(server), tls_server_name="named.example").status == 401
        with pytest.raises(DirectError, match="certificate is not accepted"):
            ask(server.url, context=trusting(server), tls_server_name="other.example")


def test_a_server_of_another_ca_is_not_spoken_to():
    with ProbedAPIServer() as server:
        stranger = ssl.create_default_context(cadata=trustme.CA().cert_pem.bytes().decode())
        with pytest.raises(DirectError, match="certificate is not accepted"):
            ask(server.url, context=stranger)
    assert server.seen == []


def test_no_redirect_is_followed():
    with ProbedAPIServer(tls=False, status={"/x": 302}, headers={"Location": "/y"}) as server:
        assert ask(f"{server.url}/x").status == 302
    assert server.seen == [("GET", "/x")]


def test_no_proxy_of_the_environment_is_used(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with ProbedAPIServer(tls=False) as server:
        assert ask(server.url).status == 401


def test_an_answer_without_end_is_cut():
    with (
        ProbedAPIServer(tls=False, bodies={"/": b"x" * (MAX_ANSWER_BYTES + 1)}) as server,
        pytest.raises(DirectError, match="longer than"),
    ):
        ask(server.url)


def test_a_server_that_is_not_there_or_silent_is_said_in_words():
    with pytest.raises(DirectError, match="refused"):
        ask("http://127.0.0.1:1")
    import socket

    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(DirectError, match=r"no answer within 0\.05 s"),
    ):
        ask(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_seconds=0.05)
