"""What the step says of a request: allowed, or refused with a reason and a sentence."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from auth.errors import Reason
from auth.identity import Credential, Identity, KeyHash, Login, LoginID
from auth.rbac import Attributes, Policy, Rule
from proxy.context import RequestContext
from proxy.effects import Effect
from proxy.filters.authorization import AuthorizationFilter, Wanted, verdict_on
from proxy.filters.impersonation import Requested
from proxy.filters.request_info import request_info
from proxy.http1 import parse_request_head
from proxy.status import Refusal
from tests.auth.rbac.asking import policy, role, rule

ANN = Identity("corp", "https://idp", "1", "ann", ("eng",), claims={"team": "a"})
LOGIN = Login(LoginID("a" * 26), ANN, KeyHash("hash"), 0.0, 9e9, 0.0, "127.0.0.1")
CREDENTIAL = Credential("demo", "c1", LOGIN.id, "1f", 0.0, 9e9, "fingerprint")
READS = policy(
    role(
        (
            rule("get list"),
            Rule(("get",), non_resource_urls=("/metrics",)),
            rule("impersonate", "users groups", names=("bob", "qa")),
        )
    )
)


def request(target: str, method: str = "GET", lines: str = "") -> RequestContext:
    head = parse_request_head(f"{method} {target} HTTP/1.1\r\nHost: a\r\n{lines}\r\n".encode())
    context = RequestContext(head, CREDENTIAL, "10.0.0.1", 1.0, 1.0, "id", login=LOGIN)
    assert request_info(context) is None
    return context


def judge(context: RequestContext, p: Policy = READS, labels: Mapping[str, str] | None = None) -> Refusal | None:
    return AuthorizationFilter(lambda: p, lambda _: labels or {})(context)


@pytest.mark.parametrize("target", ["/api/v1/pods", "/api/v1/namespaces/a/pods/x", "/metrics", "/version"])
def test_what_a_role_allows_passes_with_its_verdict(target: str) -> None:
    context = request(target)
    assert judge(context) is None
    assert context.verdict is not None
    assert (context.verdict.role, context.verdict.as_groups, context.requested) == ("dev", ("kwit:dev",), None)


@pytest.mark.parametrize(
    ("method", "target", "sentence"),
    [
        ("GET", "/logs", '"get" of path "/logs" on cluster "c1" is not allowed by your roles (dev)'),
        ("POST", "/metrics", '"post" of path "/metrics" on cluster "c1" is not allowed by your roles (dev)'),
        (
            "GET",
            "/api/v1/namespaces/a/pods/x/exec",
            '"exec" of pods "x" in namespace "a" on cluster "c1" is not allowed by your roles (dev)',
        ),
    ],
)
def test_what_no_rule_allows_is_denied_with_the_sentence_of_the_verdict(
    method: str, target: str, sentence: str
) -> None:
    context = request(target, method)
    assert judge(context) == Refusal(Reason.DENIED, sentence)
    assert context.verdict is not None
    assert context.verdict.reason == sentence


def test_every_effect_must_be_allowed() -> None:
    lines = "Content-Type: application/apply-patch+yaml\r\n"
    patches = policy(role((rule("patch"),)))
    creates = policy(role((rule("patch create"),)))
    target = "/api/v1/namespaces/a/pods/x"
    assert [judge(request(target, "PATCH", lines), p) is None for p in (patches, creates)] == [False, True]
    assert judge(request(target, "PATCH"), patches) is None


def test_without_a_role_on_the_cluster_the_reason_is_another() -> None:
    elsewhere = policy(role((rule("get"),), cluster_labels=(("env", "prod"),)))
    why = "no role of yours covers cluster 'c1'; ask your platform team for one"
    assert judge(request("/api/v1/pods"), elsewhere) == Refusal(Reason.NO_ROLE, why)
    assert judge(request("/api/v1/namespaces/a/pods/x"), elsewhere, {"env": "prod"}) is None


def test_a_client_may_be_another_only_where_a_role_lets_it_impersonate() -> None:
    context = request("/api/v1/pods", lines="Impersonate-User: bob\r\nImpersonate-Group: qa\r\n")
    assert judge(context) is None
    assert context.requested == Requested("bob", ("qa",), None)
    for lines in ("Impersonate-User: eve\r\n", "Impersonate-User: bob\r\nImpersonate-Group: root\r\n"):
        context = request("/api/v1/pods", lines=lines)
        refusal = judge(context)
        assert refusal is not None
        assert refusal.reason is Reason.IMPERSONATION_DENIED
        assert refusal.message.startswith('--as is not allowed: "impersonate" of ')
        assert context.requested is None


def test_being_another_takes_nothing_but_what_one_may_do_oneself() -> None:
    refusal = judge(request("/api/v1/secrets", lines="Impersonate-User: bob\r\n"))
    assert refusal is not None
    assert refusal.reason is Reason.DENIED


def test_to_impersonate_at_a_path_is_judged_as_a_resource() -> None:
    assert judge(request("/metrics", lines="Impersonate-User: bob\r\n")) is None


def test_headers_that_nobody_reads_are_refused_before_any_verdict() -> None:
    context = request("/api/v1/pods", lines="Impersonate-Extra-Scopes: all\r\n")
    refusal = judge(context)
    assert refusal is not None
    assert (refusal.reason, context.verdict) == (Reason.FORGED_HEADER, None)


def test_a_request_without_effects_is_refused() -> None:
    info = request("/api/v1/pods").info
    assert info is not None
    verdict = verdict_on(READS, ANN, "c1", {}, Wanted(info, ()))
    assert verdict.reason == "the request has no effect that a role could allow"


def test_the_verdict_names_the_effect_that_decided() -> None:
    context = request("/logs")
    judge(context)
    assert context.verdict is not None
    act = Effect("get", "", "", "", "", "")
    assert context.verdict.attributes == Attributes.of(ANN, "c1", {}, act, path="/logs")
