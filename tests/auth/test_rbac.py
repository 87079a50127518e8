"""Verdicts: against a brute-force reading of the design, and rule by rule where two readings are possible."""

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auth import rbac
from auth.rbac import (
    Attributes,
    Condition,
    ConditionError,
    Decision,
    Options,
    Policy,
    PolicyError,
    Role,
    RoleBinding,
    Rule,
    Subject,
    Verdict,
    compile_policy,
)

CLAIMS: Mapping[str, object] = MappingProxyType({"team": "a", "level": 3, "evil": "*", "masters": "system:masters"})
ENG = (Subject("Group", "eng", "corp"),)
READ = ("get", "list", "watch")


def ask(verb: str = "get", resource: str = "pods", **changes: Any) -> Attributes:
    resource, _, subresource = resource.partition("/")
    asked = Attributes(
        connector="corp", username="ann", groups=("eng", "all"), claims=CLAIMS, cluster="staging-1",
        cluster_labels={"env": "staging"}, verb=verb, api_group="", resource=resource, subresource=subresource,
        namespace="team-a-1", name="x", path="/x", is_resource_request=True,
    )  # fmt: skip
    return replace(asked, **changes)


def rule(verbs: str, resources: str = "pods", **fields: Any) -> Rule:
    return Rule(tuple(verbs.split()), fields.pop("api_groups", ("",)), tuple(resources.split()), **fields)


def role(allow: tuple[Rule, ...] = (), deny: tuple[Rule, ...] = (), name: str = "dev", **fields: Any) -> Role:
    return Role(name, allow=allow, deny=deny, **{"as_groups": ("kwit:dev",), **fields})


def policy(*roles: Role, **bound: Any) -> Policy:
    bindings = [RoleBinding(f"b-{r.name}", r.name, ENG, **bound) for r in roles]
    return compile_policy(roles, bindings, ["corp"], condition=_conditions)


def _conditions(text: str) -> Condition:
    def holds(username: str, groups: tuple[str, ...], claims: Mapping[str, object]) -> bool:
        if text == "broken":
            raise ConditionError("no such key")
        return text == f"{username} {groups[0]} {claims['team']}"

    return holds


def allowed(p: Policy, *asked: Attributes) -> bool:
    return p.decide_all(asked).decision is Decision.ALLOW


# -- whole verdicts


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
        ask(),
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


def test_somebody_without_a_role_on_the_cluster_is_told_so() -> None:
    p = policy(role((rule("*", "*"),), cluster_names=("prod",)))
    why = "no role of yours covers cluster 'staging-1'; ask your platform team for one"
    assert p.decide(ask()) == Verdict(Decision.DENY, reason=why, attributes=ask())
    assert not p.covers(ask())
    assert p.covers(ask(cluster="prod"))


def test_an_empty_policy_and_a_request_without_effects_are_refused() -> None:
    assert not allowed(Policy(), ask())
    assert not allowed(compile_policy([], [], ["corp"]), ask())
    assert not allowed(policy(role((rule("*", "*"),))))


# -- who is bound, and where


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


@pytest.mark.parametrize(
    ("names", "labels", "covered"),
    [
        (("*",), (), True),
        (("staging-*",), (("env", "staging"),), True),
        (("staging-*",), (("env", "prod"),), False),
        (("prod",), (("env", "staging"),), False),
        (("*",), (("missing", "x"),), False),
    ],
)
def test_a_role_holds_where_name_and_labels_of_the_cluster_fit(
    names: tuple[str, ...], labels: tuple[tuple[str, str], ...], covered: bool
) -> None:
    assert policy(role((rule("get"),), cluster_names=names, cluster_labels=labels)).covers(ask()) == covered


@pytest.mark.parametrize(("when", "bound"), [("ann eng a", True), ("bob eng a", False)])
def test_a_condition_binds_or_not(when: str, bound: bool) -> None:
    assert allowed(policy(role((rule("get"),)), when=when), ask()) == bound


