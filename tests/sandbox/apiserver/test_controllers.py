"""What controllers do at once: pods run, deployments have what they want, what is nobody's any more goes."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.sandbox.apiserver import controllers as module
from deploy.sandbox.apiserver import objects as store
from deploy.sandbox.apiserver.kinds import DEPLOYMENT, EVENT, NAMESPACE, POD, REPLICA_SET, SERVICE_ACCOUNT, Kind
from deploy.sandbox.apiserver.objects import Objects
from tests.sandbox.apiserver.conftest import NOW, Call

APPS = "/apis/apps/v1/namespaces/a"
PODS = "/api/v1/namespaces/a/pods"
MERGE = "application/merge-patch+json"


def deployment(replicas: int = 2, image: str = "i:1") -> dict[str, Any]:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": image}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"metadata": {"name": "web"}, "spec": spec}


def names(objects: Objects, kind: Kind) -> list[str]:
    return [o["metadata"]["name"] for o in objects.all(kind, "a")]


def test_a_pod_runs_on_the_node_and_its_start_is_told(objects: Objects, settled: Call) -> None:
    settled("POST", PODS, {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}})
    pod = objects.get(POD, "a", "p")
    assert (pod["spec"]["nodeName"], pod["status"]["phase"], pod["status"]["podIP"]) == (
        "sandbox",
        "Running",
        "10.244.0.2",
    )
    assert [(one["name"], one["ready"], one["state"]) for one in pod["status"]["containerStatuses"]] == [
        ("c", True, {"running": {"startedAt": NOW}})
    ]
    assert sorted(event["reason"] for event in objects.all(EVENT)) == ["Created", "Pulled", "Scheduled", "Started"]


def test_a_deployment_has_its_pods_and_says_so(objects: Objects, settled: Call) -> None:
    settled("POST", f"{APPS}/deployments", deployment())
    (replica_set,) = objects.all(REPLICA_SET)
    found = objects.get(DEPLOYMENT, "a", "web")
    assert replica_set["metadata"]["name"].startswith("web-")
    assert [name.rpartition("-")[0] for name in names(objects, POD)] == [replica_set["metadata"]["name"]] * 2
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 2)
    conditions = found["status"].pop("conditions")
    assert found["status"] == counts | {"observedGeneration": 1}
    assert [(one["type"], one["status"], one["reason"]) for one in conditions] == [
        ("Available", "True", "MinimumReplicasAvailable"),
        ("Progressing", "True", "NewReplicaSetAvailable"),
    ]
    assert found["metadata"]["annotations"] == {"deployment.kubernetes.io/revision": "1"}


def test_scaling_adds_pods_and_takes_the_youngest(objects: Objects, settled: Call) -> None:
    settled("POST", f"{APPS}/deployments", deployment(2))
    first = set(names(objects, POD))
    settled("PATCH", f"{APPS}/deployments/web/scale", {"spec": {"replicas": 4}}, MERGE)
    assert (len(names(objects, POD)), first < set(names(objects, POD))) == (4, True)
    settled("PATCH", f"{APPS}/deployments/web", {"spec": {"replicas": 2}}, MERGE)
    assert set(names(objects, POD)) == first
    settled("PATCH", f"{APPS}/deployments/web", {"spec": {"replicas": 0}}, MERGE)
    assert names(objects, POD) == []
    assert "readyReplicas" not in objects.get(DEPLOYMENT, "a", "web")["status"]


def patched(call: Call, **container: str) -> None:
    change = {"spec": {"template": {"spec": {"containers": [{"name": "c"} | container]}}}}
    call("PATCH", f"{APPS}/deployments/web", change, "application/strategic-merge-patch+json")


def test_a_new_template_has_a_new_set_and_an_old_template_its_old_one(objects: Objects, settled: Call) -> None:
    settled("POST", f"{APPS}/deployments", deployment())
    (first,) = names(objects, REPLICA_SET)
    patched(settled, image="i:2")
    images = {pod["spec"]["containers"][0]["image"] for pod in objects.all(POD)}
    replicas = {o["metadata"]["name"]: o["spec"]["replicas"] for o in objects.all(REPLICA_SET)}
    assert (images, replicas.pop(first), list(replicas.values())) == ({"i:2"}, 0, [2])
    patched(settled, image="i:1")
    assert len(names(objects, REPLICA_SET)) == 2
    back = objects.get(REPLICA_SET, "a", first)
    assert (back["spec"]["replicas"], back["metadata"]["annotations"]["deployment.kubernetes.io/revision"]) == (2, "3")


def test_old_sets_are_kept_as_many_as_the_deployment_wants(objects: Objects, settled: Call) -> None:
    body = deployment()
    body["spec"]["revisionHistoryLimit"] = 1
    settled("POST", f"{APPS}/deployments", body)
    for number in range(2, 5):
        patched(settled, image=f"i:{number}")
    assert len(names(objects, REPLICA_SET)) == 2


def test_a_paused_deployment_keeps_its_template(objects: Objects, settled: Call) -> None:
    settled("POST", f"{APPS}/deployments", deployment())
    settled("PATCH", f"{APPS}/deployments/web", {"spec": {"paused": True}}, MERGE)
    patched(settled, image="i:2")
    assert {pod["spec"]["containers"][0]["image"] for pod in objects.all(POD)} == {"i:1"}
    settled("PATCH", f"{APPS}/deployments/web", {"spec": {"paused": None}}, MERGE)
    assert {pod["spec"]["containers"][0]["image"] for pod in objects.all(POD)} == {"i:2"}


def test_a_pod_that_is_deleted_or_evicted_is_replaced(objects: Objects, settled: Call) -> None:
    settled("POST", f"{APPS}/deployments", deployment())
    one, other = names(objects, POD)
    settled("DELETE", f"{PODS}/{one}")
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": other}}
    assert settled("POST", f"{PODS}/{other}/eviction", eviction).status == 201
    assert (len(names(objects, POD)), {one, other} & set(names(objects, POD))) == (2, set())


def test_what_it_owned_goes_with_it_or_stays_where_that_is_wished(objects: Objects, settled: Call) -> None:
    settled("POST", f"{APPS}/deployments", deployment())
    settled("DELETE", f"{APPS}/deployments/web", {"propagationPolicy": "Orphan"})
    (orphan,) = objects.all(REPLICA_SET)
    assert ("ownerReferences" in orphan["metadata"], len(names(objects, POD))) == (False, 2)
    settled("DELETE", f"{APPS}/replicasets/{orphan['metadata']['name']}")
    assert (names(objects, REPLICA_SET), names(objects, POD)) == ([], [])


def test_a_namespace_has_an_account_and_ends_with_all_that_is_in_it(objects: Objects, settled: Call) -> None:
    settled("POST", "/api/v1/namespaces", {"metadata": {"name": "fresh"}})
    assert [o["metadata"]["name"] for o in objects.all(SERVICE_ACCOUNT, "fresh")] == ["default"]
    settled("POST", f"{APPS}/deployments", deployment())
    settled("DELETE", "/api/v1/namespaces/a")
    assert objects.within("a") == []
    assert "a" not in [o["metadata"]["name"] for o in objects.all(NAMESPACE)]


def test_a_full_store_stops_them_and_leaves_the_api_working(
    objects: Objects, settled: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MAX_OBJECTS", 60)
    assert settled("POST", f"{APPS}/deployments", deployment(500)).status == 201
    assert len(names(objects, POD)) < 60
    assert settled("DELETE", f"{APPS}/deployments/web").status == 200
    monkeypatch.setattr(store, "MAX_OBJECTS", 5000)
    assert settled("POST", f"{APPS}/deployments", deployment(3)).status == 201
    assert len([name for name in names(objects, POD) if name]) >= 3


def test_old_events_are_forgotten(objects: Objects, settled: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_EVENTS", 10)
    settled("POST", f"{APPS}/deployments", deployment(20))
    assert len(objects.all(EVENT)) == 10
    assert {event["involvedObject"]["kind"] for event in objects.all(EVENT)} == {"Pod"}
