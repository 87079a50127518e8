"""Doubts about roles that are right by the letter."""

from typing import Any

import pytest

from auth.rbac import Options, RoleBinding, Source
from auth.rbac.doubts import doubts
from tests.auth.rbac.asking import ENG, role, rule

BOUND = [RoleBinding("b", "dev", ENG)]
LABELS = (("tier", "web"),)
SOME = (rule("get"),)
LOOK = "spec.{}.labels: this version cannot look at them: the rule "
ASK = "spec.options.require{}: this version cannot ask, so it refuses: "


def test_a_plain_role_that_is_bound_leaves_none() -> None:
    assert doubts([role(SOME, SOME)], BOUND) == []
    assert doubts([role((), SOME, as_groups=())], BOUND) == []


def test_a_role_that_is_about_what_is_ours_alone_needs_no_group() -> None:
    """No cluster is asked for it."""
    ours = rule("create", "locks", api_groups=("kubewitness.dev",))
    assert doubts([role((ours,), as_groups=())], BOUND) == []
    assert len(doubts([role((ours, *SOME), as_groups=())], BOUND)) == 1


@pytest.mark.parametrize(
    ("fields", "doubt"),
    [
        ({}, "spec: neither allows nor denies anything"),
        ({"allow": SOME, "as_groups": ()}, "spec.as.groups: none, so that what this role alone allows is refused"),
        ({"allow": (*SOME, rule("get", labels=LABELS))}, LOOK.format("allow[1]") + "allows nothing"),
        ({"deny": (rule("get", labels=LABELS),)}, LOOK.format("deny[0]") + "denies whatever it is about"),
        ({"deny": (rule("get", requestable=True),)}, "spec.deny[0].requestable: this version knows no requests"),
        ({"allow": SOME, "options": Options(require_reason=("exec",))}, ASK.format("Reason") + "exec"),
        ({"allow": SOME, "options": Options(require_mfa=("exec", "get"))}, ASK.format("MFA") + "exec get"),
        ({"allow": SOME, "options": Options(0, "strict", hide_unechoed_input=True)}, "spec.options.hideUnechoedInput:"),
    ],
)  # fmt: skip
def test_what_is_hardly_meant_is_named(fields: dict[str, Any], doubt: str) -> None:
    (found,) = doubts([role(**fields)], BOUND)
    assert found.startswith(f"Role dev: {doubt}")


def test_options_that_are_obeyed_are_no_doubt() -> None:
    assert doubts([role(SOME, options=Options(record="strict", max_streams=0))], BOUND) == []
    assert doubts([role(SOME, options=Options(hide_unechoed_input=True))], BOUND) == []


def test_a_role_that_nobody_has_is_named_with_its_place() -> None:
    source = Source("a.yaml", 1, "Role dev", {"metadata.name": 3})
    assert doubts([role(SOME, source=source)], []) == [
        "a.yaml:3: Role dev: metadata.name: no RoleBinding gives this role to anybody"
    ]
