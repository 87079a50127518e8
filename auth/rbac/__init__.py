"""Roles, bindings and the verdict (design, section 6). Pure: compiled once, asked at every request.

Deny wins; no match is deny; an empty policy denies. Where design leaves room, the narrower reading holds:

- A rule written in Kubernetes' verbs never *allows* an own verb, except `create pods/exec` (attach, portforward)
  spelled out. It does *deny* every own verb that Kubernetes would ask those verbs for: `create *` takes exec away.
- A denial that covers a part of a list (by name or namespace) refuses the list; a permission that does refuses it too,
  until lists are filtered. Rules that look at labels, ask for a reason or a second factor refuse with a sentence.
- A template or condition that cannot be evaluated takes away what the role permits, never what it denies.

Every bound person may `get` the discovery paths of a cluster they have a role for (DISCOVERY): without `/api`, `/apis`,
`/openapi` and `/version` no kubectl works, and the cluster's own `system:discovery` decides about them again.
"""

from auth.rbac.attributes import Act, Attributes
from auth.rbac.compilation import compile_policy
from auth.rbac.policy import Policy
from auth.rbac.role import (
    KUBERNETES_VERBS,
    OWN_VERBS,
    URL_VERBS,
    Condition,
    ConditionError,
    Options,
    PolicyError,
    Role,
    RoleBinding,
    Rule,
    Source,
    Subject,
)
from auth.rbac.verdict import Decision, Verdict

__all__ = [
    "KUBERNETES_VERBS",
    "OWN_VERBS",
    "URL_VERBS",
    "Act",
    "Attributes",
    "Condition",
    "ConditionError",
    "Decision",
    "Options",
    "Policy",
    "PolicyError",
    "Role",
    "RoleBinding",
    "Rule",
    "Source",
    "Subject",
    "Verdict",
    "compile_policy",
]
