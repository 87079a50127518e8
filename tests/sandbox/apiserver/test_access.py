"""Who may do what: the proxy's account next to nothing by itself, and a refusal in RBAC's words."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.sandbox.apiserver.access import (
    READ_ONLY,
    Attributes,
    allowed,
    attributes,
    everything_but_for_readers,
    refusal,
    review,
)
from deploy.sandbox.apiserver.caller import ACCOUNT, AUTHENTICATED, MASTERS, Caller
from deploy.sandbox.apiserver.problem import Problem
from proxy.request_info import parse
from proxy.target import canonical

PROXY = Caller(ACCOUNT, (AUTHENTICATED,))
ALICE = Caller("alice", ("eng", AUTHENTICATED), "7", (("k", "v"), ("k", "w")))
READER, MASTER = Caller("rita", (READ_ONLY, AUTHENTICATED)), Caller("root", (MASTERS, AUTHENTICATED))
NOW = "2026-01-02T03:04:05Z"


@pytest.mark.parametrize(
    ("asked", "may"),
    [
        (Attributes("list", "", "pods"), (False, True, True, True)),
        (Attributes("delete", "", "pods"), (False, True, False, True)),
        (Attributes("impersonate", "", "users"), (True, False, False, True)),
        (Attributes("impersonate", "authentication.k8s.io", "userextras/k"), (True, False, False, True)),
        (Attributes("impersonate", "", "pods"), (False, False, False, True)),
        (Attributes("create", "authentication.k8s.io", "selfsubjectreviews"), (True, True, True, True)),
        (Attributes("get", path="/version"), (True, True, True, True)),
        (Attributes("get", path="/openapi/v3"), (True, True, True, True)),
        (Attributes("delete", path="/version"), (False, True, False, True)),
    ],
)
def test_what_each_may(asked: Attributes, may: tuple[bool, ...]) -> None:
    callers = (PROXY, ALICE, READER, MASTER)
    assert tuple(allowed(caller, asked, everything_but_for_readers) for caller in callers) == may


def test_who_is_not_signed_in_is_not_reviewed() -> None:
    nobody = Caller("system:anonymous", ("system:unauthenticated",))
    asked = Attributes("create", "authentication.k8s.io", "selfsubjectreviews")
    assert not allowed(nobody, asked, lambda _caller, _asked: False)


def of(method: str, path: str) -> Attributes:
    return attributes(parse(method, canonical(path.encode())))


@pytest.mark.parametrize(
    ("asked", "said", "details"),
    [
        (
            of("GET", "/api/v1/pods"),
            'pods is forbidden: User "alice" cannot list resource "pods" in API group "" at the cluster scope',
            {"kind": "pods"},
        ),
        (
            of("GET", "/apis/apps/v1/namespaces/a/deployments/x/scale"),
            (
                'deployments.apps "x" is forbidden: User "alice" cannot get resource "deployments/scale" in API group '
                '"apps" in the namespace "a"'
            ),
            {"name": "x", "group": "apps", "kind": "deployments"},
        ),
        (of("GET", "/metrics"), 'forbidden: User "alice" cannot get path "/metrics"', {}),
    ],
)
def test_a_refusal_is_worded_as_rbac_words_it(asked: Attributes, said: str, details: dict[str, str]) -> None:
    problem = refusal(ALICE, asked)
    assert (problem.code, str(problem), problem.status["details"]) == (403, said, details)


def test_one_learns_who_one_is() -> None:
    header = {"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1"}
    assert review("SelfSubjectReview", header, ALICE, everything_but_for_readers, NOW) == header | {
        "metadata": {"creationTimestamp": NOW},
        "status": {
            "userInfo": {
                "username": "alice",
                "uid": "7",
                "groups": ["eng", AUTHENTICATED],
                "extra": {"k": ["v", "w"]},
            }
        },
    }


@pytest.mark.parametrize(
    ("spec", "may"),
    [
        ({"resourceAttributes": {"verb": "get", "resource": "pods"}}, True),
        ({"resourceAttributes": {"verb": "update", "group": "apps", "resource": "x", "subresource": "scale"}}, False),
        ({"nonResourceAttributes": {"verb": "get", "path": "/healthz"}}, True),
        ({"nonResourceAttributes": {"verb": "post", "path": "/x"}}, False),
    ],
)
def test_one_learns_what_one_may(spec: dict[str, Any], may: bool) -> None:
    answer = review("SelfSubjectAccessReview", {"spec": spec}, READER, everything_but_for_readers, NOW)
    assert answer == {"spec": spec, "status": {"allowed": may}}


@pytest.mark.parametrize("spec", [{}, {"resourceAttributes": {}, "nonResourceAttributes": {}}])
def test_a_question_about_nothing_or_two_things_is_invalid(spec: dict[str, Any]) -> None:
    with pytest.raises(Problem) as caught:
        review("SelfSubjectAccessReview", {"spec": spec}, ALICE, everything_but_for_readers, NOW)
    assert caught.value.code == 422


def test_the_list_of_what_one_may_is_short_for_who_may_only_look() -> None:
    rules = [
        review("SelfSubjectRulesReview", {}, caller, everything_but_for_readers, NOW)["status"]["resourceRules"]
        for caller in (ALICE, READER)
    ]
    assert [len(one) for one in rules] == [2, 1]
