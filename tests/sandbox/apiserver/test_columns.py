"""Tables: cells as a real server showed them, and ages as it words them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.sandbox.apiserver.admission import admitted
from deploy.sandbox.apiserver.columns import COLUMNS, human, seconds, table
from deploy.sandbox.apiserver.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    EVENT,
    KINDS,
    NAMESPACE,
    NODE,
    POD,
    REPLICA_SET,
    SECRET,
    SERVICE,
    Kind,
)
from deploy.sandbox.apiserver.shape import shape

MADE = "2026-01-02T03:04:05Z"
NOW = seconds(MADE) + 75


@pytest.mark.parametrize(
    ("duration", "shown"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119.9, "119s"),
        (120, "2m"),
        (121, "2m1s"),
        (599, "9m59s"),
        (600, "10m"),
        (10799, "179m"),
        (10800, "3h"),
        (10860, "3h1m"),
        (28800, "8h"),
        (172799, "47h"),
        (172800, "2d"),
        (176400, "2d1h"),
        (691200, "8d"),
        (730 * 86400 - 1, "729d"),
        (730 * 86400, "2y"),
        (800 * 86400, "2y70d"),
        (8 * 365 * 86400, "8y"),
        (20 * 365 * 86400, "20y"),
    ],
)
def test_durations(duration: float, shown: str) -> None:
    assert human(duration) == shown


@given(st.integers(0, 3 * 10**8))
def test_a_duration_is_never_shown_longer_than_it_is(duration: int) -> None:
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400, "y": 365 * 86400}
    total, number = 0, ""
    for letter in human(duration):
        if letter in units:
            total, number = total + int(number) * units[letter], ""
        else:
            number += letter
    assert 0 <= duration - total <= max(duration * 0.34, 1)


def row(kind: Kind, o: dict[str, Any]) -> list[Any]:
    o = o | {"metadata": {"name": "x", "creationTimestamp": MADE} | o.get("metadata", {})}
    full = shape(kind.kind, o).object
    full["metadata"]["creationTimestamp"] = MADE
    for key in ("status",):
        full.setdefault(key, o.get(key, {}))
    (found,) = table(kind, [full], {}, NOW)["rows"]
    cells: list[Any] = found["cells"]
    return cells


CONTAINERS = [{"name": "a", "image": "i:1"}, {"name": "b", "image": "j"}]
TEMPLATE = {"metadata": {"labels": {"k": "v"}}, "spec": {"containers": CONTAINERS}}


def pod(*states: dict[str, Any], **status: Any) -> dict[str, Any]:
    statuses = [{"name": "c", "ready": "running" in one, "restartCount": 2, "state": one} for one in states]
    return {"spec": {"containers": CONTAINERS}, "status": {"phase": "Running", "containerStatuses": statuses} | status}


@pytest.mark.parametrize(
    ("kind", "o", "cells"),
    [
        (CONFIG_MAP, {"data": {"a": "b"}, "binaryData": {"c": "ZA=="}}, ["x", 2, "75s"]),
        (SECRET, {"type": "Opaque"}, ["x", "Opaque", 0, "75s"]),
        (NAMESPACE, {"status": {"phase": "Active"}}, ["x", "Active", "75s"]),
        (POD, pod({"running": {}}, {"running": {}}), ["x", "2/2", "Running", "4", "75s"] + ["<none>"] * 4),
        (
            POD,
            pod({"waiting": {"reason": "ImagePullBackOff"}}, podIP="10.0.0.1") | {"metadata": {}},
            ["x", "0/2", "ImagePullBackOff", "2", "75s", "10.0.0.1", "<none>", "<none>", "<none>"],
        ),
        (
            POD,
            pod({"terminated": {"exitCode": 0, "reason": "Completed"}}, phase="Succeeded"),
            ["x", "0/2", "Completed", "2", "75s"] + ["<none>"] * 4,
        ),
        (POD, pod(phase="Failed", reason="Evicted"), ["x", "0/2", "Evicted", "0", "75s"] + ["<none>"] * 4),
        (
            POD,
            pod() | {"metadata": {"deletionTimestamp": MADE}},
            ["x", "0/2", "Terminating", "0", "75s"] + ["<none>"] * 4,
        ),
        (
            POD,
            {
                "spec": {"containers": CONTAINERS, "nodeName": "n", "readinessGates": [{"conditionType": "g"}]},
                "status": {"conditions": [{"type": "g", "status": "True"}], "nominatedNodeName": "m"},
            },
            ["x", "0/2", "", "0", "75s", "<none>", "n", "m", "1/1"],
        ),
        (
            DEPLOYMENT,
            {
                "spec": {"replicas": 3, "selector": {"matchLabels": {"k": "v"}}, "template": TEMPLATE},
                "status": {"readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1},
            },
            ["x", "1/3", 2, 1, "75s", "a,b", "i:1,j", "k=v"],
        ),
        (
            REPLICA_SET,
            {"spec": {"replicas": 3, "selector": {}, "template": TEMPLATE}, "status": {"replicas": 2}},
            ["x", 3, 2, 0, "75s", "a,b", "i:1,j", "<none>"],
        ),
        (
            SERVICE,
            {
                "spec": {
                    "type": "LoadBalancer",
                    "clusterIP": "10.96.0.1",
                    "selector": {"b": "2", "a": "1"},
                    "ports": [{"port": 80, "nodePort": 30080, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}],
                }
            },
            ["x", "LoadBalancer", "10.96.0.1", "<pending>", "80:30080/TCP,53/UDP", "75s", "a=1,b=2"],
        ),
        (
            SERVICE,
            {
                "spec": {"type": "LoadBalancer", "externalIPs": ["192.0.2.9"]},
                "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.8"}, {"hostname": "h"}]}},
            },
            ["x", "LoadBalancer", "<none>", "192.0.2.8,h,192.0.2.9", "<none>", "75s", "<none>"],
        ),
        (
            SERVICE,
            {"spec": {"type": "ExternalName", "externalName": "a.example"}},
            ["x", "ExternalName", "<none>", "a.example", "<none>", "75s", "<none>"],
        ),
        (
            NODE,
            {
                "metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}},
                "spec": {"unschedulable": True},
                "status": {
                    "conditions": [{"type": "Ready", "status": "False"}],
                    "addresses": [{"type": "InternalIP", "address": "192.0.2.1"}],
                    "nodeInfo": {"kubeletVersion": "v1"},
                },
            },
            ["x", "NotReady,SchedulingDisabled", "control-plane", "75s", "v1", "192.0.2.1"]
            + ["<none>"]
            + ["<unknown>"] * 3,
        ),
        (NODE, {}, ["x", "Unknown", "<none>", "75s", "", "<none>", "<none>"] + ["<unknown>"] * 3),
        (
            EVENT,
            {
                "involvedObject": {"kind": "Pod", "name": "p", "fieldPath": "spec"},
                "reason": "Started",
                "message": "text\n",
                "type": "Normal",
                "source": {"component": "kubelet", "host": "n"},
                "firstTimestamp": MADE,
                "lastTimestamp": "2026-01-02T03:05:05Z",
                "count": 3,
            },
            ["15s (x3 over 75s)", "Normal", "Started", "pod/p", "spec", "kubelet, n", "text", "75s", 3, "x"],
        ),
        (
            EVENT,
            {"involvedObject": {}, "eventTime": "2026-01-02T03:05:10.5Z", "reportingComponent": "c"},
            ["9s", "", "", "/", "", "c", "", "9s", 1, "x"],
        ),
        (EVENT, {"involvedObject": {}}, ["<unknown>", "", "", "/", "", "", "", "<unknown>", 1, "x"]),
    ],
)
def test_cells(kind: Kind, o: dict[str, Any], cells: list[Any]) -> None:
    assert row(kind, o) == cells


def test_every_kind_has_its_columns_and_its_name_among_them() -> None:
    assert set(COLUMNS) == {kind.kind for kind in KINDS}
    for columns in COLUMNS.values():
        assert [column.definition["format"] for column in columns].count("name") == 1


def test_a_row_has_as_much_of_its_object_as_is_asked_for() -> None:
    o = admitted(CONFIG_MAP, shape("ConfigMap", {"metadata": {"name": "c"}}).object)
    partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "c"}}
    found = [
        table(CONFIG_MAP, [o], {}, NOW, include=one)["rows"][0]["object"] for one in ("Metadata", "Object", "None")
    ]
    assert found == [partial, o, None]


def test_a_watch_defines_its_columns_once() -> None:
    first, later = (table(CONFIG_MAP, [], {"resourceVersion": "1"}, NOW, first=one) for one in (True, False))
    assert [one["name"] for one in first["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert later == {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": "1"},
        "columnDefinitions": None,
        "rows": [],
    }