def test_a_condition_that_cannot_be_evaluated_takes_permissions_and_leaves_denials() -> None:
    broken = RoleBinding("cond", "dev", ENG, "broken")
    strict, other = role((rule("get"),), (rule("*", "secrets"),)), role((rule("*", "*"),), name="other")
    p = compile_policy([strict, other], [broken, RoleBinding("o", "other", ENG)], ["corp"], condition=_conditions)
    assert allowed(p, ask())
    assert p.decide(ask(resource="secrets")).rule == "deny[0]"
    alone = compile_policy([strict], [broken], ["corp"], condition=_conditions).decide(ask())
    assert alone.reason.endswith("the condition of binding cond cannot be evaluated for you: no such key")
    whole = compile_policy([strict], [broken, RoleBinding("sure", "dev", ENG)], ["corp"], condition=_conditions)
    assert allowed(whole, ask())


# -- verbs


@pytest.mark.parametrize("verb", sorted(rbac.OWN_VERBS))
def test_star_is_kubernetes_own_verbs_in_allow_and_everything_in_deny(verb: str) -> None:
    assert not allowed(policy(role((rule("*", "*"),))), ask(verb))
    every = rule(" ".join(rbac.OWN_VERBS), "*")
    assert allowed(policy(role((every,))), ask(verb))
    assert not allowed(policy(role((every,), (rule("*", "*"),))), ask(verb))


@pytest.mark.parametrize("verb", ["exec", "attach", "portforward"])
def test_create_of_the_subresource_means_the_stream_and_nothing_else(verb: str) -> None:
    p = policy(role((rule("create", f"pods/{verb}"),)))
    assert allowed(p, ask(verb))
    assert [v for v in sorted(rbac.KUBERNETES_VERBS | rbac.OWN_VERBS) if allowed(p, ask(v))] == [verb]
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


# -- resources, namespaces, names


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


def test_a_create_whose_name_only_the_body_has_cannot_pass_a_denial_by_name() -> None:
    p = policy(role((rule("*", "*"),), (rule("create", names=("x",)),)))
    assert not allowed(p, ask("create", name=""))


# -- paths


def test_paths_are_granted_by_their_rules_and_by_no_other() -> None:
    p = policy(role((Rule(("get",), non_resource_urls=("/metrics", "/logs/*")), rule("*", "*"))))
    paths = ["/metrics", "/logs/x", "/logs", "/debug", "/metrics/x"]
    asked = [ask(path=path, is_resource_request=False) for path in paths]
    assert [a.path for a in asked if allowed(p, a)] == ["/metrics", "/logs/x"]
    assert not allowed(p, replace(asked[0], verb="post"))


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


# -- templates and identities


@pytest.mark.parametrize("missing", ["nobody", "level", "evil"])
def test_a_claim_that_is_no_plain_word_takes_permissions_and_not_denials(missing: str) -> None:
    template = f"{{{{ claims.{missing} }}}}-*"
    p = policy(
        role((rule("get", namespaces=(template,)), rule("list")), (rule("*", "secrets", namespaces=(template,)),))
    )
    refused = p.decide(ask())
    assert refused.decision is Decision.DENY
    assert f"no usable claims.{missing}" in refused.reason
    assert allowed(p, ask("list"))
    assert not allowed(p, ask("list", "secrets"))


def test_templates_are_filled_with_the_person() -> None:
    p = policy(role((rule("get", names=("{{username}}-*",), namespaces=("{{ claims.team }}",)),)))
    assert allowed(p, ask(name="ann-1", namespace="a"))
    assert not allowed(p, ask(name="bob-1", namespace="a"))
    assert not allowed(p, ask(name="ann-1", namespace="a", username="*"))


def test_a_template_too_long_once_filled_is_refused() -> None:
    claims = {"team": "t" * 300}
    p = policy(role((rule("get", namespaces=("{{ claims.team }}-*",)),)))
    assert not allowed(p, ask(namespace="t" * 300 + "-x", claims=claims))


@pytest.mark.parametrize("team", ["system:masters", "SYSTEM:x", " system:masters", "a ", "a\nb", "x" * 1025])
def test_a_claim_cannot_make_a_name_of_the_system_or_one_a_header_would_change(team: str) -> None:
    for fields in ({"as_groups": ("{{ claims.team }}",)}, {"as_user": "{{ claims.team }}"}):
        p = policy(role((rule("get"),), **fields))
        assert allowed(p, ask())
        assert not allowed(p, ask(claims={"team": team}))
        assert not allowed(p, ask(claims={"team": team}, path="/api", is_resource_request=False))


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


# -- options


