"""What an exec asks for, as the API server reads it."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.sandbox.apiserver.problem import Problem
from deploy.sandbox.apiserver.resources import Asked
from deploy.sandbox.apiserver.stream_options import StreamOptions, read_options
from proxy.request_info import parse
from proxy.target import canonical
from recordings.streams.events import Role

RUNNING = {"phase": "Running"}


def pod(*containers: str, **more: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": name} for name in containers], "nodeName": "n"}
    return {"metadata": {"name": "p"}, "spec": spec, "status": RUNNING} | more


def options(query: str, of: dict[str, Any], subresource: str = "exec") -> StreamOptions:
    target = canonical(f"/api/v1/namespaces/n/pods/p/{subresource}?{query}".encode())
    return read_options(of, Asked(parse("GET", target), target))


def test_the_command_keeps_its_order_and_booleans_are_kubernetes_own() -> None:
    assert options("command=sh&command=-c&command=a+b&stdin=&stdout=1&stderr=false", pod("c")) == StreamOptions(
        "c", ("sh", "-c", "a b"), stdin=True, stdout=True, stderr=False, tty=False
    )


def test_a_terminal_has_no_second_output() -> None:
    found = options("command=sh&stdin=1&stdout=1&stderr=1&tty=1", pod("c"))
    assert found.roles == {Role.ERROR, Role.STDIN, Role.STDOUT}


def test_an_attach_has_no_command() -> None:
    assert options("stdout=1&command=sh", pod("c"), "attach").command == ()


@pytest.mark.parametrize(
    ("query", "of", "sentence"),
    [
        ("command=ls", pod("c"), "you must specify at least 1 of stdin, stdout, stderr"),
        ("stdout=1", pod("c"), "you must specify at least one command for the exec."),
        ("stdout=1&command=ls", pod("a", "b"), "a container name must be specified for pod p, choose one of: [a b]"),
        ("stdout=1&command=ls&container=x", pod("a", "b"), "container x is not valid for pod p"),
        ("stdout=1&command=ls", pod("c", spec={"containers": [{"name": "c"}]}), "pod p does not have a host assigned"),
        ("stdout=1&command=ls", pod("c", status={"phase": "Succeeded"}), 'pod "p" is not running: Succeeded'),
    ],
)
def test_what_cannot_be_is_told_as_the_api_server_tells_it(query: str, of: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Problem) as caught:
        options(query, of)
    assert caught.value.status["message"] == sentence
