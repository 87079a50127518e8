"""Kubernetes' own resources by the names that kubectl knows them by: for questions that are asked without a cluster.

As `kubectl api-resources` of Kubernetes 1.36 lists them. What a cluster adds is written in full: `widgets.example.com`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TABLE = """\
 bindings - namespaced
 componentstatuses cs
 configmaps cm namespaced
 endpoints ep namespaced
 events ev namespaced
 limitranges limits namespaced
 namespaces ns
 nodes no
 persistentvolumeclaims pvc namespaced
 persistentvolumes pv
 pods po namespaced
 podtemplates - namespaced
 replicationcontrollers rc namespaced
 resourcequotas quota namespaced
 secrets - namespaced
 serviceaccounts sa namespaced
 services svc namespaced
admissionregistration.k8s.io mutatingwebhookconfigurations -
admissionregistration.k8s.io validatingadmissionpolicies -
admissionregistration.k8s.io validatingadmissionpolicybindings -
admissionregistration.k8s.io validatingwebhookconfigurations -
apiextensions.k8s.io customresourcedefinitions crd,crds
apiregistration.k8s.io apiservices -
apps controllerrevisions - namespaced
apps daemonsets ds namespaced
apps deployments deploy namespaced
apps replicasets rs namespaced
apps statefulsets sts namespaced
authentication.k8s.io selfsubjectreviews -
authentication.k8s.io tokenreviews -
authorization.k8s.io localsubjectaccessreviews - namespaced
authorization.k8s.io selfsubjectaccessreviews -
authorization.k8s.io selfsubjectrulesreviews -
authorization.k8s.io subjectaccessreviews -
autoscaling horizontalpodautoscalers hpa namespaced
batch cronjobs cj namespaced
batch jobs - namespaced
certificates.k8s.io certificatesigningrequests csr
coordination.k8s.io leases - namespaced
discovery.k8s.io endpointslices - namespaced
flowcontrol.apiserver.k8s.io flowschemas -
flowcontrol.apiserver.k8s.io prioritylevelconfigurations -
networking.k8s.io ingressclasses -
networking.k8s.io ingresses ing namespaced
networking.k8s.io networkpolicies netpol namespaced
node.k8s.io runtimeclasses -
policy poddisruptionbudgets pdb namespaced
rbac.authorization.k8s.io clusterrolebindings -
rbac.authorization.k8s.io clusterroles -
rbac.authorization.k8s.io rolebindings - namespaced
rbac.authorization.k8s.io roles - namespaced
scheduling.k8s.io priorityclasses pc
storage.k8s.io csidrivers -
storage.k8s.io csinodes -
storage.k8s.io storageclasses sc
storage.k8s.io volumeattachments -
"""
_SINGULAR_S = frozenset(("endpoints",))
_WRITTEN = re.compile(r"[a-z0-9-]{1,63}(?:\.[a-z0-9.-]{1,253})?")


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource as the API names it."""

    api_group: str
    plural: str
    namespaced: bool = True


def _singular(plural: str) -> str:
    for ending, one in (("ies", "y"), ("sses", "ss"), ("s", "")):
        if plural.endswith(ending) and plural not in _SINGULAR_S:
            return plural.removesuffix(ending) + one
    return plural


def _by_name() -> dict[str, Resource]:
    found: dict[str, Resource] = {}
    for row in _TABLE.splitlines():
        group, plural, short, *namespaced = row.split(" ")
        resource = Resource(group, plural, bool(namespaced))
        for name in (plural, _singular(plural), *(short.split(",") if short != "-" else ())):
            found.setdefault(name, resource)
    return found


_BY_NAME = _by_name()


def resource_named(name: str) -> Resource | None:
    """What kubectl would take `name` for: `po`, `Pod`, `deployments.apps`, `widgets.example.com`; None for neither.

    A name with a group that Kubernetes has none of is taken for a namespaced resource of that group.
    """
    lower = name.lower()
    if not _WRITTEN.fullmatch(lower):
        return None
    word, _, group = lower.partition(".")
    known = _BY_NAME.get(word)
    if not group:
        return known
    if known is not None and group.removeprefix("v1.") == known.api_group:
        return known
    return Resource(group, word)