def test_of_options_the_strictest_holds() -> None:
    first = role((rule("get"),), options=Options(3600, "standard", ("exec",), (), 5))
    second = role((rule("get list"),), name="b", options=Options(60, "strict", ("attach",), ("exec",), 9))
    strictest = Options(60, "strict", ("attach", "exec"), ("exec",), 5)
    p = policy(first, second)
    assert p.decide(ask()).options == strictest
    assert p.decide_all([ask(), ask("list")]).options == strictest
    assert policy(first).decide_all([ask(), ask()]).options == first.options


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


# -- the cache


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
    monkeypatch.setattr(rbac, "CACHED_PEOPLE", 2)
    p = policy(role((rule("get"),)))
    for name in ("ann", "bob", "ann", "eve"):
        assert allowed(p, ask(username=name))
    assert [key[1] for key in p._cache] == ["ann", "eve"]


# -- mistakes


def _mistakes(
    *roles: Role, bindings: tuple[RoleBinding, ...] = (), connectors: tuple[str, ...] = ("corp",)
) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        compile_policy(roles, bindings, connectors, condition=None)
    return list(caught.value.mistakes)


@pytest.mark.parametrize(
    ("wrong", "mistake"),
    [
        (rule("read"), "verbs: 'read': not a verb"),
        (rule(""), "verbs: empty"),
        (rule("get", ""), "apiGroups: apiGroups and resources are both needed"),
        (rule("get", api_groups=()), "apiGroups: apiGroups and resources are both needed"),
        (rule("get", api_groups=("apps/v1",)), "apiGroups: 'apps/v1': expected a group without its version"),
        (rule("get", "pods/*"), "resources: 'pods/*': expected a plural"),
        (rule("get", "Pods"), "resources: 'Pods': expected a plural"),
        (rule("get", namespaces=()), "namespaces: empty; leave it out for all"),
        (rule("get", names=()), "names: empty; leave it out for all"),
        (rule("get", namespaces=("a?",)), "namespaces: 'a?': a pattern is"),
        (rule("get", names=("{{ claims.x.y }}",)), "names: '{{ claims.x.y }}': a template is"),
        (rule("get", except_names=("[a]",)), "names.except: '[a]': a pattern is"),
        (rule("get", except_namespaces=("{{ x }}",)), "namespaces.except: '{{ x }}': a template is"),
        (Rule(("get",), ("",), ("pods",), non_resource_urls=("/x",)), "nonResourceURLs: stand alone"),
        (Rule(("get",), non_resource_urls=("x",)), "nonResourceURLs: 'x': expected a path"),
        (Rule(("list",), non_resource_urls=("/x",)), "verbs: 'list': not a verb"),
        (
            Rule(("get",), non_resource_urls=("/{{ username }}",)),
            "nonResourceURLs: '/{{ username }}': no templates here",
        ),
    ],
)
def test_a_rule_that_cannot_be_meant_is_a_mistake_with_its_place(wrong: Rule, mistake: str) -> None:
    for kind in ("allow", "deny"):
        rules = (rule("get"), wrong)
        one = role(rules if kind == "allow" else (), rules if kind == "deny" else (), source="dev.yaml:3: Role dev")
        found = _mistakes(one)
        assert [text for text in found if f"spec.{kind}[1].{mistake}" in text]
        assert all(text.startswith(f"dev.yaml:3: Role dev: spec.{kind}[1].") for text in found)


@pytest.mark.parametrize(
    ("fields", "mistake"),
    [
        ({"as_groups": ("system:masters",)}, "spec.as.groups: 'system:masters' is a name of the system"),
        ({"as_user": "System:admin"}, "spec.as.user: 'System:admin' is a name of the system"),
        ({"as_user": ""}, "spec.as.user: '': a name is 1 to"),
        ({"as_groups": (" a",)}, "spec.as.groups: ' a': a name is 1 to"),
        ({"as_groups": ("{{ groups }}",)}, "spec.as.groups: '{{ groups }}': a template is"),
        ({"cluster_names": ()}, "spec.clusters.names: empty"),
        ({"cluster_names": ("{{ username }}",)}, "spec.clusters.names: '{{ username }}': no templates here"),
        ({"cluster_names": ("a[1]",)}, "spec.clusters.names: 'a[1]': a pattern is"),
        ({"options": Options(record="loose")}, "spec.options.record: 'loose', expected standard or strict"),
        ({"options": Options(require_reason=("login",))}, "spec.options.requireReason: 'login': not a verb"),
        ({"options": Options(require_mfa=("*",))}, "spec.options.requireMFA: '*': not a verb"),
    ],
)
def test_a_role_that_cannot_be_meant_is_a_mistake(fields: dict[str, Any], mistake: str) -> None:
    assert [text for text in _mistakes(role(**fields)) if text.startswith(f"Role dev: {mistake}")]


