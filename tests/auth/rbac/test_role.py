"""Obligations of several roles."""

import pytest

from auth.rbac import Options, Source
from auth.rbac.ports import PortRange, Ports
from tests.auth.rbac.asking import ask, policy, role, rule

A, B = Ports((PortRange(80, 90),)), Ports((PortRange(85, 8080),))


def test_of_options_the_strictest_holds() -> None:
    first = role((rule("get"),), options=Options(3600, "standard", ("exec",), (), 5, True, A))
    second = role((rule("get list"),), name="b", options=Options(60, "strict", ("attach",), ("exec",), 9, False, B))
    strictest = Options(60, "strict", ("attach", "exec"), ("exec",), 5, True, A.common(B))
    p = policy(first, second)
    assert p.decide(ask()).options == strictest
    assert p.decide_all([ask(), ask("list")]).options == strictest
    assert policy(first).decide_all([ask(), ask()]).options == first.options


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("spec.allow[0].verbs", 6),
        ("spec.allow[0].verbs[2]", 6),
        ("spec.allow[1].names.except", 4),
        ("spec.as", 2),
        ("", 1),
    ],
)
def test_a_part_has_its_line_or_that_of_what_contains_it(path: str, line: int) -> None:
    source = Source("a.yaml", 1, "Role dev", {"spec": 2, "spec.allow": 4, "spec.allow[0].verbs": 6})
    assert source.at(path) == f"a.yaml:{line}: Role dev"
    assert source == Source("a.yaml", 1, "Role dev")
