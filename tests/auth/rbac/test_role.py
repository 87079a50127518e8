"""Obligations of several roles."""

from auth.rbac import Options
from tests.auth.rbac.asking import ask, policy, role, rule


def test_of_options_the_strictest_holds() -> None:
    first = role((rule("get"),), options=Options(3600, "standard", ("exec",), (), 5))
    second = role((rule("get list"),), name="b", options=Options(60, "strict", ("attach",), ("exec",), 9))
    strictest = Options(60, "strict", ("attach", "exec"), ("exec",), 5)
    p = policy(first, second)
    assert p.decide(ask()).options == strictest
    assert p.decide_all([ask(), ask("list")]).options == strictest
    assert policy(first).decide_all([ask(), ask()]).options == first.options
