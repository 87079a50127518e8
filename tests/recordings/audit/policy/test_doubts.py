import json
import runpy
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from proxy.audit_policy_file import parse_policy
from recordings.audit.policy.doubts import Doubt, covers, doubts
from recordings.audit.policy.level import Level
from recordings.audit.policy.policy import AuditPolicy
from recordings.audit.policy.rule import GroupResources, PolicyAttributes, PolicyRule

VECTORS = Path(__file__).parents[3] / "vectors" / "audit_policy"
QUESTIONS = list(runpy.run_path(str(VECTORS / "questions.py"))["questions"]())
ANSWERS = json.loads((VECTORS / "verdicts.json").read_text())
LAST = PolicyRule(Level.METADATA, name="everything else")
POLICIES = [
    (parse_policy(question["policy"], path=Path("p")), question["requests"])
    for question, answer in zip(QUESTIONS, ANSWERS, strict=True)
    if not answer.get("refused") and question["requests"]
]


def of(*rules: PolicyRule) -> list[Doubt]:
    return doubts(AuditPolicy((*rules, LAST)))


def test_a_rule_that_is_covered_can_never_match():
    wide = PolicyRule(Level.NONE, resources=(GroupResources(""),), name="core")
    narrow = PolicyRule(Level.METADATA, verbs=("get",), resources=(GroupResources("", ("pods/log",)),), name="logs")
    assert of(wide, narrow) == [Doubt(1, "can never match: 'core' before it speaks of all that this one does")]
    assert of(narrow, wide) == []


@given(st.sampled_from(POLICIES))
def test_what_is_called_covered_never_decides(case):
    policy, requests = case
    never = {doubt.rule for doubt in doubts(policy) if doubt.message.startswith("can never match")}
    for request in requests:
        decided = policy.decide(PolicyAttributes(**{**request, "groups": frozenset(request["groups"])}))
        assert decided.rule not in never


def test_covering_is_found_among_the_vectors():
    found = [doubt for policy, _ in POLICIES for doubt in doubts(policy) if doubt.message.startswith("can never match")]
    assert len(found) > 10


def test_every_rule_covers_itself():
    assert all(covers(rule, rule) for policy, _ in POLICIES for rule in policy.rules if rule.resources or rule.verbs)


def test_verbs_and_groups_that_no_request_has():
    exec_ = PolicyRule(Level.METADATA, verbs=("exec",), name="shells")
    apps = PolicyRule(Level.METADATA, resources=(GroupResources("", ("deployments",)),), name="workloads")
    core = PolicyRule(Level.METADATA, resources=(GroupResources("v1", ("pods",)),), name="pods")
    assert [doubt.message for doubt in of(exec_, apps, core)] == [
        "no request has the verb exec; exec is get (WebSocket) or create (SPDY) on pods/exec",
        "the core group has no deployments, daemonsets, statefulsets or replicasets; they are in apps",
        "group 'v1' has no pods; they are in the core group, written \"\"",
    ]


def test_bodies_that_are_credentials():
    everything = PolicyRule(Level.REQUEST, verbs=("create",), name="writes")
    hidden = PolicyRule(
        Level.METADATA,
        resources=(
            GroupResources("", ("secrets", "serviceaccounts/token")),
            GroupResources("authentication.k8s.io", ("tokenreviews",)),
        ),
        name="secrets",
    )
    exposed = "secrets, serviceaccounts/token, tokenreviews"
    message = f"records bodies of {exposed}; put a rule of level Metadata for them before it"
    assert of(everything) == [Doubt(0, message)]
    assert of(hidden, everything) == []


def test_a_policy_that_ends_open_and_one_without_rules_and_names():
    assert doubts(AuditPolicy(())) == [Doubt(-1, "there is no rule, so nothing is exported")]
    assert doubts(AuditPolicy((PolicyRule(Level.METADATA, verbs=("get",)),))) == [
        Doubt(0, "has no comment above it that could be its name"),
        Doubt(-1, "what no rule speaks of is level None; end with a rule that only has a level"),
    ]
    assert of(PolicyRule(Level.METADATA, resources=(GroupResources("", ("pods/*",)),), name="x")) == [
        Doubt(0, "'pods/*' also matches 'pods' itself")
    ]
