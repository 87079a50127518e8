"""What controllers, scheduler and kubelet would do, at once: pods run, deployments have pods, owners' dependents go.

`settle` looks at what has changed since it was last called, acts, and goes on until its own changes lead to no more:
it ends because an action that finds all as it should be changes nothing.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections import deque
from collections.abc import Callable

from deploy.sandbox.apiserver.admission import admitted
from deploy.sandbox.apiserver.history import Change
from deploy.sandbox.apiserver.kinds import (
    DEPLOYMENT,
    EVENT,
    KINDS,
    NAMESPACE,
    POD,
    REPLICA_SET,
    SERVICE_ACCOUNT,
    Kind,
    Object,
)
from deploy.sandbox.apiserver.objects import Objects
from deploy.sandbox.apiserver.problem import Problem
from deploy.sandbox.apiserver.shape import shape

NODE_NAME = "sandbox"
MAX_EVENTS = 500
"""A real cluster forgets events after an hour; we forget the oldest."""
_HASH = "pod-template-hash"
_REVISION = "deployment.kubernetes.io/revision"
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_BY_QUALIFIED = {kind.qualified: kind for kind in KINDS}


class Controllers:
    """All of them over one store."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._inbox = objects.unsettled = deque()
        self._addresses = 0
        self._acts: dict[str, Callable[[Change], None]] = {
            NAMESPACE.kind: self._namespace,
            POD.kind: self._pod,
            REPLICA_SET.kind: self._replica_set,
            DEPLOYMENT.kind: self._deployment,
        }

    def settle(self) -> None:
        """Act on all that changed. A store that is full ends it: what is missing then stays so."""
        try:
            while self._inbox:
                self._act(self._inbox.popleft())
        except Problem:
            self._inbox.clear()

    def _act(self, change: Change) -> None:
        if change.type == "DELETED":
            for (qualified, namespace, name), _ in self._objects.owned(change.object["metadata"]["uid"]):
                self._objects.remove(_BY_QUALIFIED[qualified], namespace, name)
        act = self._acts.get(change.kind.kind)
        if act is not None:
            act(change)

    # -- namespaces

    def _namespace(self, change: Change) -> None:
        name = change.object["metadata"]["name"]
        if change.type == "ADDED":
            self._objects.create(SERVICE_ACCOUNT, name, {"metadata": {"name": "default"}})
        elif change.type == "MODIFIED" and "deletionTimestamp" in change.object["metadata"]:
            for qualified, _, inside in self._objects.within(name):
                if self._objects.find(_BY_QUALIFIED[qualified], name, inside):
                    self._objects.remove(_BY_QUALIFIED[qualified], name, inside)
            self._objects.remove(NAMESPACE, "", name)

    # -- pods

    def _pod(self, change: Change) -> None:
        pod, namespace = change.object, change.object["metadata"]["namespace"]
        if change.type == "ADDED" and pod["status"].get("phase") == "Pending":
            self._run(pod)
        owner = _controller(pod)
        if owner and owner["kind"] == REPLICA_SET.kind and change.type == "DELETED":
            replica_set = self._objects.find(REPLICA_SET, namespace, owner["name"])
            if replica_set and replica_set["metadata"]["uid"] == owner["uid"]:
                self._keep_pods(replica_set)

    def _run(self, pod: Object) -> None:
        if self._objects.find(POD, pod["metadata"]["namespace"], pod["metadata"]["name"]) is not pod:
            return
        now, running = self._objects.now(), copy.deepcopy(pod)
        running["spec"].setdefault("nodeName", NODE_NAME)
        self._addresses += 1
        address = f"10.244.{self._addresses // 254 % 256}.{self._addresses % 254 + 1}"
        running["status"] |= {
            "phase": "Running",
            "conditions": [
                {"type": name, "status": "True", "lastProbeTime": None, "lastTransitionTime": now}
                for name in ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
            ],
            "hostIP": "192.0.2.10",
            "hostIPs": [{"ip": "192.0.2.10"}],
            "podIP": address,
            "podIPs": [{"ip": address}],
            "startTime": now,
            "containerStatuses": [_running(container, now) for container in pod["spec"]["containers"]],
        }
        self._objects.replace(POD, running)
        where = f"Successfully assigned {pod['metadata']['namespace']}/{pod['metadata']['name']} to {NODE_NAME}"
        self._tell(pod, "Scheduled", where, "default-scheduler")
        for container in pod["spec"]["containers"]:
            image, field = container["image"], f"spec.containers{{{container['name']}}}"
            self._tell(pod, "Pulled", f'Container image "{image}" already present on machine', "kubelet", field)
            self._tell(pod, "Created", f"Container created: {container['name']}", "kubelet", field)
            self._tell(pod, "Started", f"Container started: {container['name']}", "kubelet", field)

    # -- replica sets

    def _replica_set(self, change: Change) -> None:
        metadata = change.object["metadata"]
        if change.type != "DELETED":
            now = self._objects.find(REPLICA_SET, metadata["namespace"], metadata["name"])
            if now is not None:
                self._keep_pods(now)
        owner = _controller(change.object)
        if owner and owner["kind"] == DEPLOYMENT.kind:
            deployment = self._objects.find(DEPLOYMENT, metadata["namespace"], owner["name"])
            if deployment and deployment["metadata"]["uid"] == owner["uid"]:
                self._keep_replica_sets(deployment)

    def _keep_pods(self, replica_set: Object) -> None:
        """As many pods as it wants; the youngest go first."""
        namespace, uid = replica_set["metadata"]["namespace"], replica_set["metadata"]["uid"]
        pods = [pod for (qualified, _, _), pod in self._objects.owned(uid) if qualified == POD.qualified]
        pods.sort(key=lambda pod: int(pod["metadata"]["resourceVersion"]))
        wanted = replica_set["spec"]["replicas"]
        for pod in pods[wanted:]:
            name = pod["metadata"]["name"]
            self._objects.remove(POD, namespace, name)
            self._tell(replica_set, "SuccessfulDelete", f"Deleted pod: {name}", "replicaset-controller")
        for _ in range(wanted - len(pods)):
            name = f"{replica_set['metadata']['name']}-{self._objects.suffix()}"
            template = copy.deepcopy(replica_set["spec"]["template"])
            template["metadata"] |= {"name": name, "ownerReferences": [_reference(REPLICA_SET, replica_set)]}
            template["metadata"]["generateName"] = f"{replica_set['metadata']['name']}-"
            self._objects.create(POD, namespace, admitted(POD, shape("Pod", template).object))
            self._tell(replica_set, "SuccessfulCreate", f"Created pod: {name}", "replicaset-controller")
        counts = dict.fromkeys(("replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas"), wanted)
        status = {"replicas": 0} | {key: count for key, count in counts.items() if count}
        status["observedGeneration"] = replica_set["metadata"]["generation"]
        self._objects.replace(REPLICA_SET, replica_set | {"status": status})

    # -- deployments

    def _deployment(self, change: Change) -> None:
        metadata = change.object["metadata"]
        if change.type != "DELETED":
            now = self._objects.find(DEPLOYMENT, metadata["namespace"], metadata["name"])
            if now is not None:
                self._keep_replica_sets(now)

    def _keep_replica_sets(self, deployment: Object) -> None:
        """One for the template as it is now, with all the replicas; the old ones at nought, the oldest gone."""
        owned = self._objects.owned(deployment["metadata"]["uid"])
        sets = [one for (qualified, _, _), one in owned if qualified == REPLICA_SET.qualified]
        current = next((one for one in sets if _same_template(one, deployment)), None)
        if current is None and not deployment["spec"].get("paused"):
            current = self._new_replica_set(deployment, sets)
        current = current or max(sets, key=_revision, default=None)
        if current is None:
            return
        revision = max([_revision(one) for one in sets if one is not current], default=0)
        if _revision(current) <= revision:
            current = self._annotate(current, str(revision + 1))
        self._scale(current, deployment["spec"]["replicas"], deployment)
        old = sorted((one for one in sets if one["metadata"]["uid"] != current["metadata"]["uid"]), key=_revision)
        for one in old:
            self._scale(one, 0, deployment)
        for one in old[: max(0, len(old) - deployment["spec"]["revisionHistoryLimit"])]:
            self._objects.remove(REPLICA_SET, one["metadata"]["namespace"], one["metadata"]["name"])
        self._report(deployment, current)

    def _new_replica_set(self, deployment: Object, sets: list[Object]) -> Object:
        template = copy.deepcopy(deployment["spec"]["template"])
        mark = _template_hash(template)
        labels = template["metadata"].get("labels", {}) | {_HASH: mark}
        template["metadata"]["labels"] = labels
        selector = copy.deepcopy(deployment["spec"]["selector"])
        selector["matchLabels"] = selector.get("matchLabels", {}) | {_HASH: mark}
        wanted = deployment["spec"]["replicas"]
        revision = str(max(map(_revision, sets), default=0) + 1)
        metadata = {
            "name": f"{deployment['metadata']['name']}-{mark}",
            "labels": labels,
            "annotations": {
                "deployment.kubernetes.io/desired-replicas": str(wanted),
                "deployment.kubernetes.io/max-replicas": str(wanted + -(-wanted // 4)),
                _REVISION: revision,
            },
            "ownerReferences": [_reference(DEPLOYMENT, deployment)],
        }
        fresh = {"metadata": metadata, "spec": {"replicas": wanted, "selector": selector, "template": template}}
        made = self._objects.create(
            REPLICA_SET,
            deployment["metadata"]["namespace"],
            admitted(REPLICA_SET, shape("ReplicaSet", fresh).object),
        )
        self._scaled(deployment, made["metadata"]["name"], 0, wanted)
        return made

    def _annotate(self, replica_set: Object, revision: str) -> Object:
        annotations = replica_set["metadata"].get("annotations", {}) | {_REVISION: revision}
        metadata = replica_set["metadata"] | {"annotations": annotations}
        return self._objects.replace(REPLICA_SET, replica_set | {"metadata": metadata})

    def _scale(self, replica_set: Object, wanted: int, deployment: Object) -> None:
        had = replica_set["spec"]["replicas"]
        if had != wanted:
            spec = replica_set["spec"] | {"replicas": wanted}
            self._objects.replace(REPLICA_SET, replica_set | {"spec": spec})
            self._scaled(deployment, replica_set["metadata"]["name"], had, wanted)

    def _scaled(self, deployment: Object, name: str, had: int, wanted: int) -> None:
        way = "up" if wanted >= had else "down"
        message = f"Scaled {way} replica set {name} from {had} to {wanted}"
        self._tell(deployment, "ScalingReplicaSet", message, "deployment-controller")

    def _report(self, deployment: Object, current: Object) -> None:
        now, wanted = self._objects.now(), deployment["spec"]["replicas"]
        counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), wanted)
        said = f'ReplicaSet "{current["metadata"]["name"]}" has successfully progressed.'
        had = {one["type"]: one for one in deployment["status"].get("conditions", ())}
        conditions = []
        for name, reason, message in (
            ("Available", "MinimumReplicasAvailable", "Deployment has minimum availability."),
            ("Progressing", "NewReplicaSetAvailable", said),
        ):
            old = had.get(name, {})
            changed = old.get("message") != message
            condition = {"type": name, "status": "True", "reason": reason, "message": message}
            condition["lastUpdateTime"] = now if changed else old["lastUpdateTime"]
            condition["lastTransitionTime"] = old.get("lastTransitionTime", now)
            conditions.append(condition)
        status = {"observedGeneration": deployment["metadata"]["generation"], "conditions": conditions}
        status |= {key: count for key, count in counts.items() if count}
        annotations = deployment["metadata"].get("annotations", {}) | {_REVISION: str(_revision(current))}
        metadata = deployment["metadata"] | {"annotations": annotations}
        self._objects.replace(DEPLOYMENT, deployment | {"metadata": metadata, "status": status})

    # -- events

    def _tell(self, about: Object, reason: str, message: str, component: str, field: str = "") -> None:
        namespace, now = about["metadata"]["namespace"], self._objects.now()
        involved = {key: about["metadata"][key] for key in ("namespace", "name", "uid", "resourceVersion")}
        involved |= {"kind": about["kind"], "apiVersion": about["apiVersion"]}
        event = {
            "metadata": {"name": f"{about['metadata']['name']}.{self._objects.version:x}{self._objects.suffix()}"},
            "involvedObject": involved | ({"fieldPath": field} if field else {}),
            "reason": reason,
            "message": message,
            "source": {"component": component} | ({"host": NODE_NAME} if component == "kubelet" else {}),
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "type": "Normal",
            "eventTime": None,
            "reportingComponent": component,
            "reportingInstance": NODE_NAME if component == "kubelet" else "",
        }
        self._objects.create(EVENT, namespace, event)
        if self._objects.count(EVENT) > MAX_EVENTS:
            oldest = self._objects.oldest(EVENT)["metadata"]
            self._objects.remove(EVENT, oldest["namespace"], oldest["name"])


