"""Verdicts as they are told, and what several rules and roles make together."""

from dataclasses import replace

import pytest

from auth.rbac import Decision, Options, Policy, Rule, Verdict, compile_policy
from tests.auth.rbac.asking import allowed, ask, policy, role, rule


def test_an_allowed_request_names_role_rule_and_as_whom() -> None:
    p = policy(role((rule("get", "services"), rule("get list")), as_user="{{ username }}@corp", options=Options(60)))
    assert p.decide(ask()) == Verdict(
        Decision.ALLOW,
        "dev",
        "allow[1]",
        "allowed by role dev, allow[1]",
        "ann@corp",
        ("kwit:dev",),
        Options(60),
    )


def test_a_denied_request_says_verb_resource_namespace_and_rule() -> None:
    p = policy(role((rule("*", "*"),), (rule("*", "secrets"),)))
    why = '"get" of secrets "x" in namespace "team-a-1" on cluster "staging-1" is denied by role dev, deny[0]'
    assert p.decide(ask(resource="secrets")) == Verdict(
        Decision.DENY, "dev", "deny[0]", why, attributes=ask(resource="secrets")
    )


def test_a_request_no_rule_covers_names_the_roles_that_were_asked() -> None:
    p = policy(role((rule("get", "services"),)), role((rule("get", "nodes"),), name="ops"))
    asked = ask("create", "pods/eviction", api_group="policy", namespace="", name="")
    what = '"create" of pods/eviction.policy at the cluster scope on cluster "staging-1"'
    why = f"{what} is not allowed by your roles (dev, ops)"
    assert p.decide(asked) == Verdict(Decision.DENY, "dev", "", why, attributes=asked)


def test_an_empty_policy_and_a_request_without_effects_are_refused() -> None:
    assert not allowed(Policy(), ask())
    assert not allowed(compile_policy([], [], ["corp"]), ask())
    assert not allowed(policy(role((rule("*", "*"),))))


@pytest.mark.parametrize("verb", ["list", "watch", "deletecollection"])
def test_a_list_wider_than_the_rule_is_refused_with_what_to_do(verb: str) -> None:
    by_namespace = policy(role((rule("*", namespaces=("a",)),))).decide(ask(verb, namespace="", name=""))
    by_name = policy(role((rule("*", names=("a",)),))).decide(ask(verb, name=""))
    assert (by_namespace.decision, by_namespace.rule, by_name.decision, by_name.rule) == (0, "allow[0]", 0, "allow[0]")
    assert by_namespace.reason.endswith("the rule covers a part of it; name a namespace (-n) or one object")
    assert by_name.reason.endswith("the rule covers a part of it; name one object")


@pytest.mark.parametrize("verb", ["list", "watch", "deletecollection"])
def test_a_list_that_reaches_what_is_denied_is_refused(verb: str) -> None:
    everything = (rule("*", "*"),)
    in_namespace = policy(role(everything, (rule("*", "*", namespaces=("kube-system",)),)))
    assert not allowed(in_namespace, ask(verb, namespace="", name=""))
    assert allowed(in_namespace, ask(verb, name=""))
    assert allowed(in_namespace, ask(verb, "nodes", namespace="", name=""))
    assert not allowed(in_namespace, ask(verb, "widgets", api_group="example.com", namespace="", name=""))
    named = policy(role(everything, (rule("*", names=("x",)),)))
    assert not allowed(named, ask(verb, name=""))
    assert allowed(named, ask(verb, name="y"))


def test_everybody_bound_may_get_the_discovery_paths_unless_denied() -> None:
    paths = [
        "/api",
        "/api/v1",
        "/apis",
        "/apis/apps/v1",
        "/openapi/v3",
        "/version",
        "/version/",
        "/readyz",
        "/metrics",
        "/",
    ]
    p = policy(role((rule("get"),)))
    asked = [ask(path=path, is_resource_request=False) for path in paths]
    assert [a.path for a in asked if not allowed(p, a)] == ["/metrics", "/"]
    assert p.decide(asked[0]).rule == "discovery"
    assert not allowed(p, replace(asked[0], verb="post"))
    denied = policy(role((rule("get"),), (Rule(("*",), non_resource_urls=("/api*",)),)))
    assert not allowed(denied, asked[0])
    assert not allowed(p, replace(asked[0], groups=()))


def test_groups_are_the_union_over_roles_that_allowed_this_request() -> None:
    p = policy(
        role((rule("get"),), as_groups=("g1", "g2")),
        role((rule("get list"),), name="b", as_groups=("g2", "g3")),
        role((rule("list"),), name="c", as_groups=("g4",)),
    )
    assert p.decide(ask()).as_groups == ("g1", "g2", "g3")
    assert p.decide_all([ask(), ask("list")]).as_groups == ("g1", "g2", "g3", "g4")


def test_roles_agree_about_the_user_or_the_request_is_refused() -> None:
    silent, x, y = (
        role((rule("get"),)),
        role((rule("get"),), name="x", as_user="x"),
        role((rule("list"),), name="y", as_user="y"),
    )
    p = policy(silent, x, y)
    assert p.decide(ask()).as_user == "x"
    both = p.decide_all([ask(), ask("list")])
    assert (both.decision, both.reason) == (
        Decision.DENY,
        "your roles disagree about as whom the cluster shall see you (x and y); tell your platform team",
    )
    assert not allowed(policy(x, replace(y, allow=(rule("get"),))), ask())


@pytest.mark.parametrize(
    ("options", "what"),
    [(Options(require_reason=("exec",)), "a reason"), (Options(require_mfa=("exec",)), "a second factor")],
)
def test_what_this_version_cannot_ask_for_is_refused_for_that_verb_alone(options: Options, what: str) -> None:
    p = policy(role((rule("get exec"),), options=options))
    assert allowed(p, ask())
    assert f"needs {what} by your role" in p.decide(ask("exec")).reason


def test_a_rule_about_labels_refuses_with_a_sentence_and_denies_whatever_it_could() -> None:
    labelled = (("tier", "web"),)
    refused = policy(role((rule("get", labels=labelled),))).decide(ask())
    assert refused.reason.endswith("the rule looks at labels, which this version cannot do yet")
    p = policy(role((rule("*", "*"),), (rule("delete", labels=labelled),)))
    assert allowed(p, ask())
    assert not allowed(p, ask("delete"))
