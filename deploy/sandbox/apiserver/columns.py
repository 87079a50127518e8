"""meta.k8s.io/v1 Table: the columns that `kubectl get` shows, as `printers/internalversion` computes them.

A cell is computed of the object and the time now, in seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from deploy.sandbox.apiserver.kinds import (
    CONFIG_MAP,
    CUSTOM_RESOURCE_DEFINITION,
    DEPLOYMENT,
    EVENT,
    NAMESPACE,
    NODE,
    POD,
    REPLICA_SET,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    Kind,
    Object,
)
from deploy.sandbox.apiserver.selectors import shown

NONE, UNKNOWN = "<none>", "<unknown>"
_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400


@dataclass(frozen=True, slots=True)
class Column:
    """`wide`: shown by `-o wide` only."""

    name: str
    cell: Callable[[Object, float], Any]
    wide: bool = False
    type: str = "string"

    @property
    def definition(self) -> Object:
        about = {"name": self.name, "type": self.type, "format": "name" if self.name == "Name" else ""}
        return about | {"description": "", "priority": int(self.wide)}


def table(
    kind: Kind,
    objects: Iterable[Object],
    metadata: Object,
    now: float,
    *,
    include: str = "Metadata",
    first: bool = True,
) -> Object:
    """`include` is Metadata, Object or None; a watch defines the columns in its `first` event only."""
    columns = COLUMNS[kind.kind]
    rows = []
    for o in objects:
        row: Object = {"cells": [column.cell(o, now) for column in columns]}
        if include == "Metadata":
            header = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
            row["object"] = header | {"metadata": o["metadata"]}
        elif include == "Object":
            row["object"] = o
        else:
            row["object"] = None
        rows.append(row)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": [column.definition for column in columns] if first else None,
        "rows": rows,
    }


def human(seconds: float) -> str:
    """A duration as tables show it: two units while the first is small (apimachinery `util/duration`)."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    for below, unit, name, small, small_name in (
        (2 * _MINUTE, 1, "s", 0, ""),
        (10 * _MINUTE, _MINUTE, "m", 1, "s"),
        (3 * _HOUR, _MINUTE, "m", 0, ""),
        (8 * _HOUR, _HOUR, "h", _MINUTE, "m"),
        (2 * _DAY, _HOUR, "h", 0, ""),
        (8 * _DAY, _DAY, "d", _HOUR, "h"),
        (2 * _YEAR, _DAY, "d", 0, ""),
        (8 * _YEAR, _YEAR, "y", _DAY, "d"),
    ):
        if whole < below:
            rest = whole % unit // small if small else 0
            return f"{max(whole, 0) // unit}{name}" + (f"{rest}{small_name}" if rest else "")
    return f"{whole // _YEAR}y"


def seconds(moment: str) -> float:
    """RFC 3339 → seconds since the epoch."""
    return datetime.fromisoformat(moment).astimezone(UTC).timestamp()


def _since(moment: str | None, now: float) -> str:
    return human(now - seconds(moment)) if moment else UNKNOWN


def _field(*path: str, default: Any = NONE) -> Callable[[Object, float], Any]:
    def cell(o: Object, _now: float) -> Any:
        value: Any = o
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        return default if value in (None, "") else value

    return cell


def _data(o: Object, _now: float) -> int:
    return len(o.get("data", ())) + len(o.get("binaryData", ()))


def _pod_ready(o: Object, _now: float) -> str:
    ready = sum(bool(status.get("ready")) for status in o["status"].get("containerStatuses", ()))
    return f"{ready}/{len(o['spec'].get('containers', ()))}"


def _pod_status(o: Object, _now: float) -> str:
    said = o["status"].get("reason") or o["status"].get("phase", "")
    for status in reversed(o["status"].get("containerStatuses", [])):
        state = status.get("state", {})
        said = state.get("waiting", {}).get("reason") or state.get("terminated", {}).get("reason") or said
    return "Terminating" if "deletionTimestamp" in o["metadata"] else str(said)


def _restarts(o: Object, _now: float) -> str:
    return str(sum(status.get("restartCount", 0) for status in o["status"].get("containerStatuses", ())))


def _gates(o: Object, _now: float) -> str:
    gates = o["spec"].get("readinessGates")
    if not gates:
        return NONE
    met = {one["type"] for one in o["status"].get("conditions", ()) if one["status"] == "True"}
    return f"{sum(gate['conditionType'] in met for gate in gates)}/{len(gates)}"


def _deployment_ready(o: Object, _now: float) -> str:
    return f"{o['status'].get('readyReplicas', 0)}/{o['spec'].get('replicas', 0)}"


def _of_containers(field: str) -> Callable[[Object, float], str]:
    return lambda o, _now: ",".join(one.get(field, "") for one in o["spec"]["template"]["spec"].get("containers", ()))


def _selector(o: Object, _now: float) -> str:
    return shown(o["spec"].get("selector", {}))


def _service_selector(o: Object, _now: float) -> str:
    return shown({"matchLabels": o["spec"].get("selector", {})})


def _external(o: Object, _now: float) -> str:
    spec = o["spec"]
    if spec["type"] == "ExternalName":
        return str(spec.get("externalName", ""))
    given = [one.get("ip") or one.get("hostname", "") for one in o["status"]["loadBalancer"].get("ingress", ())]
    addresses = ",".join([*given, *spec.get("externalIPs", ())])
    return addresses or ("<pending>" if spec["type"] == "LoadBalancer" else NONE)


