"""Questions and their answers, held against what the steps of the journey say of the request itself."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from auth.identity import Credential, Identity, KeyHash, Login, LoginID
from auth.rbac import Decision, Policy, Role, RoleBinding, Rule, Subject, compile_policy
from proxy.context import RequestContext
from proxy.effects import Effect
from proxy.filters.impersonation import Requested
from proxy.filters.remembered import RoleSteps
from proxy.filters.request_info import request_info
from proxy.http1 import parse_request_head
from proxy.web.question import Question, QuestionError, answer
from tests.auth.rbac.asking import policy, role, rule
from tests.auth.rbac.drawn import ROLES

ANN = Identity("corp", "https://idp", "1", "ann", ("eng",), claims={"team": "a"})
LOGIN = Login(LoginID("a" * 26), ANN, KeyHash("hash"), 0.0, 9e9, 0.0, "127.0.0.1")
RBAC = "rbac.authorization.k8s.io"
CREDENTIAL = Credential("demo", "c1", LOGIN.id, "1f", 0.0, 9e9, "fingerprint")


def asked(verb: str, resource: str = "", **fields: Any) -> Question:
    resource, _, subresource = resource.partition("/")
    return Question("c1", verb, resource, subresource, **fields)


def told(p: Policy, question: Question) -> bool:
    return answer(p, ANN, {}, p.allowed_system_names, question).decision is Decision.ALLOW


def request(
    method: str, target: str, requested: Requested | None = None, *, server_side: bool = False
) -> RequestContext:
    lines = "Content-Type: application/apply-patch+yaml\r\n" if server_side else ""
    if requested is not None:
        lines += f"Impersonate-User: {requested.user}\r\n" + "".join(
            f"Impersonate-Group: {group}\r\n" for group in requested.groups
        )
        lines += f"Impersonate-Uid: {requested.uid}\r\n" if requested.uid else ""
    head = parse_request_head(f"{method} {target} HTTP/1.1\r\nHost: a\r\n{lines}\r\n".encode())
    context = RequestContext(head, CREDENTIAL, "10.0.0.1", 1.0, 1.0, "id", login=LOGIN)
    assert request_info(context) is None
    return context


def passes(p: Policy, context: RequestContext) -> bool:
    return RoleSteps(lambda: p, lambda _: {}, lambda _: p.allowed_system_names)(context) is None


# -- against the journey

WHOM = st.none() | st.builds(
    Requested,
    st.sampled_from(["a", "b", "system:admin"]),
    st.lists(st.sampled_from(["a", "a-1", "system:masters"]), max_size=2).map(tuple),
    st.sampled_from([None, "a"]),
)
IMPERSONATING = st.builds(
    rule,
    st.sampled_from(["impersonate", "get"]),
    st.sampled_from(["users groups", "users", "users groups uids"]),
    names=st.none() | st.sampled_from([("a", "a-1"), ("*",)]),
    api_groups=st.sampled_from([("", "authentication.k8s.io"), ("",)]),
)
URLS = st.builds(
    Rule,
    verbs=st.sampled_from([("get",), ("*",), ("post", "head")]),
    non_resource_urls=st.sampled_from([("/metrics",), ("/api*",), ("*",)]),
)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    roles: list[Role] = draw(ROLES)
    extra = draw(st.lists(IMPERSONATING | URLS, max_size=3))
    denied = draw(st.lists(IMPERSONATING | URLS, max_size=1))
    as_groups = draw(st.sampled_from([("kwit:x",), ("kwit:x",), ()]))
    as_user = draw(st.sampled_from([None, None, "u"]))
    return policy(*roles, role(tuple(extra), tuple(denied), "more", as_groups=as_groups, as_user=as_user))


@st.composite
def targets(draw: st.DrawFn) -> str:
    def some(*choices: str) -> str:
        return draw(st.sampled_from(choices))

    if some("path", "resource", "resource", "resource") == "path":
        return some("/metrics", "/api", "/apis/apps/v1", "/version", "/", "/openapi/v3?hash=1", "/api/v1")
    prefix = some("/api/v1", "/apis/apps/v1", "/apis/certificates.k8s.io/v1", "/apis/rbac.authorization.k8s.io/v1")
    namespace = some("", "/namespaces/a", "/namespaces/a-1")
    resource = some(
        "pods", "nodes", "secrets", "serviceaccounts", "namespaces", "roles", "rolebindings", "services",
        "certificatesigningrequests",
    )  # fmt: skip
    named = some("", "/a", "/b")
    sub = some("", "", "/log", "/exec", "/attach", "/proxy", "/proxy/x", "/ephemeralcontainers", "/token", "/status")
    query = some("", "", "?watch=1", "?fieldSelector=metadata.name%3Da", "?limit=5")
    return prefix + namespace + "/" + resource + named + (sub if named else "") + query


METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])


@settings(max_examples=150, deadline=None)
@given(policies(), METHODS, targets(), WHOM, st.booleans())
def test_a_question_about_a_path_is_answered_as_the_request_would_be(
    p: Policy, method: str, target: str, whom: Requested | None, server_side: bool
) -> None:
    server_side = server_side and method == "PATCH"
    context = request(method, target, whom, server_side=server_side)
    question = Question("c1", method.lower(), path=target, requested=whom, server_side=server_side)
    assert told(p, question) == passes(p, context)


@settings(max_examples=150, deadline=None)
@given(policies(), METHODS, targets(), WHOM, st.booleans())
def test_a_question_in_words_is_answered_as_the_request_would_be(
    p: Policy, method: str, target: str, whom: Requested | None, server_side: bool
) -> None:
    context = request(method, target, whom, server_side=server_side and method == "PATCH")
    info = context.info
    assert info is not None
    assume(info.is_resource_request)
    assume(not (info.verb == "create" and info.name and not info.subresource))  # no such thing in Kubernetes
    question = Question(
        "c1", info.verb, info.resource, info.subresource, info.api_group, info.namespace, info.name,
        requested=whom, server_side=server_side and method == "PATCH",
    )  # fmt: skip
    assert told(p, question) == passes(p, context)


@given(policies(), METHODS, targets())
def test_a_refusal_has_the_same_sentence(p: Policy, method: str, target: str) -> None:
    refusal = RoleSteps(lambda: p, lambda _: {}, lambda _: p.allowed_system_names)(request(method, target))
    assume(refusal is not None)
    assert refusal is not None
    assert (
        answer(p, ANN, {}, p.allowed_system_names, Question("c1", method.lower(), path=target)).reason
        == refusal.message
    )


# -- what a question is about


@pytest.mark.parametrize(
    ("question", "done"),
    [
        (asked("get", "pods", namespace="a", name="x"), [("get", "pods", "", "a", "x")]),
        (asked("get", "namespaces", name="x"), [("get", "namespaces", "", "x", "x")]),
        (asked("create", "namespaces", name="x"), [("create", "namespaces", "", "", "")]),
        (asked("list", "pods", name="x"), [("list", "pods", "", "", "x")]),
        (asked("deletecollection", "pods", name="x"), [("deletecollection", "pods", "", "", "")]),
        (asked("exec", "pods", name="x"), [("exec", "pods", "", "", "x")]),
        (asked("exec", "pods/exec", name="x"), [("exec", "pods", "", "", "x")]),
        (asked("create", "pods/exec", name="x"), [("exec", "pods", "", "", "x")]),
        (asked("get", "pods/portforward", name="x"), [("portforward", "pods", "", "", "x")]),
        (asked("exec", "services", name="x"), [("exec", "services", "", "", "x")]),
        (asked("debug", "pods", name="x"), [("debug", "pods", "", "", "x")]),
        (asked("proxy", "services", name="https:x:80"), [("proxy", "services", "", "", "x")]),
        (asked("mint", "serviceaccounts", name="x"), [("mint", "serviceaccounts", "token", "", "x")]),
        (asked("patch", "roles", api_group=RBAC), [("patch", "roles", "", "", ""), ("escalate", "roles", "", "", "")]),
        (asked("patch", "pods", server_side=True), [("patch", "pods", "", "", ""), ("create", "pods", "", "", "")]),
        (asked("escalate", "roles", api_group=RBAC, name="x"), [("escalate", "roles", "", "", "x")]),
        (asked("impersonate", "users", namespace="a", name="x"), [("impersonate", "users", "", "", "x")]),
        (asked("get", path="/api/v1/namespaces/a/pods/x/exec?command=sh"), [("exec", "pods", "", "a", "x")]),
        (asked("get", path="/clusters/c1/api/v1/pods"), [("list", "pods", "", "", "")]),
        (asked("head", path="/metrics"), [("head", "", "", "", "")]),
    ],
)  # fmt: skip
def test_a_question_is_about_what_a_request_does(question: Question, done: list[tuple[str, ...]]) -> None:
    def short(effect: Effect) -> tuple[str, ...]:
        return (effect.verb, effect.resource, effect.subresource, effect.namespace, effect.name)

    assert [short(effect) for effect in question.wanted().effects] == done


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        (asked("*", "pods"), "'*' is not a verb"),
        (asked("", "pods"), "'' is not a verb"),
        (asked("head", "pods"), "'head' is not a verb"),
        (asked("create", "pods", server_side=True), "a server-side apply is a patch"),
        (asked("get", "*"), "ask about one resource"),
        (asked("get", ""), "ask about one resource"),
        (asked("get", "pods/*"), "ask about one resource"),
        (asked("list", path="/metrics"), "'list' of a path"),
        (asked("get", "pods", path="/metrics"), "a path stands alone"),
        (asked("get", path="/metrics", name="x"), "a path stands alone"),
        (asked("get", path="/clusters/c2/metrics"), "the path names another cluster"),
        (asked("get", path="/a//b"), "a request with this path is refused: an empty or dot segment"),
        (asked("get", path="metrics"), "a request with this path is refused"),
        (asked("get", path="/é"), "a request with this path is refused: it holds bytes that are not ASCII"),
    ],
)
def test_a_question_about_no_request_is_refused_with_a_sentence(question: Question, sentence: str) -> None:
    with pytest.raises(QuestionError, match=f"^{re.escape(sentence)}"):
        question.wanted()


def test_a_role_that_gives_no_name_to_send_allows_nothing() -> None:
    p = policy(role((rule("get"),), as_groups=()))
    verdict = answer(p, ANN, {}, p.allowed_system_names, asked("get", "pods"))
    assert (verdict.decision, verdict.role, verdict.rule) == (Decision.DENY, "dev", "allow[0]")
    assert verdict.reason == (
        "your role does not say as whom the cluster shall see you: no group to send: a request must carry at least one;"
        " tell your platform team"
    )


@pytest.mark.parametrize(
    ("as_groups", "requested", "allowed"),
    [
        (("kwit:x",), Requested("bob", (), None), True),
        ((), Requested("bob", (), None), False),
        ((), Requested("bob", ("qa",), None), True),
        (("kwit:x",), Requested("eve", (), None), False),
        (("kwit:x",), Requested("system:bob", (), None), False),
        (("kwit:x",), Requested("bob", ("system:masters",), None), False),
    ],
)
def test_another_person_needs_the_right_to_be_them_and_a_group(
    as_groups: tuple[str, ...], requested: Requested, allowed: bool
) -> None:
    rules = (rule("get"), rule("impersonate", "users groups", names=("bob", "qa", "system:*")))
    p = policy(role(rules, as_groups=as_groups))
    question = asked("get", "pods", requested=requested)
    assert (told(p, question), passes(p, request("GET", "/api/v1/namespaces/a/pods/x", requested))) == (allowed,) * 2


@pytest.mark.parametrize("accepted", [(), ("system:authenticated",), ("system:other",)])
def test_a_name_of_the_system_is_one_of_the_cluster_in_question(accepted: tuple[str, ...]) -> None:
    """Another cluster's file allows it, so the role is fit to be used; what this one accepts is asked again."""
    shown = role((rule("get"),), as_groups=("system:authenticated",))
    bindings = [RoleBinding("b", "dev", (Subject("Group", "eng", "corp"),))]
    p = compile_policy([shown], bindings, ["corp"], allowed_system_names=["system:authenticated"])
    verdict = answer(p, ANN, {}, accepted, asked("get", "pods"))
    passed = RoleSteps(lambda: p, lambda _: {}, lambda _: accepted)(request("GET", "/api/v1/pods/x")) is None
    assert (verdict.decision is Decision.ALLOW, passed) == (accepted == ("system:authenticated",),) * 2


def test_an_empty_policy_allows_nothing() -> None:
    assert not told(compile_policy([], [], ["corp"]), asked("get", "pods"))
