"""Who is bound, what is remembered, and verdicts against a brute-force reading of the design."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auth.rbac import (
    OWN_VERBS,
    Attributes,
    Decision,
    Options,
    Role,
    RoleBinding,
    Rule,
    Subject,
    Verdict,
    compile_policy,
)
from tests.auth.rbac.asking import CLAIMS, ENG, allowed, ask, conditions, policy, role, rule
from tests.auth.rbac.drawn import ASKED, REQUESTS, ROLES, RULES


def test_somebody_without_a_role_on_the_cluster_is_told_so() -> None:
    p = policy(role((rule("*", "*"),), cluster_names=("prod",)))
    why = "no role of yours covers cluster 'staging-1'; ask your platform team for one"
    assert p.decide(ask()) == Verdict(Decision.DENY, reason=why, attributes=ask())
    assert not p.covers(ask())
    assert p.covers(ask(cluster="prod"))


@pytest.mark.parametrize(
    ("subject", "bound"),
    [
        (Subject("Group", "eng", "corp"), True),
        (Subject("User", "ann", "corp"), True),
        (Subject("Group", "ann", "corp"), False),
        (Subject("User", "eng", "corp"), False),
        (Subject("Group", "en", "corp"), False),
        (Subject("Group", "eng", "other"), False),
        (Subject("User", "ann", "other"), False),
    ],
)
def test_a_subject_is_a_name_of_one_kind_from_one_connector(subject: Subject, bound: bool) -> None:
    p = compile_policy([role((rule("get"),))], [RoleBinding("b", "dev", (subject,))], ["corp", "other"])
    assert allowed(p, ask()) == bound


def test_a_connector_left_out_means_the_only_one() -> None:
    p = compile_policy([role((rule("get"),))], [RoleBinding("b", "dev", (Subject("Group", "eng"),))], ["corp"])
    assert allowed(p, ask())


@pytest.mark.parametrize(("when", "bound"), [("ann eng a", True), ("bob eng a", False)])
def test_a_condition_binds_or_not(when: str, bound: bool) -> None:
    assert allowed(policy(role((rule("get"),)), when=when), ask()) == bound


def test_a_condition_that_cannot_be_evaluated_takes_permissions_and_leaves_denials() -> None:
    broken = RoleBinding("cond", "dev", ENG, "broken")
    strict, other = role((rule("get"),), (rule("*", "secrets"),)), role((rule("*", "*"),), name="other")
    p = compile_policy([strict, other], [broken, RoleBinding("o", "other", ENG)], ["corp"], condition=conditions)
    assert allowed(p, ask())
    assert p.decide(ask(resource="secrets")).rule == "deny[0]"
    alone = compile_policy([strict], [broken], ["corp"], condition=conditions).decide(ask())
    assert alone.reason.endswith("the condition of binding cond cannot be evaluated for you: no such key")
    whole = compile_policy([strict], [broken, RoleBinding("sure", "dev", ENG)], ["corp"], condition=conditions)
    assert allowed(whole, ask())


def test_a_certificate_lives_as_short_as_any_role_on_its_cluster_says() -> None:
    def dev(name: str, seconds: float | None, **fields: Any) -> Role:
        return role((rule("get"),), name=name, options=Options(seconds), **fields)

    hour, none = dev("hour", 3600.0), dev("none", None)
    elsewhere = dev("elsewhere", 60.0, cluster_names=("prod",))
    only_denies = role((), (rule("get"),), "only-denies", options=Options(120.0))
    nameless = dev("nameless", 180.0, as_groups=("{{ claims.none }}",))
    assert [
        policy(*roles).certificate_ttl_seconds(ask(cluster=cluster))
        for roles, cluster in [
            ((), "prod"),
            ((none,), "prod"),
            ((hour, none, elsewhere), "staging-1"),
            ((hour, none, elsewhere), "prod"),
            ((hour, only_denies), "prod"),
            ((hour, nameless), "prod"),
        ]
    ] == [None, None, 3600.0, 60.0, 120.0, 180.0]
    unclear = policy(dev("unclear", 240.0), when="broken")
    assert unclear.certificate_ttl_seconds(ask()) == 240.0
    assert policy(dev("not-theirs", 60.0), when="false").certificate_ttl_seconds(ask()) is None


def test_a_change_of_groups_claims_or_labels_is_seen_at_once() -> None:
    p = policy(role((rule("get", namespaces=("{{ claims.team }}",)),), cluster_labels=(("env", "staging"),)))
    asked = ask(namespace="a")
    assert allowed(p, asked)
    assert not allowed(p, replace(asked, groups=()))
    assert not allowed(p, replace(asked, claims={"team": "b"}))
    assert not allowed(p, replace(asked, cluster_labels={"env": "prod"}))
    assert not allowed(p, replace(asked, connector="other"))
    assert not allowed(p, replace(asked, cluster="staging-2", cluster_labels={}))
    assert allowed(p, asked)


def test_the_cache_is_bounded_and_keeps_whom_it_saw_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auth.rbac.policy.CACHED_PEOPLE", 2)
    p = policy(role((rule("get"),)))
    for name in ("ann", "bob", "ann", "eve"):
        assert allowed(p, ask(username=name))
    assert [key[1] for key in p._holdings] == ["ann", "eve"]


def glob(pattern: str, name: str) -> bool:
    filled = pattern.replace("{{ claims.team }}", "a")
    return re.fullmatch(".*".join(map(re.escape, filled.split("*"))), name) is not None


SPELLED = {
    "exec": "exec",
    "attach": "attach",
    "portforward": "portforward",
    "proxy": "proxy",
    "debug": "ephemeralcontainers",
}


SENT_AS = {
    **dict.fromkeys(("exec", "attach", "portforward"), "get create"), "proxy": "get create update patch delete",
    "debug": "create update patch", "mint": "create update patch",
}  # fmt: skip


CLUSTER_SCOPED = {"nodes"}


def covers_resource(r: Rule, a: Attributes, *, deny: bool) -> bool:
    if not {"*", a.api_group} & set(r.api_groups):
        return False
    sub = a.subresource or SPELLED.get(a.verb, "")
    spelled = f"{a.resource}/{sub}" if sub else a.resource
    kubernetes = {"*", spelled} | ({f"*/{sub}"} if sub else set())
    verbs, resources = set(r.verbs), set(r.resources)
    if a.verb in OWN_VERBS:
        if a.verb in verbs or (deny and "*" in verbs):
            return bool((kubernetes | {a.resource}) & resources)
        if deny:
            return bool(kubernetes & resources) and bool(set(SENT_AS.get(a.verb, "").split()) & verbs)
        stream = a.verb in ("exec", "attach", "portforward")
        return stream and spelled in resources and bool({"create", "*"} & verbs)
    return bool({"*", a.verb} & verbs) and bool(kubernetes & resources)


def covers(r: Rule, a: Attributes, *, deny: bool) -> bool:
    """Whether `r` holds for all of `a` (allow), or for any of it (deny)."""
    if not covers_resource(r, a, deny=deny):
        return False
    if r.namespaces is not None or r.except_namespaces:
        reaches = a.verb in ("list", "watch", "deletecollection") and a.resource not in CLUSTER_SCOPED
        if not a.namespace and not (deny and reaches):
            return False
        included = any(glob(p, a.namespace) for p in r.namespaces or ("*",))
        if a.namespace and (not included or any(glob(p, a.namespace) for p in r.except_namespaces)):
            return False
    if r.names is not None or r.except_names:
        if not a.name:
            return deny
        included = any(glob(p, a.name) for p in r.names or ("*",))
        return included and not any(glob(p, a.name) for p in r.except_names)
    return True


def oracle(roles: list[Role], wanted: list[Attributes]) -> tuple[bool, tuple[str, ...]]:
    """(allowed, groups) for a person to whom every role is bound."""
    groups: set[str] = set()
    for a in wanted:
        if any(covers(r, a, deny=True) for one in roles for r in one.deny):
            return False, ()
        granting = [one for one in roles if any(covers(r, a, deny=False) for r in one.allow)]
        if not granting:
            return False, ()
        groups |= {g for one in granting for g in one.as_groups}
    return bool(wanted), tuple(sorted(groups)) if wanted else ()


@settings(max_examples=400)
@given(ROLES, st.lists(REQUESTS, min_size=1, max_size=6))
def test_verdicts_are_those_of_the_brute_force_reading(roles: list[Role], requests: list[list[Attributes]]) -> None:
    p = policy(*roles)
    for wanted in requests:
        verdict = p.decide_all(wanted)
        assert (verdict.decision is Decision.ALLOW, verdict.as_groups) == oracle(roles, wanted)


@given(ROLES, RULES, ASKED)
def test_a_further_allow_never_takes_away_and_a_further_deny_never_gives(
    roles: list[Role], r: Rule, a: Attributes
) -> None:
    before = allowed(policy(*roles), a)
    more = [replace(roles[0], allow=(*roles[0].allow, r)), *roles[1:]]
    less = [replace(roles[0], deny=(*roles[0].deny, r)), *roles[1:]]
    assert allowed(policy(*more), a) >= before
    assert allowed(policy(*less), a) <= before


@given(ROLES, ASKED)
def test_the_order_of_roles_rules_and_bindings_changes_nothing(roles: list[Role], a: Attributes) -> None:
    turned = [replace(r, allow=r.allow[::-1], deny=r.deny[::-1]) for r in reversed(roles)]
    one, other = policy(*roles).decide(a), policy(*turned).decide(a)
    assert (one.decision, one.role, one.as_user, one.as_groups, one.options) == (
        other.decision,
        other.role,
        other.as_user,
        other.as_groups,
        other.options,
    )


@given(ROLES, ASKED)
def test_nothing_is_allowed_outside_of_the_namespaces_of_every_rule(roles: list[Role], a: Attributes) -> None:
    fenced = [
        replace(r, allow=tuple(replace(one, namespaces=("b",), except_namespaces=()) for one in r.allow)) for r in roles
    ]
    assert a.namespace == "b" or not allowed(policy(*fenced), a)


def test_a_verdict_is_remembered_and_the_number_of_them_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auth.rbac.policy.MAX_VERDICTS", 2)
    p = policy(role((rule("get"), rule("delete", names=("a",)))))
    first, second = p.decide(ask(name="a")), p.decide(ask(name="b"))
    assert p.decide(ask(name="a")) is first
    p.decide(ask(name="c"))
    assert p.decide(ask(name="a")) is first
    assert p.decide(ask(name="b")) == second
    assert p.decide(ask(name="b")) is not second
    assert len(p._verdicts) == 2


def test_where_no_rule_is_about_names_what_holds_of_one_name_is_remembered_for_all() -> None:
    p = policy(role((rule("get"),), (rule("get", "secrets"),)))
    first = p.decide(ask(name="a"))
    assert [p.decide(ask(name=name)) is first for name in ("a", "b", "c" * 600)] == [True] * 3
    assert first.decision is Decision.ALLOW
    assert len(p._verdicts) == 1
    refusals = [p.decide(ask(resource="secrets", name=name)).reason for name in ("a", "b", "a")]
    assert [reason.split(" in ")[0] for reason in refusals] == [f'"get" of secrets "{name}"' for name in "aba"]
    assert p.decide(ask("list", name="")).decision is Decision.DENY
    assert p.decide(ask("list", name="a")).reason.startswith('"list" of pods "a" ')


NAMELESS = rule("get")
ABOUT_A = [rule("get", names=("a",)), rule("get", except_names=("b",)), rule("get", names=("*",), except_names=("b",))]


@pytest.mark.parametrize("narrow", ABOUT_A)
def test_what_was_allowed_for_one_name_is_denied_for_that_of_a_rule(narrow: Rule) -> None:
    for p in (
        policy(role((NAMELESS,), (narrow,))),
        policy(role((NAMELESS,)), role((), (narrow,), name="other")),
        policy(role((NAMELESS,)), role((), (rule("list"), narrow), name="other")),
    ):
        assert [allowed(p, ask(name=name)) for name in "baba"] == [True, False, True, False]


@pytest.mark.parametrize("narrow", ABOUT_A)
def test_what_is_allowed_for_one_name_is_so_for_no_other(narrow: Rule) -> None:
    for p in (policy(role((narrow,))), policy(role((rule("list"),)), role((rule("watch"), narrow), name="other"))):
        assert [allowed(p, ask(name=name)) for name in "abab"] == [True, False, True, False]


def test_a_verdict_about_a_resource_is_none_about_a_path_of_the_same_words() -> None:
    p = policy(role((Rule(("get",), non_resource_urls=("/x",)),)))
    asked = ask(resource="", namespace="", name="", path="/x")
    assert [allowed(p, replace(asked, is_resource_request=one)) for one in (True, False, True)] == [False, True, False]


def test_a_verdict_on_a_long_question_is_not_kept() -> None:
    p = policy(role((rule("get"), rule("delete", names=("a",)))))
    for length in (495, 496):  # beside `get`, `pods`, `/x` and the namespace
        assert allowed(p, ask(name="n" * length))
    assert [question[6] for question in p._verdicts] == ["n" * 495]


PEOPLE = st.fixed_dictionaries(
    {},
    optional={
        "connector": st.sampled_from(["corp", "other"]),
        "username": st.sampled_from(["ann", "bob"]),
        "groups": st.sampled_from([("eng",), ()]),
        "claims": st.sampled_from([CLAIMS, {"team": "b"}]),
        "cluster": st.sampled_from(["staging-1", "prod"]),
        "cluster_labels": st.sampled_from([{"env": "staging"}, {}]),
    },
)
ANYTHING = st.builds(
    lambda a, changes, url: replace(a, **changes, **({"path": url, "is_resource_request": False} if url else {})),
    ASKED,
    PEOPLE,
    st.sampled_from(["", "/metrics", "/version"]),
)
RESTRICTED = [
    role((rule("get list", "*"),), name="everywhere"),
    role((rule("*", "*", namespaces=("{{ claims.team }}-*",)),), name="team", cluster_labels=(("env", "staging"),)),
    role((Rule(("get",), non_resource_urls=("/metrics",)),), (rule("*", names=("b",)),), cluster_names=("staging-*",)),
    role((rule("exec"),), name="own", as_groups=("kwit:{{ username }}",)),
]


@given(st.lists(ANYTHING, max_size=12))
def test_what_is_remembered_is_what_a_policy_that_remembers_nothing_says(asked: list[Attributes]) -> None:
    warm = policy(*RESTRICTED)
    for a in asked + asked:
        assert warm.decide(a) == policy(*RESTRICTED).decide(a)


@given(ROLES, st.lists(ASKED, max_size=8))
def test_so_it_is_with_any_roles_whether_they_name_objects_or_not(roles: list[Role], asked: list[Attributes]) -> None:
    warm = policy(*roles)
    for a in asked + asked:
        assert warm.decide(a) == policy(*roles).decide(a)
