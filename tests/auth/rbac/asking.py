"""Roles, bindings and requests in few words."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from auth.rbac import (
    Attributes,
    Condition,
    ConditionError,
    Decision,
    Policy,
    Role,
    RoleBinding,
    Rule,
    Subject,
    compile_policy,
)

CLAIMS: Mapping[str, object] = MappingProxyType({"team": "a", "level": 3, "evil": "*", "masters": "system:masters"})
ENG = (Subject("Group", "eng", "corp"),)


def ask(verb: str = "get", resource: str = "pods", **changes: Any) -> Attributes:
    resource, _, subresource = resource.partition("/")
    asked = Attributes(
        connector="corp", username="ann", groups=("eng", "all"), claims=CLAIMS, cluster="staging-1",
        cluster_labels={"env": "staging"}, verb=verb, api_group="", resource=resource, subresource=subresource,
        namespace="team-a-1", name="x", path="/x", is_resource_request=True,
    )  # fmt: skip
    return replace(asked, **changes)


def rule(verbs: str, resources: str = "pods", **fields: Any) -> Rule:
    return Rule(tuple(verbs.split()), fields.pop("api_groups", ("",)), tuple(resources.split()), **fields)


def role(allow: tuple[Rule, ...] = (), deny: tuple[Rule, ...] = (), name: str = "dev", **fields: Any) -> Role:
    return Role(name, allow=allow, deny=deny, **{"as_groups": ("kwit:dev",), **fields})


def policy(*roles: Role, **bound: Any) -> Policy:
    bindings = [RoleBinding(f"b-{r.name}", r.name, ENG, **bound) for r in roles]
    return compile_policy(roles, bindings, ["corp"], condition=conditions)


def conditions(text: str) -> Condition:
    def holds(username: str, groups: tuple[str, ...], claims: Mapping[str, object]) -> bool:
        if text == "broken":
            raise ConditionError("no such key")
        return text == f"{username} {groups[0]} {claims['team']}"

    return holds


def allowed(p: Policy, *asked: Attributes) -> bool:
    return p.decide_all(asked).decision is Decision.ALLOW