def _ports(o: Object, _now: float) -> str:
    said = []
    for port in o["spec"].get("ports", ()):
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        said.append(f"{port['port']}{node}/{port['protocol']}")
    return ",".join(said) or NONE


def _node_status(o: Object, _now: float) -> str:
    ready = [one["status"] for one in o["status"].get("conditions", ()) if one["type"] == "Ready"]
    said = {"True": "Ready", "False": "NotReady"}.get(ready[0], "Unknown") if ready else "Unknown"
    return f"{said},SchedulingDisabled" if o["spec"].get("unschedulable") else said


def _roles(o: Object, _now: float) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = o["metadata"].get("labels", {})
    return ",".join(sorted(key.removeprefix(prefix) for key in labels if key.startswith(prefix))) or NONE


def _address(kind: str) -> Callable[[Object, float], str]:
    def cell(o: Object, _now: float) -> str:
        return next((str(a["address"]) for a in o["status"].get("addresses", ()) if a["type"] == kind), NONE)

    return cell


def _seen(field: str) -> Callable[[Object, float], str]:
    """An event's first or last sight; how often and for how long where it was seen more than once."""

    def cell(o: Object, now: float) -> str:
        said = _since(o.get(field) or o.get("eventTime"), now)
        if field == "lastTimestamp" and o.get("count", 0) > 1:
            return f"{said} (x{o['count']} over {_since(o.get('firstTimestamp'), now)})"
        return said

    return cell


def _involved(o: Object, _now: float) -> str:
    return f"{o['involvedObject'].get('kind', '').lower()}/{o['involvedObject'].get('name', '')}"


def _source(o: Object, _now: float) -> str:
    source = o["source"]
    component = source.get("component") or o.get("reportingComponent", "")
    return f"{component}, {source['host']}" if source.get("host") else str(component)


def _message(o: Object, _now: float) -> str:
    return str(o.get("message", "")).strip()


_NAME = Column("Name", _field("metadata", "name", default=""))
_AGE = Column("Age", lambda o, now: _since(o["metadata"].get("creationTimestamp"), now))
_WIDE_TEMPLATE = (
    Column("Containers", _of_containers("name"), wide=True),
    Column("Images", _of_containers("image"), wide=True),
    Column("Selector", _selector, wide=True),
)

COLUMNS: dict[str, tuple[Column, ...]] = {
    NAMESPACE.kind: (_NAME, Column("Status", _field("status", "phase", default="")), _AGE),
    POD.kind: (
        _NAME,
        Column("Ready", _pod_ready),
        Column("Status", _pod_status),
        Column("Restarts", _restarts),
        _AGE,
        Column("IP", _field("status", "podIP"), wide=True),
        Column("Node", _field("spec", "nodeName"), wide=True),
        Column("Nominated Node", _field("status", "nominatedNodeName"), wide=True),
        Column("Readiness Gates", _gates, wide=True),
    ),
    CONFIG_MAP.kind: (_NAME, Column("Data", _data), _AGE),
    CUSTOM_RESOURCE_DEFINITION.kind: (_NAME, Column("Created At", _field("metadata", "creationTimestamp"))),
    SECRET.kind: (_NAME, Column("Type", _field("type", default="")), Column("Data", _data), _AGE),
    SERVICE.kind: (
        _NAME,
        Column("Type", _field("spec", "type", default="")),
        Column("Cluster-IP", _field("spec", "clusterIP")),
        Column("External-IP", _external),
        Column("Port(s)", _ports),
        _AGE,
        Column("Selector", _service_selector, wide=True),
    ),
    SERVICE_ACCOUNT.kind: (_NAME, _AGE),
    NODE.kind: (
        _NAME,
        Column("Status", _node_status),
        Column("Roles", _roles),
        _AGE,
        Column("Version", _field("status", "nodeInfo", "kubeletVersion", default="")),
        Column("Internal-IP", _address("InternalIP"), wide=True),
        Column("External-IP", _address("ExternalIP"), wide=True),
        Column("OS-Image", _field("status", "nodeInfo", "osImage", default=UNKNOWN), wide=True),
        Column("Kernel-Version", _field("status", "nodeInfo", "kernelVersion", default=UNKNOWN), wide=True),
        Column(
            "Container-Runtime", _field("status", "nodeInfo", "containerRuntimeVersion", default=UNKNOWN), wide=True
        ),
    ),
    EVENT.kind: (
        Column("Last Seen", _seen("lastTimestamp")),
        Column("Type", _field("type", default="")),
        Column("Reason", _field("reason", default="")),
        Column("Object", _involved),
        Column("Subobject", _field("involvedObject", "fieldPath", default=""), wide=True),
        Column("Source", _source, wide=True),
        Column("Message", _message),
        Column("First Seen", _seen("firstTimestamp"), wide=True),
        Column("Count", _field("count", default=1), wide=True),
        Column("Name", _field("metadata", "name", default=""), wide=True),
    ),
    DEPLOYMENT.kind: (
        _NAME,
        Column("Ready", _deployment_ready),
        Column("Up-to-date", _field("status", "updatedReplicas", default=0)),
        Column("Available", _field("status", "availableReplicas", default=0)),
        _AGE,
        *_WIDE_TEMPLATE,
    ),
    REPLICA_SET.kind: (
        _NAME,
        Column("Desired", _field("spec", "replicas", default=0), type="integer"),
        Column("Current", _field("status", "replicas", default=0), type="integer"),
        Column("Ready", _field("status", "readyReplicas", default=0), type="integer"),
        _AGE,
        *_WIDE_TEMPLATE,
    ),
}
