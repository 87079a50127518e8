"""Roles as they hold for one person: names of clusters, templates, names to send."""

import pytest

from auth.rbac import Decision
from tests.auth.rbac.asking import allowed, ask, policy, role, rule


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


def test_a_denial_of_which_one_part_cannot_be_filled_in_is_not_narrowed_by_the_other() -> None:
    narrow = rule("*", "secrets", namespaces=("b",), names=("{{ claims.nobody }}",))
    p = policy(role((rule("*", "*"),), (narrow,)))
    assert [allowed(p, ask(resource="secrets", namespace=namespace)) for namespace in ("a", "b")] == [False, False]
    assert allowed(p, ask())


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
