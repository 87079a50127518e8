"""The kinds that the sandbox serves: names, subresources, what can be selected by. Their columns are in `columns`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]

_ALL = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
_CHANGE = ("get", "patch", "update")


@dataclass(frozen=True, slots=True)
class Subresource:
    """`kind` and `group_version` are those of the body; empty `group_version`: those of the owner."""

    name: str
    kind: str
    verbs: tuple[str, ...]
    group_version: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. `selectable`: paths of the field selectors that there are besides metadata.name and .namespace."""

    group: str
    version: str
    kind: str
    resource: str
    singular: str
    namespaced: bool
    short: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[Subresource, ...] = ()
    selectable: tuple[str, ...] = ()
    counts_generations: bool = False
    verbs: tuple[str, ...] = _ALL

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """As errors name it."""
        return f"{self.resource}.{self.group}" if self.group else self.resource

    @property
    def has_status(self) -> bool:
        return any(sub.name == "status" for sub in self.subresources)

    def subresource(self, name: str) -> Subresource | None:
        return next((sub for sub in self.subresources if sub.name == name), None)


def _status(kind: str) -> Subresource:
    return Subresource("status", kind, _CHANGE)


_SCALE = Subresource("scale", "Scale", _CHANGE, "autoscaling/v1")
_CONNECT = ("create", "get")
_ALL_OF_IT = ("all",)

NAMESPACE = Kind(
    "", "v1", "Namespace", "namespaces", "namespace", False, ("ns",),
    subresources=(_status("Namespace"),), selectable=("status.phase",),
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
)  # fmt: skip
POD = Kind(
    "", "v1", "Pod", "pods", "pod", True, ("po",), _ALL_OF_IT,
    (Subresource("attach", "PodAttachOptions", _CONNECT), Subresource("eviction", "Eviction", ("create",), "policy/v1"),
     Subresource("exec", "PodExecOptions", _CONNECT), Subresource("log", "Pod", ("get",)),
     Subresource("portforward", "PodPortForwardOptions", _CONNECT), _status("Pod")),
    ("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
     "status.phase", "status.podIP", "status.nominatedNodeName"),
    counts_generations=True,
)  # fmt: skip
CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps", "configmap", True, ("cm",))
SECRET = Kind("", "v1", "Secret", "secrets", "secret", True, selectable=("type",))
SERVICE = Kind(
    "", "v1", "Service", "services", "service", True, ("svc",), _ALL_OF_IT,
    (_status("Service"),), ("spec.clusterIP", "spec.type"),
)  # fmt: skip
SERVICE_ACCOUNT = Kind("", "v1", "ServiceAccount", "serviceaccounts", "serviceaccount", True, ("sa",))
NODE = Kind(
    "", "v1", "Node", "nodes", "node", False, ("no",),
    subresources=(_status("Node"),), selectable=("spec.unschedulable",),
)  # fmt: skip
EVENT = Kind(
    "", "v1", "Event", "events", "event", True, ("ev",),
    selectable=(
        "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
        "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath",
        "reason", "reportingComponent", "source", "type",
    ),
)  # fmt: skip
DEPLOYMENT = Kind(
    "apps", "v1", "Deployment", "deployments", "deployment", True, ("deploy",), _ALL_OF_IT,
    (_SCALE, _status("Deployment")), counts_generations=True,
)  # fmt: skip
REPLICA_SET = Kind(
    "apps", "v1", "ReplicaSet", "replicasets", "replicaset", True, ("rs",), _ALL_OF_IT,
    (_SCALE, _status("ReplicaSet")), ("status.replicas",), counts_generations=True,
)  # fmt: skip

CUSTOM_RESOURCE_DEFINITION = Kind(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", "customresourcedefinition",
    False, ("crd", "crds"), verbs=("get", "list", "watch"),
)  # fmt: skip
"""There never is one, but kubectl asks before it creates a List."""

CUSTOM_RESOURCE_DEFINITION = Kind(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", "customresourcedefinition",
    False, ("crd", "crds"), verbs=("get", "list", "watch"),
)  # fmt: skip
"""There never is one, but kubectl asks before it creates a List."""

KINDS = (
    CONFIG_MAP, EVENT, NAMESPACE, NODE, POD, SECRET, SERVICE_ACCOUNT, SERVICE, DEPLOYMENT, REPLICA_SET,
    CUSTOM_RESOURCE_DEFINITION,
)  # fmt: skip
"""In the order of discovery."""

REVIEWS = (
    Kind("authentication.k8s.io", "v1", "SelfSubjectReview", "selfsubjectreviews", "selfsubjectreview", False,
         verbs=("create",)),
    Kind("authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews",
         "selfsubjectaccessreview", False, verbs=("create",)),
    Kind("authorization.k8s.io", "v1", "SelfSubjectRulesReview", "selfsubjectrulesreviews", "selfsubjectrulesreview",
         False, verbs=("create",)),
)  # fmt: skip
"""Questions: they are answered and not kept."""

BY_RESOURCE = {(kind.group, kind.version, kind.resource): kind for kind in (*KINDS, *REVIEWS)}
