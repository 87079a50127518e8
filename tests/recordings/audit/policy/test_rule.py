import pytest

from recordings.audit.policy.level import Level
from recordings.audit.policy.rule import GroupResources, PolicyAttributes, PolicyRule, url_matches


def pods(subresource: str = "", name: str = "") -> PolicyAttributes:
    return PolicyAttributes(
        "ann", frozenset(), "get", is_resource_request=True, resource="pods", subresource=subresource, name=name
    )


@pytest.mark.parametrize(
    ("pattern", "bare", "sub"),
    [
        ("*", True, True),
        ("pods", True, False),
        ("pods/log", False, True),
        ("*/log", False, True),
        ("*/exec", False, False),
        ("pods/*", True, True),
        ("nodes/*", False, False),
    ],
)
def test_patterns_of_resources(pattern, bare, sub):
    group = GroupResources("", (pattern,))
    assert (group.matches(pods()), group.matches(pods("log"))) == (bare, sub)


def test_names_and_groups_narrow_a_resource():
    named = GroupResources("*", ("pods",), ("web",))
    assert (named.matches(pods(name="web")), named.matches(pods(name="db"))) == (True, False)
    assert not GroupResources("apps").matches(pods())


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [("*", "/x", True), ("/x", "/x", True), ("/x", "/x/y", False), ("/x*", "/xy", True), ("/x/*", "/x", False)],
)
def test_urls(pattern, path, expected):
    assert url_matches(pattern, path) is expected


def test_a_rule_with_namespaces_speaks_of_no_other_path():
    rule = PolicyRule(Level.METADATA, namespaces=("",))
    assert rule.matches(pods())
    assert not rule.matches(PolicyAttributes("ann", frozenset(), "get", is_resource_request=False, path="/healthz"))
