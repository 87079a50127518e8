"""What `kwit can-i` asks the server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxy.cli import main
from proxy.cli.client.saved_login import SavedLogin

PLAIN = {"cluster": "prod", "verb": "get", "namespace": "", "name": ""}
PODS = {"resource": "pods", "subresource": "", "api_group": ""}


@pytest.mark.parametrize(
    ("args", "question"),
    [
        (["pods"], PLAIN | PODS),
        (["pods/log", "x", "-n", "shop"], PLAIN | PODS | {"subresource": "log", "name": "x", "namespace": "shop"}),
        (["widgets.example.com"], PLAIN | PODS | {"resource": "widgets", "api_group": "example.com"}),
        (["widgets", "--api-group", "example.com"], PLAIN | PODS | {"resource": "widgets", "api_group": "example.com"}),
        (["/metrics"], PLAIN | {"path": "/metrics"}),
        (["/api/v1/pods?watch=1"], PLAIN | {"path": "/api/v1/pods?watch=1"}),
        (["pods", "--server-side"], PLAIN | PODS | {"server_side": True}),
        (["pods", "--as", "bob"], PLAIN | PODS | {"as": "bob"}),
        (
            ["pods", "--as", "bob", "--as-group", "a", "--as-group", "b", "--as-uid", "7"],
            PLAIN | PODS | {"as": "bob", "as_groups": ["a", "b"], "as_uid": "7"},
        ),
    ],
)
def test_the_question_is_passed_on_as_it_was_typed(
    login: SavedLogin, web: Any, args: list[str], question: dict[str, object]
) -> None:
    assert main(["can-i", "get", *args, "--cluster", "prod"]) == 0
    assert web.question == question


def test_the_answer_can_be_had_as_data(login: SavedLogin, web: Any, capsys: pytest.CaptureFixture[str]) -> None:
    web.verdict = {"allowed": False, "role": "dev", "rule": "deny[0]", "reason": "no"}
    assert main(["can-i", "get", "pods", "--cluster", "prod", "-o", "json"]) == 1
    assert json.loads(capsys.readouterr().out) == web.verdict
