"""Claims about the loopback listener that a browser comes back to."""

from __future__ import annotations

import socket
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from proxy.cli.client.callback import Returned, listening
from proxy.cli.client.problem import Problem

STATE = "s" * 32


def get(uri: str, target: str, host: str | None = None) -> tuple[int, str]:
    port = urlsplit(uri).port
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", target, headers={"Host": host or f"127.0.0.1:{port}"})
    response = connection.getresponse()
    result = response.status, response.read().decode()
    connection.close()
    return result


def test_the_first_callback_with_our_state_is_taken_and_no_other() -> None:
    with listening(STATE) as waiting:
        assert get(waiting.redirect_uri, f"/callback?code=A&state={STATE}")[0] == 200
        assert get(waiting.redirect_uri, f"/callback?code=B&state={STATE}")[0] == 400
        assert waiting.wait(5) == Returned("A")


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("/callback?code=A&state=wrong", None),
        ("/callback?code=A", None),
        ("/callback?code=A&state=%C3%A9", None),
        (f"/callback?code=A&state={STATE}&state={STATE}", None),
        (f"/callback?code=A&code=B&state={STATE}", None),
        (f"/other?code=A&state={STATE}", None),
        (f"/callback?code={'A' * 5000}&state={STATE}", None),
        (f"/callback?code=A&state={STATE}", "evil.example:80"),
        (f"/callback?code=A&state={STATE}", "localhost"),
    ],
)
def test_whatever_else_knocks_changes_nothing(target: str, host: str | None) -> None:
    with listening(STATE) as waiting:
        assert get(waiting.redirect_uri, target, host)[0] in (400, 404)
        assert get(waiting.redirect_uri, f"/callback?code=A&state={STATE}")[0] == 200
        assert waiting.wait(5) == Returned("A")


def test_an_error_of_the_provider_is_brought_back_and_never_shown_as_html() -> None:
    with listening(STATE) as waiting:
        status, page = get(waiting.redirect_uri, f"/callback?error=x&error_description=%3Cscript%3E&state={STATE}")
        assert (status, "script" in page) == (200, False)
        assert waiting.wait(5) == Returned(error="<script>")


def test_a_browser_that_connects_and_says_nothing_holds_nobody_up() -> None:
    with listening(STATE) as waiting, socket.create_connection(("127.0.0.1", urlsplit(waiting.redirect_uri).port)):
        assert get(waiting.redirect_uri, f"/callback?code=A&state={STATE}")[0] == 200


def test_nobody_in_time_is_a_sentence() -> None:
    with (
        listening(STATE) as waiting,
        pytest.raises(Problem, match=r"^nobody signed in within 0 seconds; .* --no-browser "),
    ):
        waiting.wait(0)


def test_each_login_has_a_port_of_its_own_on_a_literal_loopback_address() -> None:
    with listening(STATE) as one, listening(STATE) as two:
        assert one.redirect_uri != two.redirect_uri
        assert urlsplit(one.redirect_uri).hostname == "127.0.0.1"


def test_the_port_is_closed_afterwards() -> None:
    with listening(STATE) as waiting:
        port = urlsplit(waiting.redirect_uri).port
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port or 0), timeout=5)
