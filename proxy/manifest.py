"""The YAML that prepares a cluster for kwit: an account that can impersonate, and nothing else.

Two forms. The plain one works everywhere: the verb `impersonate` on users, named groups, uids and kwit's own extra
keys. The constrained one (Kubernetes 1.36 and later, KEP-5284) grants `impersonate:user-info` instead, with which the
API server itself refuses node and service account names and the group system:masters.

Groups are listed by name (RBAC's resourceNames know no patterns), so that a stolen credential of kwit's is worth what
the roles give and no more. Groups under `system:` are never granted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from proxy.impersonation import EXTRA_CERTIFICATE, EXTRA_LOGIN, EXTRA_ORIGINAL_USER

ACCOUNT = "kwit"
DEFAULT_NAMESPACE = "kubewitness"
EXTRA_KEYS = (EXTRA_LOGIN, EXTRA_CERTIFICATE, EXTRA_ORIGINAL_USER)
RESOURCE_VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
PATH_VERBS = ("get", "head", "post", "put", "patch", "delete", "options")
_NOTHING_RUNS = "# Nothing in this cluster runs as this account.\nautomountServiceAccountToken: false"
MAX_GROUPS = 1_000
"""A ClusterRole is one object of at most 1.5 MiB; more groups than this are a case for --any-group."""


class ManifestError(ValueError):
    """The manifest that was asked for cannot be written; the message names the next step."""


def literal_groups(groups: Iterable[str]) -> tuple[str, ...]:
    """Sorted, each once. Raises ManifestError for templates and for names under `system:`."""
    names = sorted(set(groups))
    templated = [name for name in names if "{{" in name]
    if templated:
        raise ManifestError(
            f"the roles send groups that are made per person ({', '.join(templated[:5])}), which a ClusterRole cannot "
            "name; list what they become with --groups, or accept any group with --any-group"
        )
    refused = [name for name in names if name.casefold().startswith("system:")]
    if refused:
        raise ManifestError(f"groups under system: are never granted to kwit ({', '.join(refused[:5])}); remove them")
    if not all(name and name.isprintable() and name == name.strip() for name in names):
        raise ManifestError("a group is empty, or has blanks at its ends or control characters; write it plainly")
    if len(names) > MAX_GROUPS:
        raise ManifestError(
            f"{len(names)} groups are more than a ClusterRole should hold ({MAX_GROUPS}); use --any-group"
        )
    return tuple(names)


def manifest(
    cluster: str,
    *,
    groups: Sequence[str] | None,
    namespace: str = DEFAULT_NAMESPACE,
    constrained: bool = False,
    token: bool = True,
) -> str:
    """The documents, with comments that explain them. `groups` None grants any group; an empty list is refused.

    `token` False leaves the token's Secret out: where kwit runs in the cluster itself, the kubelet hands it one.
    """
    names = None if groups is None else literal_groups(groups)
    if names is not None and not names:
        raise ManifestError("no group to grant: give the roles with --roles, the groups with --groups, or --any-group")
    rules = _constrained_rules(names) if constrained else _plain_rules(names)
    parts = [_head(cluster, namespace, names, constrained=constrained), _account(namespace, inside=not token)]
    if token:
        parts.append(_token(namespace))
    parts += [_role(namespace, rules), _binding(namespace)]
    return "---\n".join(parts)


def _head(cluster: str, namespace: str, names: Sequence[str] | None, *, constrained: bool) -> str:
    kind = "constrained impersonation, Kubernetes 1.36 and later" if constrained else "every Kubernetes version"
    groups = "any group" if names is None else f"{len(names)} group{'s' if len(names) > 1 else ''} by name"
    return f"""\
# What kwit needs in the cluster {cluster}: an account that can impersonate ({groups}), and nothing else.
# Form: {kind}. Apply it as an administrator of that cluster:
#   kwit cluster manifest {cluster} ... | kubectl apply -f -
# What people may do is not here: kwit's roles decide first, then this cluster's own RBAC for the groups they send.
apiVersion: v1
kind: Namespace
metadata:
  name: {namespace}
