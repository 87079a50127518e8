"""Claims about filters: what they find, and that the sieve before them never loses anything."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.audit.encode import decode, encode, rfc3339
from recordings.audit.question import Decision, Question, at, decision, ids, moment
from recordings.errors import QuestionError

NOW = 1_700_000_000.0
EXEC: dict[str, Any] = {
    "v": 1,
    "seq": 3,
    "id": "0199aef2-0000-7000-8000-000000000001",
    "time": rfc3339(NOW),
    "type": "kube.request",
    "outcome": "done",
    "cluster": "prod",
    "actor": {"username": "ada@example.com"},
    "login": "abc",
    "source": "10.1.2.3",
    "event": {
        "auditID": "0199aef2-1111-7000-8000-000000000002",
        "requestURI": "/api/v1/namespaces/shop/pods/web-0/exec?command=sh",
        "verb": "get",
        "user": {"username": "ada@example.com", "groups": ["eng", "ops"]},
        "objectRef": {"resource": "pods", "subresource": "exec", "namespace": "shop", "name": "web-0"},
        "annotations": {"authorization.k8s.io/decision": "allow"},
    },
}

YES = [
    {},
    {"user": "ada@example.com"},
    {"group": "ops"},
    {"verb": "get"},
    {"verb": "exec"},
    {"resource": "pods"},
    {"resource": "Pods/exec"},
    {"namespace": "shop"},
    {"name": "web-0"},
    {"cluster": "prod"},
    {"decision": Decision.ALLOW},
    {"source": "10.1.2.3"},
    {"source": "10.1.0.0/16"},
    {"type": "kube.request"},
    {"id": EXEC["id"]},
    {"id": "0199aef2-1111"},
    {"text": "COMMAND=sh"},
    {"since": NOW},
    {"until": NOW + 1},
    {"user": "ada@example.com", "namespace": "shop", "since": NOW - 5, "until": NOW + 5},
]
NO = [
    {"user": "ada"},
    {"group": "op"},
    {"verb": "list"},
    {"verb": "attach"},
    {"verb": "debug"},
    {"resource": "pods/log"},
    {"resource": "pod"},
    {"namespace": "shop2"},
    {"name": "web"},
    {"cluster": "pro"},
    {"decision": Decision.DENY},
    {"source": "10.1.2.4"},
    {"source": "::/0"},
    {"type": "user.login"},
    {"id": "0199aef3"},
    {"id": "1111-7000"},
    {"text": "command=bash"},
    {"since": NOW + 0.000_001},
    {"until": NOW},
    {"user": "ada@example.com", "namespace": "other"},
]


@pytest.mark.parametrize("asked", YES, ids=str)
def test_it_finds_what_holds(asked: dict[str, Any]) -> None:
    question = Question(**asked)
    assert question.matches(EXEC)
    assert question.sieve()(encode(EXEC))


@pytest.mark.parametrize("asked", NO, ids=str)
def test_it_leaves_out_what_does_not_hold(asked: dict[str, Any]) -> None:
    assert not Question(**asked).matches(EXEC)


WORDS = st.sampled_from(["ada", 'a"b', "a\\b", "ädä", "a\u2028", "\x1b[31m", "shop", "x y", "\ud800"])


@given(WORDS, WORDS, WORDS, st.sampled_from([*YES, *NO]))
def test_the_sieve_keeps_every_line_whose_record_matches(
    user: str, name: str, text: str, asked: dict[str, Any]
) -> None:
    record = {**EXEC, "actor": {"username": user}, "event": {**EXEC["event"], "objectRef": {"name": name}}}
    question = replace(Question(**asked), user=user, name=name)
    if text != "\ud800":
        question = replace(question, text=text)
    line = encode(record)
    if question.matches(decode(line)):
        assert question.sieve()(line)


def test_deny_is_a_refusal_of_any_kind() -> None:
    forbidden = {"outcome": "done", "event": {"annotations": {"authorization.k8s.io/decision": "forbid"}}}
    assert decision(forbidden) is Decision.DENY
    assert decision({"outcome": "refused", "type": "cert.refuse"}) is Decision.DENY
    assert decision({"outcome": "done", "type": "refusals.rollup"}) is Decision.DENY
    assert decision({"outcome": "failed", "type": "kube.request"}) is Decision.ALLOW


def test_resources_with_a_group_are_found_by_either_name() -> None:
    record = {"event": {"objectRef": {"resource": "deployments", "apiGroup": "apps", "subresource": "scale"}}}
    for asked in ("deployments", "deployments.apps", "deployments/scale", "deployments.apps/scale"):
        assert Question(resource=asked).matches(record)
    assert not Question(resource="deployments.other").matches(record)


@pytest.mark.parametrize(
    "record",
    [{}, {"event": "x"}, {"event": {"user": 3, "objectRef": [], "annotations": 1}}, {"actor": None}, {"id": 5}],
)
def test_a_record_of_any_shape_is_an_answer_and_no_error(record: dict[str, Any]) -> None:
    for asked in (*YES[1:], *NO):
        assert Question(**asked).matches(record) in (False, "decision" in asked, "until" in asked)
    assert isinstance(ids(record), list)
    assert at(record, "event", "user", "username") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", NOW - 30),
        ("2h", NOW - 7200),
        ("1d12h", NOW - 129_600),
        ("1w", NOW - 604_800),
        ("2023-11-14", 1_699_920_000.0),
        ("2023-11-14T22:13:20Z", NOW),
        ("2023-11-14T22:13:20", NOW),
        ("2023-11-14T23:13:20+01:00", NOW),
    ],
)
def test_times_as_people_write_them(text: str, expected: float) -> None:
    assert moment(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "2", "h", "yesterday", "2h ago", "2023-13-01", "-2h", "٣h"])
def test_other_times_are_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(QuestionError, match="a time like 30m"):
        moment(text, NOW)


def test_an_id_too_short_and_an_address_that_is_none_are_refused() -> None:
    with pytest.raises(QuestionError, match="first 8 characters"):
        Question(id="0199aef")
    with pytest.raises(QuestionError, match="a network like"):
        Question(source="10.1.2")
    with pytest.raises(QuestionError, match="whole characters"):
        Question(text="\ud800").sieve()
