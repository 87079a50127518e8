import pytest

from proxy.kubernetes_resources import Resource, resource_named

PODS = Resource("", "pods")
DEPLOYMENTS = Resource("apps", "deployments")


@pytest.mark.parametrize(
    ("name", "resource"),
    [
        ("pods", PODS),
        ("pod", PODS),
        ("po", PODS),
        ("Pod", PODS),
        ("deploy", DEPLOYMENTS),
        ("deployments.apps", DEPLOYMENTS),
        ("deployment.v1.apps", DEPLOYMENTS),
        ("nodes", Resource("", "nodes", namespaced=False)),
        ("endpoints", Resource("", "endpoints")),
        ("networkpolicy", Resource("networking.k8s.io", "networkpolicies")),
        ("ingressclass", Resource("networking.k8s.io", "ingressclasses", namespaced=False)),
        ("priorityclass", Resource("scheduling.k8s.io", "priorityclasses", namespaced=False)),
        ("crd", Resource("apiextensions.k8s.io", "customresourcedefinitions", namespaced=False)),
        ("events", Resource("", "events")),
        ("events.events.k8s.io", Resource("events.k8s.io", "events")),
        ("widgets.example.com", Resource("example.com", "widgets")),
    ],
)
def test_every_name_that_kubectl_knows(name, resource):
    assert resource_named(name) == resource


@pytest.mark.parametrize("name", ["widgets", "", "pods/log", "po ds", "../x"])
def test_other_names_are_none(name):
    assert resource_named(name) is None
