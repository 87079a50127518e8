"""Whether a rule is about a request: verbs, groups, resources, namespaces, names, paths (design, section 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from auth.patterns import NameSet, Pattern
from auth.rbac.attributes import Attributes
from auth.rbac.role import KUBERNETES_VERBS, OWN_VERBS

COLLECTION_VERBS = frozenset(("list", "watch", "deletecollection"))
_STREAMS = frozenset(("exec", "attach", "portforward"))
_CHANGES = frozenset(("create", "update", "patch"))
_ACTS: Mapping[str, tuple[str, frozenset[str]]] = {
    "exec": ("exec", frozenset(("get", "create"))),
    "attach": ("attach", frozenset(("get", "create"))),
    "portforward": ("portforward", frozenset(("get", "create"))),
    "proxy": ("proxy", frozenset(("get", "create", "update", "patch", "delete"))),
    "debug": ("ephemeralcontainers", _CHANGES),
    "mint": ("", _CHANGES),
}
"""Own verb → the subresource that Kubernetes calls the act by, and the verbs that it asks for it."""

_CLUSTER_SCOPED = frozenset(
    (group, resource)
    for group, resources in (
        ("", "componentstatuses namespaces nodes persistentvolumes users groups"),
        ("admissionregistration.k8s.io", "mutatingadmissionpolicies mutatingadmissionpolicybindings"),
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations validatingwebhookconfigurations"),
        ("admissionregistration.k8s.io", "validatingadmissionpolicies validatingadmissionpolicybindings"),
        ("apiextensions.k8s.io", "customresourcedefinitions"),
        ("apiregistration.k8s.io", "apiservices"),
        ("certificates.k8s.io", "certificatesigningrequests clustertrustbundles"),
        ("flowcontrol.apiserver.k8s.io", "flowschemas prioritylevelconfigurations"),
        ("metrics.k8s.io", "nodes"),
        ("networking.k8s.io", "ingressclasses ipaddresses servicecidrs"),
        ("node.k8s.io", "runtimeclasses"),
        ("rbac.authorization.k8s.io", "clusterroles clusterrolebindings"),
        ("resource.k8s.io", "deviceclasses resourceslices"),
        ("scheduling.k8s.io", "priorityclasses"),
        ("storage.k8s.io", "csidrivers csinodes storageclasses volumeattachments volumeattributesclasses"),
    )
    for resource in resources.split()
)
"""Kubernetes' own resources without a namespace. Any other is taken to have one when a rule speaks of namespaces."""


OWN_GROUP = "kubewitness.dev"
"""Of what is asked of us and of no cluster: `recordings`, `records`, `locks`."""


class Match(IntEnum):
    """PARTLY: the request reaches further than the rule, as a list does beyond a rule about one name."""

    NO = 0
    PARTLY = 1
    YES = 2


@dataclass(frozen=True, slots=True)
class PersonalRule:
    """A rule with its templates filled in for one person. `unusable` says why it cannot allow."""

    label: str
    deny: bool
    verbs: frozenset[str]
    groups: frozenset[str]
    resources: frozenset[str]
    namespaces: NameSet | None
    names: NameSet | None
    urls: tuple[Pattern, ...]
    unusable: str

    def match(self, a: Attributes) -> Match:
        if not a.is_resource_request:
            verb = a.verb in self.verbs or "*" in self.verbs
            return Match.YES if verb and any(url.matches(a.path) for url in self.urls) else Match.NO
        if not self._group(a.api_group):
            return Match.NO
        if not (self._own(a) if a.verb in OWN_VERBS else self._plain(a)):
            return Match.NO
        return self._reach(a)

    def _group(self, api_group: str) -> bool:
        """`*` allows every group of a cluster and not our own: who may read what others typed is named, never meant."""
        return api_group in self.groups or ("*" in self.groups and (self.deny or api_group != OWN_GROUP))

    def _plain(self, a: Attributes) -> bool:
        if a.verb not in self.verbs and not ("*" in self.verbs and (self.deny or a.verb in KUBERNETES_VERBS)):
            return False
        return self._names(a.resource, a.subresource)

    def _own(self, a: Attributes) -> bool:
        explicit = a.verb in self.verbs or (self.deny and "*" in self.verbs)
        if explicit and a.resource in self.resources:
            return True
        subresource, kubernetes = _ACTS.get(a.verb, ("", frozenset[str]()))
        subresource = a.subresource or subresource
        if explicit or self.deny:
            return (explicit or not kubernetes.isdisjoint(self.verbs)) and self._names(a.resource, subresource)
        kubernetes_way = a.verb in _STREAMS and ("create" in self.verbs or "*" in self.verbs)
        return kubernetes_way and f"{a.resource}/{subresource}" in self.resources

    def _names(self, resource: str, subresource: str) -> bool:
        """Kubernetes' own matching of `resources` (`pods` is not `pods/log`, `*` is everything)."""
        wanted = self.resources
        if "*" in wanted:
            return True
        if not subresource:
            return resource in wanted
        return f"{resource}/{subresource}" in wanted or f"*/{subresource}" in wanted

    def _reach(self, a: Attributes) -> Match:
        found = Match.YES
        if self.namespaces is not None:
            if a.namespace:
                if not self.namespaces.matches(a.namespace):
                    return Match.NO
            elif a.verb in COLLECTION_VERBS and (a.api_group, a.resource) not in _CLUSTER_SCOPED:
                found = Match.PARTLY
            else:
                return Match.NO
        if self.names is not None:
            if not a.name:
                return Match.PARTLY
            if not self.names.matches(a.name):
                return Match.NO
        return found
