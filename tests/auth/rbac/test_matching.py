"""Whether a rule is about a request, rule by rule where two readings are possible."""

from dataclasses import replace
from typing import Any

import pytest

from auth.rbac import KUBERNETES_VERBS, OWN_VERBS, Rule
from tests.auth.rbac.asking import allowed, ask, policy, role, rule


@pytest.mark.parametrize("verb", sorted(OWN_VERBS))
def test_star_is_kubernetes_own_verbs_in_allow_and_everything_in_deny(verb: str) -> None:
    assert not allowed(policy(role((rule("*", "*"),))), ask(verb))
    every = rule(" ".join(OWN_VERBS), "*")
    assert allowed(policy(role((every,))), ask(verb))
    assert not allowed(policy(role((every,), (rule("*", "*"),))), ask(verb))


@pytest.mark.parametrize("verb", ["exec", "attach", "portforward"])
def test_create_of_the_subresource_means_the_stream_and_nothing_else(verb: str) -> None:
    p = policy(role((rule("create", f"pods/{verb}"),)))
    assert allowed(p, ask(verb))
    assert [v for v in sorted(KUBERNETES_VERBS | OWN_VERBS) if allowed(p, ask(v))] == [verb]
    assert allowed(policy(role((rule("*", f"pods/{verb}"),))), ask(verb))
    for other in (
        rule("get", f"pods/{verb}"),
        rule("create", f"*/{verb}"),
        rule("create", "*"),
        rule("create", "pods"),
    ):
        assert not allowed(policy(role((other,))), ask(verb))


@pytest.mark.parametrize(
    ("verb", "resource", "kubernetes"),
    [
        ("proxy", "services", rule("get create update patch delete", "services/proxy")),
        ("proxy", "nodes", rule("*", "*")),
        ("debug", "pods", rule("update patch", "pods/ephemeralcontainers")),
        ("mint", "serviceaccounts/token", rule("create", "serviceaccounts/token")),
        ("mint", "secrets", rule("create update patch", "secrets")),
    ],
)
def test_kubernetes_verbs_never_allow_the_other_acts_and_do_deny_them(
    verb: str, resource: str, kubernetes: Rule
) -> None:
    assert not allowed(policy(role((kubernetes,))), ask(verb, resource))
    ours = rule(verb, resource.partition("/")[0])
    assert allowed(policy(role((ours,))), ask(verb, resource))
    assert not allowed(policy(role((ours,), (kubernetes,))), ask(verb, resource))


@pytest.mark.parametrize(
    ("denial", "denied"),
    [
        (rule("*", "pods"), True),
        (rule("exec"), True),
        (rule("*", "pods/exec"), True),
        (rule("exec", "pods/exec"), True),
        (rule("create", "pods/exec"), True),
        (rule("get", "pods/exec"), True),
        (rule("create", "*/exec"), True),
        (rule("create", "*"), True),
        (rule("delete", "*"), False),
        (rule("create", "pods"), False),
        (rule("attach"), False),
        (rule("*", "pods/attach"), False),
        (rule("*", "pods", api_groups=("apps",)), False),
    ],
)
def test_a_denial_of_exec_in_any_words_denies_exec(denial: Rule, denied: bool) -> None:
    assert allowed(policy(role((rule("exec"),), (denial,))), ask("exec")) != denied


def test_denying_a_subresource_leaves_the_resource() -> None:
    assert allowed(policy(role((rule("get"),), (rule("*", "pods/exec"),))), ask())


def test_a_method_without_a_verb_is_never_allowed() -> None:
    assert not allowed(policy(role((rule("*", "*"),))), ask(""))


@pytest.mark.parametrize(
    ("written", "asked", "fits"),
    [
        ("pods", "pods", True),
        ("pods", "pods/log", False),
        ("pods/log", "pods/log", True),
        ("pods/log", "pods", False),
        ("*/log", "pods/log", True),
        ("*/log", "pods", False),
        ("*", "pods/log", True),
    ],
)
def test_resources_match_as_in_kubernetes(written: str, asked: str, fits: bool) -> None:
    assert allowed(policy(role((rule("get", written),))), ask(resource=asked)) == fits


def test_groups_match_exactly_or_by_star() -> None:
    assert not allowed(policy(role((rule("get"),))), ask(api_group="apps"))
    assert allowed(policy(role((rule("get", api_groups=("*",)),))), ask(api_group="apps"))


@pytest.mark.parametrize(
    ("fields", "namespace", "fits"),
    [
        ({}, "any", True),
        ({}, "", True),
        ({"namespaces": ("*",)}, "any", True),
        ({"namespaces": ("*",)}, "", False),
        ({"namespaces": ("team-a-*",)}, "team-a-1", True),
        ({"namespaces": ("team-a-*",)}, "team-b-1", False),
        ({"except_namespaces": ("kube-*",)}, "team", True),
        ({"except_namespaces": ("kube-*",)}, "kube-system", False),
        ({"except_namespaces": ("kube-*",)}, "", False),
    ],
)
def test_namespaces_left_out_is_everything_and_given_is_namespaced_only(
    fields: dict[str, Any], namespace: str, fits: bool
) -> None:
    assert allowed(policy(role((rule("get", **fields),))), ask(namespace=namespace)) == fits


def test_a_rule_about_names_fits_named_requests_alone() -> None:
    p = policy(role((rule("*", names=("web-*",)),)))
    assert allowed(p, ask(name="web-1"), ask("list", name="web-1"))
    assert not allowed(p, ask(name="db"))
    assert not allowed(p, ask("create", name=""))


def test_a_create_whose_name_only_the_body_has_cannot_pass_a_denial_by_name() -> None:
    p = policy(role((rule("*", "*"),), (rule("create", names=("x",)),)))
    assert not allowed(p, ask("create", name=""))


def test_paths_are_granted_by_their_rules_and_by_no_other() -> None:
    p = policy(role((Rule(("get",), non_resource_urls=("/metrics", "/logs/*")), rule("*", "*"))))
    paths = ["/metrics", "/logs/x", "/logs", "/debug", "/metrics/x"]
    asked = [ask(path=path, is_resource_request=False) for path in paths]
    assert [a.path for a in asked if allowed(p, a)] == ["/metrics", "/logs/x"]
    assert not allowed(p, replace(asked[0], verb="post"))


@pytest.mark.parametrize("resource", ["recordings", "records"])
def test_what_others_typed_is_read_by_whom_a_role_names_for_it_and_by_no_star(resource: str) -> None:
    def asked() -> Any:
        return ask("get", resource, api_group="kubewitness.dev")

    everything = Rule(("get",), ("*",), ("*",))
    named = Rule(("get",), ("kubewitness.dev",), (resource,))
    assert not allowed(policy(role((everything,))), asked())
    assert allowed(policy(role((named,))), asked())
    assert not allowed(policy(role((named,), (everything,))), asked())
