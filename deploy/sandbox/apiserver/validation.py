"""What the API server refuses as invalid (422), of the rules that people run into; worded as it words them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from deploy.sandbox.apiserver.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    NAMESPACE,
    POD,
    REPLICA_SET,
    SECRET,
    SERVICE,
    Kind,
    Object,
)
from deploy.sandbox.apiserver.problem import Cause
from deploy.sandbox.apiserver.selectors import match_labels

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_LABEL_NAME = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = f"({_LABEL_NAME})?"
_DATA_KEY = "[-._a-zA-Z0-9]+"

_LABEL_RULE = (63, _LABEL, (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    f"'{_LABEL}')"
))  # fmt: skip
_NAME_RULES = {NAMESPACE.kind: _LABEL_RULE, SERVICE.kind: _LABEL_RULE}
_SUBDOMAIN_RULE = (253, _SUBDOMAIN, (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    f"'{_SUBDOMAIN}')"
))  # fmt: skip
_POD_FIXED = (
    "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
    "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_NOT_NEGATIVE = "must be greater than or equal to 0"


def mistakes(kind: Kind, o: Object, old: Object | None = None) -> list[Cause]:
    """What is wrong with `o`, which is to replace `old` where there is one."""
    rules = _RULES.get(kind.kind)
    found = [*_metadata(kind, o), *(rules(o) if rules else ())]
    return found if old is None else [*found, *_changes(kind, o, old)]


def _metadata(kind: Kind, o: Object) -> Iterator[Cause]:
    name = o["metadata"].get("name", "")
    longest, pattern, rule = _NAME_RULES.get(kind.kind, _SUBDOMAIN_RULE)
    if not name:
        yield Cause.required("metadata.name", "name or generateName is required")
    elif len(name) > longest:
        yield Cause.invalid("metadata.name", json.dumps(name), f"must be no more than {longest} bytes")
    elif kind is NAMESPACE and "." in name:
        yield Cause.invalid("metadata.name", json.dumps(name), "must not contain dots")
    elif not re.fullmatch(pattern, name):
        yield Cause.invalid("metadata.name", json.dumps(name), rule)
    yield from _labels("metadata.labels", o["metadata"].get("labels", {}))


def _labels(path: str, labels: dict[str, str]) -> Iterator[Cause]:
    for key, value in labels.items():
        if not re.fullmatch(_LABEL_NAME, key.rpartition("/")[2]):
            yield Cause.invalid(path, json.dumps(key), (
                "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
                "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
                f"'{_LABEL_NAME}')"
            ))  # fmt: skip
        if len(value) > 63:
            yield Cause.invalid(path, json.dumps(value), "must be no more than 63 bytes")
        elif not re.fullmatch(_LABEL_VALUE, value):
            yield Cause.invalid(path, json.dumps(value), (
                "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and "
                "must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', "
                f"regex used for validation is '{_LABEL_VALUE}')"
            ))  # fmt: skip


def _data(o: Object) -> Iterator[Cause]:
    for key in (*o.get("data", ()), *o.get("binaryData", ())):
        if not re.fullmatch(_DATA_KEY, key):
            yield Cause.invalid(f"data[{key}]", json.dumps(key), (
                "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
                f"'KEY_NAME',  or 'key-name', regex used for validation is '{_DATA_KEY}')"
            ))  # fmt: skip


def _pod(o: Object) -> Iterator[Cause]:
    yield from _containers("spec", o["spec"])


def _containers(path: str, spec: dict[str, Any]) -> Iterator[Cause]:
    containers = spec.get("containers", [])
    if not containers:
        yield Cause.required(f"{path}.containers")
    names = set()
    volumes = {volume["name"] for volume in spec.get("volumes", ())}
    for at, container in enumerate(containers):
        here = f"{path}.containers[{at}]"
        if not container["name"]:
            yield Cause.required(f"{here}.name")
        elif container["name"] in names:
            yield Cause("FieldValueDuplicate", f"Duplicate value: {json.dumps(container['name'])}", f"{here}.name")
        names.add(container["name"])
        if not container.get("image"):
            yield Cause.required(f"{here}.image")
        for mount_at, mount in enumerate(container.get("volumeMounts", ())):
            if mount["name"] not in volumes:
                where = f"{here}.volumeMounts[{mount_at}].name"
                yield Cause("FieldValueNotFound", f"Not found: {json.dumps(mount['name'])}", where)


def _with_template(o: Object) -> Iterator[Cause]:
    spec = o["spec"]
    if spec.get("replicas", 0) < 0:
        yield Cause.invalid("spec.replicas", str(spec["replicas"]), _NOT_NEGATIVE)
    selector, labels = spec.get("selector"), spec["template"]["metadata"].get("labels")
    if selector is None:
        yield Cause.required("spec.selector")
    elif not (selector.get("matchLabels") or selector.get("matchExpressions")):
        yield Cause.invalid("spec.selector", json.dumps(selector), "empty selector is invalid for deployment")
    if selector is None or not match_labels(selector).matches({"metadata": {"labels": labels or {}}}):
        shown = json.dumps(labels, separators=(",", ":"))
        yield Cause.invalid("spec.template.metadata.labels", shown, "`selector` does not match template `labels`")
    yield from _containers("spec.template.spec", spec["template"]["spec"])


def _service(o: Object) -> Iterator[Cause]:
    if not o["spec"].get("ports") and o["spec"].get("clusterIP") != "None" and o["spec"]["type"] != "ExternalName":
        yield Cause.required("spec.ports")
    for at, port in enumerate(o["spec"].get("ports", ())):
        for key in ("port", "targetPort"):
            if isinstance(port.get(key), int) and not 1 <= port[key] <= 65535:
                said = "must be between 1 and 65535, inclusive"
                yield Cause.invalid(f"spec.ports[{at}].{key}", str(port[key]), said)


def _changes(kind: Kind, o: Object, old: Object) -> Iterator[Cause]:
    if o["metadata"].get("uid", old["metadata"]["uid"]) != old["metadata"]["uid"]:
        yield Cause.invalid("metadata.uid", json.dumps(o["metadata"]["uid"]), "field is immutable")
    if kind.kind in (DEPLOYMENT.kind, REPLICA_SET.kind) and o["spec"].get("selector") != old["spec"].get("selector"):
        shown = json.dumps(o["spec"].get("selector"), separators=(",", ":"))
        yield Cause.invalid("spec.selector", shown, "field is immutable")
    if kind.kind == POD.kind and _fixed(o["spec"]) != _fixed(old["spec"]):
        yield Cause("FieldValueForbidden", _POD_FIXED, "spec")
    if kind.kind == SECRET.kind and o.get("type") != old.get("type"):
        yield Cause.invalid("type", json.dumps(o.get("type")), "field is immutable")
    if old.get("immutable") and (o.get("data"), o.get("immutable")) != (old.get("data"), True):
        yield Cause("FieldValueForbidden", "Forbidden: field is immutable when `immutable` is set", "data")


def _fixed(spec: dict[str, Any]) -> dict[str, Any]:
    """What of a pod cannot change."""
    free = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds")
    kept = {key: value for key, value in spec.items() if key not in free}
    for key in ("containers", "initContainers"):
        if key in spec:
            kept[key] = [{k: v for k, v in one.items() if k != "image"} for one in spec[key]]
    return kept


_RULES: dict[str, Callable[[Object], Iterator[Cause]]] = {
    CONFIG_MAP.kind: _data,
    SECRET.kind: _data,
    POD.kind: _pod,
    DEPLOYMENT.kind: _with_template,
    REPLICA_SET.kind: _with_template,
    SERVICE.kind: _service,
}
