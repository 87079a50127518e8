from dataclasses import replace
from pathlib import Path

import pytest

from proxy.audit_policy_file import PROFILES, load_policy, parse_policy
from proxy.native_policy import native_policy
from recordings.audit.policy.level import Level
from recordings.audit.policy.policy import AuditPolicy
from recordings.audit.policy.rule import PolicyRule


@pytest.mark.parametrize("profile", PROFILES)
def test_it_is_the_same_policy_without_the_rules_that_name_people(profile):
    ours = load_policy(profile)
    native = parse_policy(native_policy(ours), path=Path("native.yaml"))
    without_people = [replace(rule, line=0) for rule in ours.rules if not rule.users and not rule.user_groups]
    assert [replace(rule, line=0, name="") for rule in native.rules] == [
        replace(rule, name="") for rule in without_people
    ]
    assert (native.omit_stages, native.omit_managed_fields) == (ours.omit_stages, ours.omit_managed_fields)


def test_a_rule_that_is_left_out_is_named():
    policy = AuditPolicy((PolicyRule(Level.NONE, users=("ann",), name="Ann tests"), PolicyRule(Level.METADATA)))
    text = native_policy(policy)
    assert "  # left out, for it names people, whom the API server sees as impersonated: Ann tests\n" in text
    assert "--audit-policy-file=" in text
