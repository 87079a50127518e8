"""Also rules and levels; tests/proxy/test_audit_policy_file.py compares many verdicts with the API server's own."""

from recordings.audit.policy.level import Level, Stage
from recordings.audit.policy.policy import AuditPolicy, Decided
from recordings.audit.policy.rule import PolicyAttributes, PolicyRule

ANN = PolicyAttributes("ann", frozenset({"dev"}), "get", is_resource_request=True, resource="pods", name="web")


def test_the_first_rule_that_speaks_of_a_request_decides():
    policy = AuditPolicy(
        (
            PolicyRule(Level.NONE, users=("bob",)),
            PolicyRule(Level.REQUEST, verbs=("get",), omit_stages=(Stage.PANIC,), omit_managed_fields=False),
            PolicyRule(Level.METADATA),
        ),
        omit_stages=(Stage.REQUEST_RECEIVED,),
        omit_managed_fields=True,
    )
    both = frozenset((Stage.PANIC, Stage.REQUEST_RECEIVED))
    assert policy.decide(ANN) == Decided(Level.REQUEST, 1, both, omit_managed_fields=False)


def test_what_no_rule_speaks_of_is_level_none():
    policy = AuditPolicy((PolicyRule(Level.METADATA, user_groups=("ops",)),))
    assert policy.decide(ANN) == Decided(Level.NONE, None, frozenset(), omit_managed_fields=False)


def test_levels_have_an_order():
    assert sorted(Level, key=lambda level: level.rank) == ["None", "Metadata", "Request", "RequestResponse"]