def _running(container: Object, now: str) -> Object:
    digest = hashlib.sha256(container["image"].encode()).hexdigest()
    image = container["image"]
    return {
        "name": container["name"],
        "state": {"running": {"startedAt": now}},
        "lastState": {},
        "ready": True,
        "restartCount": 0,
        "image": image,
        "imageID": image if "@" in image else f"{image.partition(':')[0]}@sha256:{digest}",
        "containerID": f"containerd://{hashlib.sha256((now + digest + container['name']).encode()).hexdigest()}",
        "started": True,
    }


def _controller(o: Object) -> Object | None:
    return next((owner for owner in o["metadata"].get("ownerReferences", ()) if owner.get("controller")), None)


def _reference(kind: Kind, owner: Object) -> Object:
    about = {"apiVersion": kind.api_version, "kind": kind.kind, "name": owner["metadata"]["name"]}
    return about | {"uid": owner["metadata"]["uid"], "controller": True, "blockOwnerDeletion": True}


def _template_hash(template: Object) -> str:
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:10])


def _same_template(replica_set: Object, deployment: Object) -> bool:
    theirs, ours = replica_set["spec"]["template"], deployment["spec"]["template"]
    labels = {key: value for key, value in theirs["metadata"].get("labels", {}).items() if key != _HASH}
    return bool(theirs | {"metadata": theirs["metadata"] | {"labels": labels}} == ours)


def _revision(replica_set: Object) -> int:
    return int(replica_set["metadata"].get("annotations", {}).get(_REVISION, "0"))
