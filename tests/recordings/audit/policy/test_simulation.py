from recordings.audit.policy.level import Level, Stage
from recordings.audit.policy.policy import AuditPolicy
from recordings.audit.policy.rule import GroupResources, PolicyRule
from recordings.audit.policy.simulation import RuleTotals, simulated

POLICY = AuditPolicy(
    (
        PolicyRule(Level.NONE, resources=(GroupResources("", ("events",)),)),
        PolicyRule(Level.METADATA, verbs=("delete",), omit_stages=(Stage.REQUEST_RECEIVED,)),
    )
)


def record(verb: str, resource: str, stage: str) -> dict:
    return {"event": {"verb": verb, "stage": stage, "objectRef": {"resource": resource}}}


def test_each_record_counts_for_the_rule_that_speaks_of_it():
    records = [
        (record("get", "events", "ResponseComplete"), 100),
        (record("delete", "pods", "RequestReceived"), 200),
        (record("delete", "pods", "ResponseComplete"), 300),
        (record("get", "pods", "ResponseComplete"), 400),
        ({"type": "user.login", "body": {}}, 500),
    ]
    assert simulated(POLICY, records) == [
        RuleTotals(0, requests=1, kept=1),
        RuleTotals(1, requests=1, exported=1, exported_bytes=300, kept=1),
        RuleTotals(None, requests=1, kept=1),
    ]
