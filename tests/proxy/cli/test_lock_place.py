"""Claims about whom `kwit lock` asks; test_lock.py has the host's state, from the command line down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from auth.lock_making import LockWish
from proxy.cli.client.problem import Problem
from proxy.cli.lock_place import Server

LOCK = {"id": "a" * 26, "kind": "user", "name": "ada", "created": "2026-01-01T00:00:00Z"}


class Api:
    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer = answer
        self.calls: list[tuple[str, str, Mapping[str, object] | None]] = []

    def call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        self.calls.append((method, path, body))
        return self.answer


def test_a_wish_is_posted_and_its_length_is_by_the_servers_clock() -> None:
    api = Api({"lock": LOCK, "stops": 2})
    assert Server(api).add(LockWish("user", "ada", "why", everyone=True), 60) == (LOCK, 2)
    body = {
        "kind": "user",
        "name": "ada",
        "reason": "why",
        "shows_reason": False,
        "myself": False,
        "everyone": True,
        "seconds": 60,
        "until": None,
    }
    assert api.calls == [("POST", "/api/v1/locks", body)]


def test_each_question_has_its_path() -> None:
    api = Api({"lock": LOCK, "locks": [LOCK]})
    server = Server(api)
    assert (server.locks(), server.show("a" * 26)) == ([LOCK], LOCK)
    server.remove("b" * 26)
    assert api.calls == [
        ("GET", "/api/v1/locks", None),
        ("GET", f"/api/v1/locks/{'a' * 26}", None),
        ("DELETE", f"/api/v1/locks/{'b' * 26}", None),
    ]


@pytest.mark.parametrize("wrong", ["", "../logins/current", "A" * 26, "a" * 25, "a" * 26 + "/x"])
def test_what_is_no_id_is_not_asked_for(wrong: str) -> None:
    api = Api({})
    for ask in (Server(api).show, Server(api).remove):
        with pytest.raises(Problem, match="is no lock's id"):
            ask(wrong)
    assert api.calls == []


@pytest.mark.parametrize("answer", [{}, {"locks": {}, "lock": []}, {"locks": [1], "lock": {"id": "x"}}], ids=str)
def test_an_answer_of_something_else_is_a_sentence(answer: dict[str, Any]) -> None:
    server = Server(Api(answer))
    for ask in (server.locks, lambda: server.show("a" * 26), lambda: server.add(LockWish("user", "a"), None)):
        with pytest.raises(Problem, match="update kubewitness"):
            ask()