"""


def _account(namespace: str, *, inside: bool) -> str:
    use = "# The pod that kwit runs in uses it; nothing else should." if inside else _NOTHING_RUNS
    return f"""\
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {ACCOUNT}
  namespace: {namespace}
{use}
"""


def _token(namespace: str) -> str:
    return f"""\
# The account's token, for a kwit outside this cluster; the cluster fills it in. Fetch it into a file of kwit's own:
#   kubectl -n {namespace} get secret {ACCOUNT}-token -o jsonpath='{{.data.token}}' | base64 -d > token
# Deleting this Secret revokes it at once.
apiVersion: v1
kind: Secret
metadata:
  name: {ACCOUNT}-token
  namespace: {namespace}
  annotations:
    kubernetes.io/service-account.name: {ACCOUNT}
type: kubernetes.io/service-account-token
"""


def _role(namespace: str, rules: str) -> str:
    return f"""\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {namespace}-impersonate
rules:
{rules}"""


def _binding(namespace: str) -> str:
    return f"""\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {namespace}-impersonate
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {namespace}-impersonate
subjects:
  - kind: ServiceAccount
    name: {ACCOUNT}
    namespace: {namespace}
"""


def _plain_rules(names: Sequence[str] | None) -> str:
    return (
        "  # Any user name: people come and go. That includes system: names; kwit refuses those by itself.\n"
        + _rule("", ["users"], ["impersonate"])
        + _groups_comment(names, "This grant includes system:masters; kwit refuses it, a thief of the token would not.")
        + _rule("", ["groups"], ["impersonate"], names)
        + "  # Who it is beyond the name: the person's stable id, the login, the certificate, who asked for --as.\n"
        + _rule("authentication.k8s.io", ["uids", *_extras()], ["impersonate"])
    )


def _constrained_rules(names: Sequence[str] | None) -> str:
    actions = [f"impersonate-on:user-info:{verb}" for verb in RESOURCE_VERBS]
    paths = [f"impersonate-on:user-info:{verb}" for verb in PATH_VERBS]
    return (
        "  # As whom: ordinary people. The API server refuses nodes, service accounts and system:masters by itself.\n"
        + _rule("authentication.k8s.io", ["users", "uids", *_extras()], ["impersonate:user-info"])
        + _groups_comment(names, "The API server itself keeps system:masters out.")
        + _rule("authentication.k8s.io", ["groups"], ["impersonate:user-info"], names)
        + "  # On what: take verbs, groups or resources away here, and nobody can use them through kwit.\n"
        + _rule("*", ["*"], actions)
        + f"  - nonResourceURLs: {_list(['*'])}\n    verbs: {_list(paths)}\n"
    )


def _groups_comment(names: Sequence[str] | None, warning: str) -> str:
    if names is None:
        return f"  # Any group, as was asked for with --any-group. {warning}\n"
    return "  # The groups that the roles send, by name. A new one in a role needs this manifest again.\n"


def _rule(api_group: str, resources: Sequence[str], verbs: Sequence[str], names: Sequence[str] | None = None) -> str:
    lines = f"  - apiGroups: {_list([api_group])}\n    resources: {_list(resources)}\n"
    if names is not None:
        lines += "    resourceNames:\n" + "".join(f"      - {json.dumps(name, ensure_ascii=False)}\n" for name in names)
    return f"{lines}    verbs: {_list(verbs)}\n"


def _extras() -> list[str]:
    """Each key is written out: RBAC has no `userextras/*`."""
    return [f"userextras/{key}" for key in EXTRA_KEYS]


def _list(items: Sequence[str]) -> str:
    """A flow list; JSON is YAML, so no name can break out of its quotes."""
    return json.dumps(list(items), ensure_ascii=False)
