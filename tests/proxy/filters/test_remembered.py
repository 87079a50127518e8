"""Claims about remembered verdicts: nothing that decides can change without acting at the next request."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.errors import Reason
from auth.identity import Credential, Identity, Login, LoginID
from auth.rbac import Policy, Role, RoleBinding, Rule, Subject, compile_policy
from proxy.context import RequestContext
from proxy.filters import remembered
from proxy.filters.authorization import AuthorizationFilter
from proxy.filters.impersonation import ImpersonationFilter
from proxy.filters.remembered import MAX_KEPT_TARGET_BYTES, RoleSteps
from proxy.filters.request_info import request_info
from proxy.http1 import MAX_KEPT_BYTES, parse_request_head
from proxy.status import Refusal

POD = "/api/v1/namespaces/shop/pods/cart-0"
ADA = Identity("corp", "https://idp", "1", "ada@example.com", ("eng",))
LOGIN = Login(LoginID("a" * 26), ADA, "hash", 0.0, 9e9, 0.0, "127.0.0.1")
CREDENTIAL = Credential("demo", "c1", LOGIN.id, "1f", 0.0, 9e9, "fingerprint")
READS = Rule(("get", "list", "watch"), ("",), ("pods",))


def policy(*, deny: bool = False, groups: tuple[str, ...] = ("kwit:eng",), labels: tuple[Any, ...] = ()) -> Policy:
    role = Role("dev", ("*",), labels, None, groups, (READS,), (READS,) if deny else ())
    binding = RoleBinding("devs", "dev", (Subject("Group", "eng", "corp"),))
    return compile_policy([role], [binding], ["corp"], allowed_system_names=("system:authenticated",))


@dataclass
class Given:
    """What the steps depend on, to be changed in a line."""

    policy: Policy = field(default_factory=policy)
    labels: Mapping[str, str] = field(default_factory=dict)
    system_names: Collection[str] = frozenset()

    def steps(self) -> RoleSteps:
        return RoleSteps(lambda: self.policy, lambda _: self.labels, lambda _: self.system_names)


def request(target: str = POD, lines: str = "", login: Login = LOGIN, **changed: str) -> RequestContext:
    head = parse_request_head(f"GET {target} HTTP/1.1\r\nHost: a\r\n{lines}\r\n".encode())
    source = changed.pop("source", "10.0.0.1")
    context = RequestContext(head, replace(CREDENTIAL, **changed), source, 1.0, 1.0, "id", login=login)
    assert request_info(context) is None
    return context


def passes(steps: RoleSteps, context: RequestContext) -> RequestContext:
    assert steps(context) is None
    return context


def test_the_same_request_passes_as_it_did_before() -> None:
    steps = Given().steps()
    first, second = passes(steps, request()), passes(steps, request())
    assert first.passage is None
    assert second.passage is not None
    assert second.verdict is first.verdict
    assert second.impersonation is first.impersonation
    assert second.identity_lines == first.identity_lines != b""


@pytest.mark.parametrize(
    "other",
    [
        {"target": POD + "1"},
        {"lines": "User-Agent: k9s\r\n"},
        {"source": "10.0.0.2"},
        {"fingerprint": "another certificate"},
        {"login": replace(LOGIN, groups_checked_at=1.0)},
    ],
)
def test_another_request_is_decided_anew(other: dict[str, Any]) -> None:
    steps = Given().steps()
    passes(steps, request())
    assert passes(steps, request(**other)).passage is None


def test_a_new_policy_acts_at_the_next_request() -> None:
    now = Given()
    steps = now.steps()
    passes(steps, request())
    now.policy = policy(deny=True)
    refusal = steps(request())
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.DENIED


def test_new_groups_act_at_the_next_request() -> None:
    steps = Given().steps()
    passes(steps, request())
    refusal = steps(request(login=replace(LOGIN, identity=replace(ADA, groups=()))))
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.NO_ROLE


def test_new_labels_of_the_cluster_act_at_the_next_request() -> None:
    now = Given(policy(labels=(("env", "staging"),)), {"env": "staging"})
    steps = now.steps()
    passes(steps, request())
    now.labels = {"env": "production"}
    assert isinstance(steps(request()), Refusal)


def test_a_name_of_the_system_that_is_permitted_no_more_is_refused_at_the_next_request() -> None:
    now = Given(policy(groups=("system:authenticated",)), {}, frozenset({"system:authenticated"}))
    steps = now.steps()
    passes(steps, request())
    now.system_names = frozenset()
    refusal = steps(request())
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.IDENTITY_REFUSED


def test_what_was_decided_anew_is_remembered_in_its_place() -> None:
    now = Given()
    steps = now.steps()
    passes(steps, request())
    now.policy = policy(groups=("kwit:ops",))
    passes(steps, request())
    again = passes(steps, request())
    assert again.passage is not None
    assert b"kwit:ops" in again.identity_lines


def test_a_refusal_is_not_remembered() -> None:
    now = Given(policy(deny=True))
    steps = now.steps()
    assert isinstance(steps(request()), Refusal)
    now.policy = policy()
    assert passes(steps, request()).passage is None


def test_what_was_asked_with_as_is_not_remembered() -> None:
    rules = (READS, Rule(("impersonate",), ("",), ("users",)))
    role = Role("dev", ("*",), (), None, ("kwit:eng",), rules)
    binding = RoleBinding("devs", "dev", (Subject("User", ADA.username, "corp"),))
    steps = Given(compile_policy([role], [binding], ["corp"])).steps()
    for _ in range(2):
        context = passes(steps, request(lines="Impersonate-User: bob\r\n"))
        assert context.passage is None
        assert context.identity_lines.startswith(b"Impersonate-User: bob\r\n")


@pytest.mark.parametrize(
    "large",
    [
        {"target": "/api/v1/namespaces/shop/pods/" + "p" * MAX_KEPT_TARGET_BYTES},
        {"lines": "X-Large: " + "a" * MAX_KEPT_BYTES + "\r\n"},
        {"lines": "Authorization: Bearer canary\r\n"},
    ],
)
def test_what_is_large_or_came_with_a_credential_is_not_remembered(large: dict[str, str]) -> None:
    steps = Given().steps()
    for _ in range(2):
        assert passes(steps, request(**large)).passage is None
    assert steps._passages == {}


def test_what_is_remembered_is_bounded_and_the_oldest_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "KEPT", 2)
    steps = Given().steps()
    for n in (1, 2, 3):
        passes(steps, request(f"{POD}-{n}"))
    assert [passes(steps, request(f"{POD}-{n}")).passage is not None for n in (3, 2, 1)] == [True, True, False]


POLICIES = (policy(), policy(deny=True), policy(groups=("kwit:ops",)), policy(labels=(("env", "staging"),)))
LABELS: tuple[Mapping[str, str], ...] = ({}, {"env": "staging"})
LOGINS = (LOGIN, replace(LOGIN, identity=replace(ADA, groups=())), replace(LOGIN, ended_at=5.0))
TARGETS = (POD, "/api/v1/pods", "/api/v1/namespaces/shop/secrets/token", "/version")
STATES = st.tuples(*(st.integers(0, len(choices) - 1) for choices in (POLICIES, LABELS, LOGINS, TARGETS)))


@given(st.lists(STATES, max_size=20))
def test_whatever_changes_the_outcome_is_that_of_steps_without_a_memory(states: list[tuple[int, ...]]) -> None:
    now = Given()
    steps = now.steps()
    for p, labels, login, target in states:
        now.policy, now.labels = POLICIES[p], LABELS[labels]
        fresh, context = (request(TARGETS[target], login=LOGINS[login]) for _ in range(2))
        forgetful = (AuthorizationFilter(lambda: now.policy, lambda _: now.labels), ImpersonationFilter(lambda _: ()))
        wanted = next((refusal for step in forgetful if (refusal := step(fresh)) is not None), None)
        assert steps(context) == wanted
        if wanted is None:
            assert context.verdict == fresh.verdict
            assert (context.impersonation, context.identity_lines) == (fresh.impersonation, fresh.identity_lines)
