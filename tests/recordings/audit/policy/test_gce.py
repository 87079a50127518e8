"""The `gce` profile against the table of Kubernetes' own test (cluster/gce/gci/audit_policy_test.go), as facts."""

import pytest

from proxy.audit_policy_file import load_policy
from recordings.audit.policy.level import Level, Stage
from recordings.audit.policy.rule import PolicyAttributes

POLICY = load_policy("gce")
EVERYBODY = "system:authenticated"
SERVICE_ACCOUNTS = ("system:serviceaccounts", EVERYBODY)
USERS = {
    "anonymous": ("system:anonymous", ("system:unauthenticated",)),
    "kubeproxy": ("system:kube-proxy", (EVERYBODY,)),
    "ingress": ("system:unsecured", (EVERYBODY, "system:masters")),
    "kubelet": ("kubelet", (EVERYBODY, "system:nodes")),
    "node": ("system:node:node-123", (EVERYBODY, "system:nodes")),
    "controller": ("system:kube-controller-manager", (EVERYBODY,)),
    "scheduler": ("system:kube-scheduler", (EVERYBODY,)),
    "apiserver": ("system:apiserver", ("system:masters",)),
    "autoscaler": ("cluster-autoscaler", (EVERYBODY,)),
    "npd": ("system:node-problem-detector", (EVERYBODY,)),
    "npd-sa": ("system:serviceaccount:kube-system:node-problem-detector", SERVICE_ACCOUNTS),
    "namespace-controller": ("system:serviceaccount:kube-system:namespace-controller", SERVICE_ACCOUNTS),
    "endpoint-controller": ("system:serviceaccount:kube-system:endpoint-controller", SERVICE_ACCOUNTS),
    "default-sa": ("system:serviceaccount:default:default", SERVICE_ACCOUNTS),
}
RESOURCES = {  # group, resource, subresource, namespace
    "nodes": ("", "nodes", "", ""),
    "nodes/status": ("", "nodes", "status", ""),
    "endpoints": ("", "endpoints", "", "default"),
    "sys-endpoints": ("", "endpoints", "", "kube-system"),
    "services": ("", "services", "", "default"),
    "services/status": ("", "services", "status", "default"),
    "configmaps": ("", "configmaps", "", "default"),
    "sys-configmaps": ("", "configmaps", "", "kube-system"),
    "namespaces": ("", "namespaces", "", ""),
    "namespaces/status": ("", "namespaces", "status", ""),
    "namespaces/finalize": ("", "namespaces", "finalize", ""),
    "podmetrics": ("metrics.k8s.io", "podmetrics", "", "default"),
    "nodemetrics": ("metrics.k8s.io", "nodemetrics", "", ""),
    "pods": ("", "pods", "", "default"),
    "pods/status": ("", "pods", "status", "default"),
    "secrets": ("", "secrets", "", "default"),
    "tokenreviews": ("authentication.k8s.io", "tokenreviews", "", ""),
    "deployments": ("apps", "deployments", "", "default"),
    "clusterroles": ("rbac.authorization.k8s.io", "clusterroles", "", ""),
    "events": ("", "events", "", "default"),
    "foos": ("example.com", "foos", "", "default"),
    "foos/baz": ("example.com", "foos", "baz", "default"),
}
ANYBODY = "default-sa anonymous npd namespace-controller"
TABLE = [
    ("None", "kubeproxy", "watch", "endpoints sys-endpoints services services/status"),
    ("Request", "kubeproxy", "watch", "nodes pods"),
    ("None", "ingress", "get", "sys-configmaps"),
    ("Metadata", "ingress", "get", "configmaps"),
    ("None", "kubelet node", "get", "nodes nodes/status"),
    ("Metadata", "kubelet node", "get", "sys-configmaps secrets"),
    ("RequestResponse", "kubelet node", "create", "deployments pods"),
    ("None", "controller scheduler endpoint-controller", "get update", "sys-endpoints"),
    ("Request", "controller scheduler endpoint-controller", "get", "endpoints"),
    ("RequestResponse", "controller scheduler endpoint-controller", "update", "endpoints"),
    ("None", "apiserver", "get", "namespaces namespaces/status namespaces/finalize"),
    ("Metadata", "apiserver", "get create update", "sys-configmaps secrets"),
    ("None", "autoscaler", "get update", "sys-configmaps sys-endpoints"),
    ("Metadata", "autoscaler", "get update", "configmaps"),
    ("RequestResponse", "autoscaler", "update", "endpoints"),
    ("None", "controller", "get list", "podmetrics nodemetrics"),
    ("None", "node apiserver default-sa anonymous", "get list create patch update delete", "events"),
    ("Request", "kubelet node npd npd-sa", "update patch", "nodes/status pods/status"),
    ("Request", "namespace-controller", "deletecollection", "pods namespaces"),
    ("Metadata", ANYBODY, "get create update", "secrets configmaps sys-configmaps tokenreviews"),
    ("Request", ANYBODY, "get list watch", "sys-endpoints podmetrics pods clusterroles deployments"),
    (
        "RequestResponse",
        ANYBODY,
        "create update patch delete",
        "sys-endpoints podmetrics pods clusterroles deployments",
    ),
    ("Metadata", ANYBODY, "get list watch create update patch delete", "foos foos/baz"),
]
URLS = [
    ("None", "/healthz /healthz/etcd /swagger-2.0.0.json /swagger-2.0.0.pb-v1.gz /version"),
    ("Metadata", "/logs /openapi/v2 /apis/policy /metrics /api"),
]


def decide(user: str, verb: str, **request):
    name, groups = USERS[user]
    return POLICY.decide(PolicyAttributes(name, frozenset(groups), verb, **request))


@pytest.mark.parametrize(("level", "users", "verbs", "resources"), TABLE)
def test_resources(level, users, verbs, resources):
    for user in users.split():
        for verb in verbs.split():
            for key in resources.split():
                group, resource, subresource, namespace = RESOURCES[key]
                decided = decide(
                    user,
                    verb,
                    is_resource_request=True,
                    api_group=group,
                    resource=resource,
                    subresource=subresource,
                    namespace=namespace,
                )
                assert (decided.level, decided.omit_stages) == (Level(level), {Stage.REQUEST_RECEIVED}), (user, key)


@pytest.mark.parametrize(("level", "paths"), URLS)
@pytest.mark.parametrize("user", USERS)
def test_other_paths(level, paths, user):
    for verb in ("get", "post"):
        for path in paths.split():
            assert decide(user, verb, is_resource_request=False, path=path).level == level
