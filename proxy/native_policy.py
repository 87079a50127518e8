"""Our audit policy in the words of a cluster's own: what its API server should record of the same requests.

Behind us the API server knows two people for each request: the caller, who is our account, and the one it impersonates.
Its rules look at the caller. So a rule of ours that names people has no counterpart: it is left out, which the text
says, and what the rules behind it say holds for these people too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from recordings.audit.policy.policy import AuditPolicy
from recordings.audit.policy.rule import PolicyRule

_HEAD = """\
# The audit policy of a cluster behind kwit, made from kwit's own by `kwit audit policy for-cluster`.
# Start the API server with it:
#   --audit-policy-file=/etc/kubernetes/audit-policy.yaml
#   --audit-log-path=/var/log/kubernetes/audit.log
#   --audit-log-mode=blocking-strict
#   --audit-log-maxage=30 --audit-log-maxbackup=10 --audit-log-maxsize=100
# `auditID` is the same in kwit's record and in the cluster's; `impersonatedUser` is the person.
apiVersion: audit.k8s.io/v1
kind: Policy
"""


def native_policy(policy: AuditPolicy) -> str:
    """The policy as a YAML file that an API server reads, with a name above each rule."""
    top: dict[str, Any] = {}
    if policy.omit_stages:
        top["omitStages"] = [str(stage) for stage in policy.omit_stages]
    if policy.omit_managed_fields:
        top["omitManagedFields"] = True
    text = _HEAD + (yaml.safe_dump(top, sort_keys=False) if top else "") + "rules:\n"
    return text + "".join(part for number, rule in enumerate(policy.rules) for part in _rule(policy, number, rule))


def _rule(policy: AuditPolicy, number: int, rule: PolicyRule) -> Iterator[str]:
    if rule.users or rule.user_groups:
        yield f"  # left out, for it names people, whom the API server sees as impersonated: {policy.label(number)}\n"
        return
    if rule.name:
        yield f"  # {rule.name}\n"
    lines = yaml.safe_dump(_keys(rule), sort_keys=False, default_flow_style=None, width=100).splitlines()
    yield "".join(f"  {'- ' if position == 0 else '  '}{line}\n" for position, line in enumerate(lines))


def _keys(rule: PolicyRule) -> Mapping[str, Any]:
    keys: dict[str, Any] = {"level": str(rule.level)}
    lists = {"verbs": rule.verbs, "namespaces": rule.namespaces, "nonResourceURLs": rule.non_resource_urls}
    keys |= {key: list(values) for key, values in lists.items() if values}
    if rule.resources:
        keys["resources"] = [
            {
                key: value
                for key, value in (
                    ("group", group.group),
                    ("resources", list(group.resources)),
                    ("resourceNames", list(group.resource_names)),
                )
                if value or key == "group"
            }
            for group in rule.resources
        ]
    if rule.omit_stages:
        keys["omitStages"] = [str(stage) for stage in rule.omit_stages]
    if rule.omit_managed_fields is not None:
        keys["omitManagedFields"] = rule.omit_managed_fields
    return keys
