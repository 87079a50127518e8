"""What the API server fills in where a person said nothing, for the kinds that the sandbox serves."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from deploy.sandbox.apiserver.kinds import (
    DEPLOYMENT,
    EVENT,
    NAMESPACE,
    POD,
    REPLICA_SET,
    SECRET,
    SERVICE,
    Kind,
    Object,
)

EVICTION_SECONDS = 300
"""How long a pod tolerates a node that is not ready (admission plug-in DefaultTolerationSeconds)."""


def fill(kind: Kind, o: Object) -> None:
    """Fill in, in place. The object has its shape already."""
    filler = _FILLERS.get(kind.kind)
    if filler is not None:
        filler(o)


def _namespace(o: Object) -> None:
    o["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = o["metadata"]["name"]
    o["spec"].setdefault("finalizers", ["kubernetes"])
    o["status"].setdefault("phase", "Active")


def _pod(o: Object) -> None:
    spec = o["spec"]
    _pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    spec.setdefault("priority", 0)
    had = {toleration.get("key") for toleration in spec.get("tolerations", ())}
    for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
        if key not in had:
            toleration = {"key": key, "operator": "Exists", "effect": "NoExecute"}
            spec.setdefault("tolerations", []).append(toleration | {"tolerationSeconds": EVICTION_SECONDS})
    o["status"].setdefault("phase", "Pending")
    o["status"].setdefault("qosClass", _quality(spec))


def _pod_spec(spec: dict[str, Any]) -> None:
    for container in (*spec.get("containers", ()), *spec.get("initContainers", ())):
        _container(container)
    for volume in spec.get("volumes", ()):
        for source in ("configMap", "secret", "projected", "downwardAPI"):
            if source in volume:
                volume[source].setdefault("defaultMode", 420)
        if len(volume) == 1:
            volume["emptyDir"] = {}
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("securityContext", {})
    spec.setdefault("terminationGracePeriodSeconds", 30)
    if name := spec.get("serviceAccountName"):
        spec["serviceAccount"] = name


def _container(container: dict[str, Any]) -> None:
    image = container.get("image", "").rpartition("/")[2]
    floating = "@" not in image and image.partition(":")[2] in ("", "latest")
    container.setdefault("imagePullPolicy", "Always" if floating else "IfNotPresent")
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    for port in container.get("ports", ()):
        port.setdefault("protocol", "TCP")
    resources = container["resources"]
    for name, limit in resources.get("limits", {}).items():
        resources.setdefault("requests", {}).setdefault(name, limit)
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if probe in container:
            for key, value in _PROBE.items():
                container[probe].setdefault(key, value)
            if "httpGet" in container[probe]:
                container[probe]["httpGet"].setdefault("path", "/")
                container[probe]["httpGet"].setdefault("scheme", "HTTP")


_PROBE = {"failureThreshold": 3, "periodSeconds": 10, "successThreshold": 1, "timeoutSeconds": 1}


def _quality(spec: dict[str, Any]) -> str:
    """QoS class: Guaranteed wants limits of CPU and memory that equal the requests, in every container."""
    resources = [container["resources"] for container in spec.get("containers", ())]
    if all(not one for one in resources):
        return "BestEffort"
    whole = all({"cpu", "memory"} <= one.get("limits", {}).keys() for one in resources)
    return "Guaranteed" if whole and all(one["requests"] == one["limits"] for one in resources) else "Burstable"


def _template_spec(spec: dict[str, Any]) -> None:
    """In a template limits are not copied to requests: that is done in the pod."""
    containers = (*spec.get("containers", ()), *spec.get("initContainers", ()))
    before = [dict(container["resources"]) for container in containers]
    _pod_spec(spec)
    for container, resources in zip(containers, before, strict=True):
        container["resources"] = resources


def _deployment(o: Object) -> None:
    spec = o["spec"]
    spec.setdefault("replicas", 1)
    spec.setdefault("progressDeadlineSeconds", 600)
    spec.setdefault("revisionHistoryLimit", 10)
    strategy = spec["strategy"]
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxSurge", "25%")
        rolling.setdefault("maxUnavailable", "25%")
    _template_spec(spec["template"]["spec"])


def _replica_set(o: Object) -> None:
    o["spec"].setdefault("replicas", 1)
    if "template" in o["spec"]:
        _template_spec(o["spec"]["template"]["spec"])


def _service(o: Object) -> None:
    spec = o["spec"]
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    if spec["type"] == "ExternalName":
        return
    spec.setdefault("internalTrafficPolicy", "Cluster")
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    for port in spec.get("ports", ()):
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port["port"])


def _secret(o: Object) -> None:
    plain = o.pop("stringData", {})
    if plain:
        encoded = {key: base64.b64encode(text.encode()).decode() for key, text in plain.items()}
        o["data"] = o.get("data", {}) | encoded
    o.setdefault("type", "Opaque")


def _event(o: Object) -> None:
    """Fields of the newer events API, which the older one always shows."""
    for key, empty in (("eventTime", None), ("reportingComponent", ""), ("reportingInstance", "")):
        o.setdefault(key, empty)


_FILLERS: dict[str, Callable[[Object], None]] = {
    NAMESPACE.kind: _namespace,
    POD.kind: _pod,
    DEPLOYMENT.kind: _deployment,
    REPLICA_SET.kind: _replica_set,
    SERVICE.kind: _service,
    SECRET.kind: _secret,
    EVENT.kind: _event,
}
