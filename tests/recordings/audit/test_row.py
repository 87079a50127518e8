"""Claims about what reaches a terminal."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.audit.row import harmless, harmless_json, is_harmless, row

HOSTILE = [
    "\x1b[2J",
    "\x1b]52;c;aGk=\x07",
    "\x9b31m",
    "\x07",
    "\r",
    "\u202egnp.exe",
    "\u2066x\u2069",
    "\u200b",
    "\u2028",
    "\ufeff",
    "\x7f",
    "\U000e0041",
]


@given(st.text())
def test_nothing_that_controls_hides_or_turns_text_is_left(text: str) -> None:
    shown = harmless(text)
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Zl", "Zp", "Cs")]
    assert not [c for c in shown if unicodedata.bidirectional(c) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI")]


@pytest.mark.parametrize("text", HOSTILE)
def test_each_known_trick_is_shown_as_what_it_is(text: str) -> None:
    assert harmless(text) != text
    assert harmless(text).startswith("\\u")
    assert not is_harmless(text) or text in "\r\n"


@pytest.mark.parametrize("text", ["ada@example.com", "Ädä", "日本", "🙂", "a b"])
def test_what_people_are_called_stays(text: str) -> None:
    assert harmless(text) == text


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.sampled_from(HOSTILE)))
def test_json_made_harmless_means_the_same(value: dict[str, Any]) -> None:
    for indent in (None, 2):
        text = harmless_json(json.dumps(value, ensure_ascii=False, indent=indent))
        assert json.loads(text) == value
        assert is_harmless(text)


def test_a_request_as_a_row() -> None:
    record = {
        "time": "2023-11-14T22:13:20.000000Z",
        "type": "kube.request",
        "outcome": "refused",
        "cluster": "prod",
        "login": "l",
        "source": "10.0.0.1",
        "id": "i",
        "actor": {"username": "ada\x1b[2J"},
        "event": {
            "auditID": "a",
            "verb": "delete",
            "objectRef": {"resource": "deployments", "apiGroup": "apps", "name": "web", "namespace": "shop"},
            "responseStatus": {"code": 403},
            "user": {"groups": ["eng", "ops"]},
            "annotations": {
                "kubewitness.dev/role": "dev",
                "kubewitness.dev/rule": "1",
                "kubewitness.dev/refused": "denied",
            },
        },
    }
    assert row(record) == {
        "time": "2023-11-14T22:13:20.000000Z",
        "user": "ada\\u001b[2J",
        "action": "delete",
        "object": "deployments.apps/web",
        "namespace": "shop",
        "cluster": "prod",
        "result": "refused",
        "code": "403",
        "source": "10.0.0.1",
        "groups": "eng,ops",
        "role": "dev",
        "rule": "1",
        "login": "l",
        "id": "a",
        "reason": "denied",
    }


@pytest.mark.parametrize(
    ("record", "action", "shown"),
    [
        ({"event": {"verb": "get", "requestURI": "/version?x=1"}}, "get", "/version"),
        (
            {"event": {"verb": "get", "objectRef": {"resource": "pods", "name": "w", "subresource": "exec"}}},
            "get",
            "pods/w/exec",
        ),
        ({"type": "user.login", "body": {"connector": "corp"}}, "user.login", "corp"),
        ({"type": "refusals.rollup", "body": {"total": 7}}, "refusals.rollup", "7 refused"),
        ({"type": "role.change", "body": {"roles": ["a", "b"]}}, "role.change", "a,b"),
        ({"type": "lock.create", "body": {"lock": "l1", "target": "user:ada"}}, "lock.create", "user:ada"),
        ({"type": "request.refused", "body": {"reason": "locked", "detail": "GET /x"}}, "request.refused", "GET /x"),
        ({"type": "log.stop", "body": {}}, "log.stop", ""),
        ({"type": "x", "body": "text"}, "x", ""),
    ],
)
def test_what_a_record_is_about(record: dict[str, Any], action: str, shown: str) -> None:
    assert (row(record)["action"], row(record)["object"]) == (action, shown)


def test_a_rollup_is_shown_as_refused() -> None:
    assert row({"type": "refusals.rollup", "outcome": "done"})["result"] == "refused"
