"""Mistakes in roles and bindings, each with its place."""

from typing import Any

import pytest

from auth.rbac import Options, PolicyError, Role, RoleBinding, Rule, Source, Subject, compile_policy
from tests.auth.rbac.asking import ENG, ask, role, rule


def mistakes_of(
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
        one = role(
            rules if kind == "allow" else (), rules if kind == "deny" else (), source=Source("dev.yaml", 3, "Role dev")
        )
        found = mistakes_of(one)
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
        ({"options": Options(59.0)}, "spec.options.certificateTTL: 59s, expected at least 60s"),
        ({"cluster_names": ("{{ username }}",)}, "spec.clusters.names: '{{ username }}': no templates here"),
        ({"cluster_names": ("a[1]",)}, "spec.clusters.names: 'a[1]': a pattern is"),
        ({"options": Options(record="loose")}, "spec.options.record: 'loose', expected standard or strict"),
        ({"options": Options(require_reason=("login",))}, "spec.options.requireReason: 'login': not a verb"),
        ({"options": Options(require_mfa=("*",))}, "spec.options.requireMFA: '*': not a verb"),
    ],
)
def test_a_role_that_cannot_be_meant_is_a_mistake(fields: dict[str, Any], mistake: str) -> None:
    assert [text for text in mistakes_of(role(**fields)) if text.startswith(f"Role dev: {mistake}")]


def test_a_name_of_the_system_that_is_listed_is_accepted() -> None:
    compiled = compile_policy(
        [role((rule("get"),), as_groups=("system:authenticated",))],
        [RoleBinding("b", "dev", ENG)],
        ["corp"],
        allowed_system_names=["system:authenticated"],
    )
    assert compiled.decide(ask()).as_groups == ("system:authenticated",)


def test_every_mistake_is_told_at_once() -> None:
    found = mistakes_of(
        role(source=Source("a.yaml", 1, "Role dev")),
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


def test_a_mistake_stands_behind_the_line_of_its_part() -> None:
    here = Source("dev.yaml", 3, "Role dev", {"spec": 4, "spec.allow[0].verbs": 7, "spec.allow[0]": 6})
    there = Source("dev.yaml", 9, "RoleBinding b", {"spec.role": 12})
    found = mistakes_of(
        role((rule("read", "Pods"),), as_user="", source=here),
        bindings=(RoleBinding("b", "none", ENG, source=there),),
    )
    assert [text.partition(" ")[0] for text in found] == ["dev.yaml:4:", "dev.yaml:7:", "dev.yaml:6:", "dev.yaml:12:"]
