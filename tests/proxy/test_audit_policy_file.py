"""Reading policies; what was read decides as the API server's own evaluator does (tests/vectors/audit_policy)."""

import json
import runpy
from pathlib import Path

import pytest

from proxy.audit_policy_file import PROFILES, ConfigError, load_policy, parse_policy, policy_text
from recordings.audit.policy.level import Level
from recordings.audit.policy.rule import PolicyAttributes

VECTORS = Path(__file__).parents[1] / "vectors" / "audit_policy"
QUESTIONS = list(runpy.run_path(str(VECTORS / "questions.py"))["questions"]())
ANSWERS = json.loads((VECTORS / "verdicts.json").read_text())
MORE_STRICT = ("verb:",)
"""Where the API server warns and reads on: an unknown key is a mistake here."""
FILE = Path("policy.yaml")


def attributes(request: dict) -> PolicyAttributes:
    return PolicyAttributes(**{**request, "groups": frozenset(request["groups"])})


@pytest.mark.parametrize(
    ("question", "answer"),
    list(zip(QUESTIONS, ANSWERS, strict=True)),
    ids=[str(number) for number in range(len(QUESTIONS))],
)
def test_every_verdict_is_the_api_servers(question, answer):
    if answer.get("refused") or any(word in question["policy"] for word in MORE_STRICT):
        with pytest.raises(ConfigError):
            parse_policy(question["policy"], path=FILE)
        return
    policy = parse_policy(question["policy"], path=FILE)
    decided = [policy.decide(attributes(request)) for request in question["requests"]]
    assert [[one.level, sorted(one.omit_stages), one.omit_managed_fields] for one in decided] == answer.get(
        "verdicts", []
    )


def test_the_vectors_hold_every_level_many_times():
    levels = [verdict[0] for answer in ANSWERS for verdict in answer.get("verdicts", [])]
    assert min(levels.count(level) for level in Level) > 100


@pytest.mark.parametrize("profile", PROFILES)
def test_every_rule_of_our_profiles_has_a_name_and_ends_with_everything_else(profile):
    policy = load_policy(profile)
    assert all(rule.name for rule in policy.rules)
    nobody = PolicyAttributes("", frozenset(), "brew", is_resource_request=False, path="/coffee")
    assert policy.decide(nobody).level is Level.METADATA
    assert policy_text(profile).startswith("# ")


def test_a_rule_is_named_by_the_comment_right_above_it():
    text = """\
apiVersion: audit.k8s.io/v1
kind: Policy
# no rule's
rules:
  # who reads
  #  Secrets
  - level: Metadata
    resources: [{group: "", resources: [secrets]}]

  - level: None
"""
    policy = parse_policy(text, path=FILE)
    assert [(rule.name, rule.line) for rule in policy.rules] == [("who reads Secrets", 7), ("", 10)]
    assert [policy.label(number) for number in (0, 1, None)] == ["who reads Secrets", "rule 2, line 10", "(no rule)"]


def test_every_mistake_is_told_with_its_line():
    text = """\
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
  - level: metadata
    nonResourceURLs: [healthz]
  - level: None
    user: [ann]
"""
    with pytest.raises(ConfigError) as refused:
        parse_policy(text, path=FILE)
    assert [(one.line, one.path, one.expected) for one in refused.value.mistakes] == [
        (4, "rules[0].level", "one of 'None', 'Metadata', 'Request' or 'RequestResponse'"),
        (5, "rules[0].nonResourceURLs[0]", "a path that begins with /, or *"),
        (7, "rules[1].user", "is not a key; did you mean users?"),
    ]


def test_a_file_is_read_and_a_missing_one_is_named(tmp_path):
    (tmp_path / "p.yaml").write_text(policy_text("metadata"))
    assert len(load_policy(tmp_path / "p.yaml").rules) == 1
    with pytest.raises(ConfigError, match="no profile of that name; profiles are proxy, gce"):
        load_policy(tmp_path / "none.yaml")
