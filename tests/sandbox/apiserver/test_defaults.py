"""What is filled in: as a real server filled it in for the same objects (tests/e2e/answers.yaml compares the rest)."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.sandbox.apiserver.defaults import fill
from deploy.sandbox.apiserver.kinds import DEPLOYMENT, EVENT, NAMESPACE, POD, REPLICA_SET, SECRET, SERVICE, Kind
from deploy.sandbox.apiserver.shape import shape


def filled(kind: Kind, o: dict[str, Any]) -> dict[str, Any]:
    found = shape(kind.kind, o).object
    fill(kind, found)
    return found


def pod(**spec: Any) -> dict[str, Any]:
    found: dict[str, Any] = filled(POD, {"spec": {"containers": [{"name": "c", "image": "i:1"}]} | spec})["spec"]
    return found


CONTAINER = {
    "name": "c",
    "image": "i:1",
    "resources": {},
    "imagePullPolicy": "IfNotPresent",
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
SPEC = {
    "containers": [CONTAINER],
    "dnsPolicy": "ClusterFirst",
    "restartPolicy": "Always",
    "schedulerName": "default-scheduler",
    "securityContext": {},
    "terminationGracePeriodSeconds": 30,
}


def test_a_pod() -> None:
    toleration = {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    assert pod() == SPEC | {
        "enableServiceLinks": True,
        "preemptionPolicy": "PreemptLowerPriority",
        "priority": 0,
        "tolerations": [{"key": f"node.kubernetes.io/{key}"} | toleration for key in ("not-ready", "unreachable")],
    }


def test_what_is_said_stays() -> None:
    said = {"restartPolicy": "Never", "priority": 5, "serviceAccountName": "robot", "dnsPolicy": "None"}
    found = pod(**said, tolerations=[{"key": "node.kubernetes.io/not-ready", "operator": "Exists"}])
    assert {key: found[key] for key in said} == said
    assert found["serviceAccount"] == "robot"
    assert len(found["tolerations"]) == 2


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("i", "Always"),
        ("i:latest", "Always"),
        ("i:1", "IfNotPresent"),
        ("host:5000/i", "Always"),
        ("host:5000/i:1", "IfNotPresent"),
        ("i@sha256:0", "IfNotPresent"),
    ],
)
def test_images_that_can_change_are_always_pulled(image: str, policy: str) -> None:
    assert pod(containers=[{"name": "c", "image": image}])["containers"][0]["imagePullPolicy"] == policy


def test_probes_ports_and_volumes() -> None:
    container = {"name": "c", "image": "i:1", "ports": [{"containerPort": 1}]}
    found = pod(
        containers=[
            container | {"livenessProbe": {"httpGet": {"port": 1}}, "readinessProbe": {"tcpSocket": {"port": 1}}}
        ],
        volumes=[{"name": "none"}, {"name": "s", "secret": {"secretName": "x"}}],
    )
    (made,) = found["containers"]
    probe = {"failureThreshold": 3, "periodSeconds": 10, "successThreshold": 1, "timeoutSeconds": 1}
    assert made["livenessProbe"] == probe | {"httpGet": {"port": 1, "path": "/", "scheme": "HTTP"}}
    assert made["readinessProbe"] == probe | {"tcpSocket": {"port": 1}}
    assert made["ports"] == [{"containerPort": 1, "protocol": "TCP"}]
    assert found["volumes"] == [
        {"name": "none", "emptyDir": {}},
        {"name": "s", "secret": {"secretName": "x", "defaultMode": 420}},
    ]


@pytest.mark.parametrize(
    ("resources", "quality"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1"}}, "Guaranteed"),
        ({"limits": {"cpu": "2", "memory": "1"}, "requests": {"cpu": "1"}}, "Burstable"),
    ],
)
def test_quality_of_service(resources: dict[str, Any], quality: str) -> None:
    container = {"name": "c", "image": "i", "resources": resources}
    assert filled(POD, {"spec": {"containers": [container]}})["status"]["qosClass"] == quality


@pytest.mark.parametrize("kind", [DEPLOYMENT, REPLICA_SET])
def test_a_template_has_a_pods_defaults_but_for_its_requests(kind: Kind) -> None:
    limits = {"limits": {"cpu": "1"}}
    container = {"name": "c", "image": "i:1", "resources": limits}
    found = filled(kind, {"spec": {"template": {"spec": {"containers": [container]}}}})["spec"]
    assert found["template"]["spec"] == SPEC | {"containers": [CONTAINER | {"resources": limits}]}
    assert found["replicas"] == 1


def test_a_deployment() -> None:
    rolling = filled(DEPLOYMENT, {"spec": {}})["spec"]
    assert rolling["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
    }
    assert (rolling["progressDeadlineSeconds"], rolling["revisionHistoryLimit"]) == (600, 10)
    recreated = filled(DEPLOYMENT, {"spec": {"strategy": {"type": "Recreate"}}})["spec"]
    assert recreated["strategy"] == {"type": "Recreate"}


def test_a_service() -> None:
    found = filled(SERVICE, {"spec": {"ports": [{"port": 80}]}})["spec"]
    assert found == {
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
    }
    named = filled(SERVICE, {"spec": {"type": "ExternalName", "externalName": "a"}})["spec"]
    assert named == {"type": "ExternalName", "externalName": "a", "sessionAffinity": "None"}


def test_secrets_namespaces_and_events() -> None:
    secret = filled(SECRET, {"data": {"a": "YQ=="}, "stringData": {"b": "b"}})
    assert (secret["type"], secret["data"], "stringData" in secret) == ("Opaque", {"a": "YQ==", "b": "Yg=="}, False)
    namespace = filled(NAMESPACE, {"metadata": {"name": "n"}})
    assert namespace == {
        "metadata": {"name": "n", "labels": {"kubernetes.io/metadata.name": "n"}},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }
    event = filled(EVENT, {})
    assert (event["eventTime"], event["reportingComponent"], event["reportingInstance"]) == (None, "", "")