def test_a_name_of_the_system_that_is_listed_is_accepted() -> None:
    compiled = compile_policy(
        [role((rule("get"),), as_groups=("system:authenticated",))],
        [RoleBinding("b", "dev", ENG)],
        ["corp"],
        allowed_system_names=["system:authenticated"],
    )
    assert compiled.decide(ask()).as_groups == ("system:authenticated",)


def test_every_mistake_is_told_at_once() -> None:
    found = _mistakes(
        role(source="a.yaml:1"),
        role(),
        bindings=(
            RoleBinding(
                "b", "none", (Subject("Group", "eng"), Subject("Robot", "", "corp"), Subject("User", "a", "x"))
            ),
            RoleBinding("c", "dev", (), "true"),
            RoleBinding("c", "dev", ENG),
        ),
        connectors=("corp", "gh"),
    )
    assert found == [
        "Role dev: metadata.name: a second Role named 'dev'",
        "RoleBinding b: spec.role: there is no Role named 'none'",
        "RoleBinding b: spec.subjects[0].connector: left out, which works where one is configured; here: corp, gh",
        "RoleBinding b: spec.subjects[1].kind: 'Robot', expected Group or User",
        "RoleBinding b: spec.subjects[1].name: empty",
        "RoleBinding b: spec.subjects[2].connector: 'x' is not configured; here: corp, gh",
        "RoleBinding c: spec.subjects: empty; a binding without subjects binds nobody",
        "RoleBinding c: spec.when: conditions are not available here",
        "RoleBinding c: metadata.name: a second RoleBinding named 'c'",
    ]


# -- the oracle: the design read again, one rule and one request at a time


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
    if a.verb in rbac.OWN_VERBS:
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


VERBS = st.sampled_from(
    [
        "get",
        "list",
        "watch",
        "create",
        "update",
        "delete",
        "deletecollection",
        "exec",
        "attach",
        "proxy",
        "debug",
        "mint",
        "escalate",
    ]
)
NAMES = st.sampled_from(["a", "a-1", "b", "kube-system"])
PATTERNS = st.lists(st.sampled_from(["*", "a", "a*", "*-1", "b", "{{ claims.team }}-*"]), min_size=1, max_size=2).map(
    tuple
)
RULES = st.builds(
    Rule,
    verbs=st.lists(VERBS | st.just("*"), min_size=1, max_size=3).map(tuple),
    api_groups=st.lists(st.sampled_from(["", "apps", "*"]), min_size=1, max_size=2).map(tuple),
    resources=st.lists(
        st.sampled_from(
            [
                "pods",
                "nodes",
                "secrets",
                "pods/exec",
                "pods/log",
                "*/exec",
                "*/log",
                "*",
                "serviceaccounts",
                "serviceaccounts/token",
            ]
        ),
        min_size=1,
        max_size=2,
    ).map(tuple),
    namespaces=st.none() | PATTERNS,
    except_namespaces=st.just(()) | PATTERNS,
    names=st.none() | PATTERNS,
    except_names=st.just(()) | PATTERNS,
)
RULE_LISTS = st.lists(RULES, max_size=3).map(tuple)
ROLES = st.lists(st.builds(role, RULE_LISTS, RULE_LISTS), min_size=1, max_size=3).map(
    lambda roles: [replace(r, name=f"r{i}", as_groups=(f"g{i}",)) for i, r in enumerate(roles)]
)
ASKED = st.builds(
    ask,
    VERBS,
    st.sampled_from(["pods", "pods/log", "nodes", "secrets", "serviceaccounts/token"]),
    api_group=st.sampled_from(["", "apps"]),
    namespace=NAMES | st.just(""),
    name=NAMES | st.just(""),
)
REQUESTS = st.lists(ASKED, max_size=3)


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
