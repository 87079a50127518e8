"""What is invalid: field and reason of each rule; tests/e2e/answers.yaml compares the words with a real server's."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.sandbox.apiserver.defaults import fill
from deploy.sandbox.apiserver.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    NAMESPACE,
    POD,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    Kind,
)
from deploy.sandbox.apiserver.shape import shape
from deploy.sandbox.apiserver.validation import mistakes

REQUIRED, INVALID = "FieldValueRequired", "FieldValueInvalid"
FORBIDDEN = "FieldValueForbidden"


def full(kind: Kind, o: dict[str, Any]) -> dict[str, Any]:
    o = shape(kind.kind, {"metadata": {"name": "x"}} | o).object
    fill(kind, o)
    return o


def wrong(kind: Kind, o: dict[str, Any], old: dict[str, Any] | None = None) -> list[tuple[str, str]]:
    uid = {"metadata": {"name": "x", "uid": "u"}}
    before = full(kind, uid | old) if old is not None else None
    return [(cause.field, cause.reason) for cause in mistakes(kind, full(kind, o), before)]


def spec(*containers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "c", "image": "i"} | one for one in containers]} | more}


def deployment(labels: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": labels or {"a": "b"}}} | spec({})
    return {"spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template} | more}


@pytest.mark.parametrize(
    ("kind", "o", "found"),
    [
        (CONFIG_MAP, {"metadata": {}}, [("metadata.name", REQUIRED)]),
        (CONFIG_MAP, {"metadata": {"name": "A"}}, [("metadata.name", INVALID)]),
        (CONFIG_MAP, {"metadata": {"name": "a" * 254}}, [("metadata.name", INVALID)]),
        (CONFIG_MAP, {"metadata": {"name": "a.b-c"}}, []),
        (NAMESPACE, {"metadata": {"name": "a.b"}}, [("metadata.name", INVALID)]),
        # the name is a label, too
        (NAMESPACE, {"metadata": {"name": "a" * 64}}, [("metadata.name", INVALID), ("metadata.labels", INVALID)]),
        (CONFIG_MAP, {"metadata": {"name": "a", "labels": {"x y": "z"}}}, [("metadata.labels", INVALID)]),
        (CONFIG_MAP, {"metadata": {"name": "a", "labels": {"e.x/y": "z "}}}, [("metadata.labels", INVALID)]),
        (CONFIG_MAP, {"metadata": {"name": "a", "labels": {"x": "z" * 64}}}, [("metadata.labels", INVALID)]),
        (CONFIG_MAP, {"metadata": {"name": "a", "labels": {"e.x/y": ""}}}, []),
        (
            CONFIG_MAP,
            {"data": {"a b": ""}, "binaryData": {"c/d": "YQ=="}},
            [("data[a b]", INVALID), ("data[c/d]", INVALID)],
        ),
        (SERVICE_ACCOUNT, {}, []),
        (POD, {"spec": {}}, [("spec.containers", REQUIRED)]),
        (
            POD,
            spec({"name": "", "image": ""}, {}, {}),
            [
                ("spec.containers[0].name", REQUIRED),
                ("spec.containers[0].image", REQUIRED),
                ("spec.containers[2].name", "FieldValueDuplicate"),
            ],
        ),
        (
            POD,
            spec({"volumeMounts": [{"name": "v", "mountPath": "/v"}]}),
            [("spec.containers[0].volumeMounts[0].name", "FieldValueNotFound")],
        ),
        (POD, spec({"volumeMounts": [{"name": "v", "mountPath": "/v"}]}, volumes=[{"name": "v"}]), []),
        (DEPLOYMENT, deployment(), []),
        (DEPLOYMENT, deployment({"a": "c"}), [("spec.template.metadata.labels", INVALID)]),
        (DEPLOYMENT, deployment(replicas=-1), [("spec.replicas", INVALID)]),
        (DEPLOYMENT, deployment(selector={}), [("spec.selector", INVALID)]),
        (
            DEPLOYMENT,
            {},
            [
                ("spec.selector", REQUIRED),
                ("spec.template.metadata.labels", INVALID),
                ("spec.template.spec.containers", REQUIRED),
            ],
        ),
        (SERVICE, {"spec": {}}, [("spec.ports", REQUIRED)]),
        (SERVICE, {"spec": {"clusterIP": "None"}}, []),
        (SERVICE, {"spec": {"type": "ExternalName"}}, []),
        (
            SERVICE,
            {"spec": {"ports": [{"port": 0, "targetPort": "http"}, {"port": 1, "targetPort": 65536}]}},
            [("spec.ports[0].port", INVALID), ("spec.ports[1].targetPort", INVALID)],
        ),
    ],
)
def test_new_objects(kind: Kind, o: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert wrong(kind, o) == found


@pytest.mark.parametrize(
    ("kind", "old", "new", "found"),
    [
        (CONFIG_MAP, {}, {"metadata": {"name": "x", "uid": "v"}}, [("metadata.uid", INVALID)]),
        (CONFIG_MAP, {"data": {"a": "b"}}, {"data": {"a": "c"}}, []),
        (CONFIG_MAP, {"immutable": True}, {"immutable": True, "data": {"a": "c"}}, [("data", FORBIDDEN)]),
        (CONFIG_MAP, {"immutable": True}, {}, [("data", FORBIDDEN)]),
        (CONFIG_MAP, {"immutable": True}, {"immutable": True}, []),
        (SECRET, {"type": "a"}, {"type": "b"}, [("type", INVALID)]),
        (
            DEPLOYMENT,
            deployment(),
            deployment({"a": "b", "c": "d"}, selector={"matchLabels": {"c": "d"}}),
            [("spec.selector", INVALID)],
        ),
        (POD, spec({}), spec({"image": "j"}, activeDeadlineSeconds=5), []),
        (POD, spec({}), spec({"command": ["x"]}), [("spec", FORBIDDEN)]),
        (POD, spec({}), spec({}, {"name": "d"}), [("spec", FORBIDDEN)]),
        (POD, spec({}), spec({}, nodeName="n"), [("spec", FORBIDDEN)]),
    ],
)
def test_changes(kind: Kind, old: dict[str, Any], new: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert wrong(kind, new, old) == found
