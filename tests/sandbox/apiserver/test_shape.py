"""Shapes: what is kept, what goes, what is refused, and that nothing changes what has its shape already."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.sandbox.apiserver.fields import Field, messages
from deploy.sandbox.apiserver.shape import MAX_DEPTH, Mismatch, shape


def test_empty_fields_go_unless_they_say_something() -> None:
    o = {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": "p", "labels": {}, "annotations": None},
        "spec": {
            "containers": [{"name": "c", "image": "", "stdin": False, "ports": [], "resources": None}],
            "hostNetwork": False,
            "volumes": [{"name": "v", "emptyDir": {}}],
            "activeDeadlineSeconds": 0,
        },
    }
    assert shape("Pod", o).object == {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": "p"},
        "spec": {
            "containers": [{"name": "c", "resources": {}}],
            "volumes": [{"name": "v", "emptyDir": {}}],
            "activeDeadlineSeconds": 0,
        },
        "status": {},
    }


def test_what_no_type_has_is_told_by_its_path() -> None:
    o = {"metadata": {"nam": "x"}, "spec": {"containers": [{"name": "c"}, {"imag": 1}]}, "sepc": {}}
    shaped = shape("Pod", o)
    assert shaped.unknown == ["metadata.nam", "spec.containers[1].imag", "sepc"]
    assert shaped.object["spec"]["containers"] == [{"name": "c", "resources": {}}, {"name": "", "resources": {}}]


@pytest.mark.parametrize(
    ("kind", "o", "said"),
    [
        (
            "Deployment",
            {"spec": {"replicas": "x"}},
            "string into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            "Deployment",
            {"spec": {"replicas": True}},
            "bool into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        ("Deployment", {"spec": {"replicas": 1 << 31}}, "number into Go struct field DeploymentSpec.spec.replicas"),
        ("Deployment", {"metadata": 3}, "number into Go struct field Deployment.metadata of type v1.ObjectMeta"),
        ("ConfigMap", {"data": 1}, "number into Go struct field ConfigMap.data of type map[string]string"),
        ("ConfigMap", {"data": {"x": 1}}, "number into Go struct field ConfigMap.data of type string"),
        (
            "Pod",
            {"spec": {"containers": {"name": "x"}}},
            "object into Go struct field PodSpec.spec.containers of type []v1.Container",
        ),
        (
            "Pod",
            {"spec": {"containers": [{"name": 1}]}},
            "number into Go struct field Container.spec.containers.name of type string",
        ),
        (
            "Pod",
            {"spec": {"containers": ["x"]}},
            "string into Go struct field PodSpec.spec.containers of type v1.Container",
        ),
        ("ConfigMap", {"binaryData": {"x": "YQ!!"}}, "illegal base64 data at input byte 2"),
        (
            "Pod",
            {"spec": {"containers": [{"resources": {"limits": {"cpu": "a"}}}]}},
            "quantities must match the regular expression",
        ),
        (
            "Service",
            {"spec": {"ports": [{"targetPort": []}]}},
            "array into Go struct field ServicePort.spec.ports.targetPort",
        ),
    ],
)
def test_values_of_the_wrong_type_are_refused_in_gos_words(kind: str, o: dict[str, Any], said: str) -> None:
    with pytest.raises(Mismatch) as caught:
        shape(kind, o)
    assert said in str(caught.value)


def test_quantities_are_text_however_they_are_written() -> None:
    limits = {"cpu": 1, "memory": "1Gi", "x": "1e3", "y": 0.5, "z": "-.5m"}
    o = shape("Pod", {"spec": {"containers": [{"resources": {"limits": limits}}]}}).object
    assert o["spec"]["containers"][0]["resources"]["limits"] == {
        "cpu": "1",
        "memory": "1Gi",
        "x": "1e3",
        "y": "0.5",
        "z": "-.5m",
    }


def test_no_type_is_so_deep_that_the_limit_would_hide_a_field() -> None:
    def depth(name: str, seen: tuple[str, ...] = ()) -> int:
        inner = [field.type for field in messages()[name].fields.values() if field.is_message]
        return 1 + max((depth(one, (*seen, name)) for one in inner if one not in (*seen, name)), default=0)

    assert depth("Pod") < MAX_DEPTH


def values(field: Field, depth: int) -> st.SearchStrategy[Any]:
    leaf: dict[str, st.SearchStrategy[Any]] = {
        "string": st.text(max_size=3),
        "int32": st.integers(-9, 9),
        "int64": st.integers(-9, 9),
        "bool": st.booleans(),
        "bytes": st.sampled_from(("", "YQ==")),
        "double": st.floats(0, 1),
        "Quantity": st.sampled_from(("1", "2Mi", 3)),
        "IntOrString": st.sampled_from((0, 1, "x", "")),
        "ExtraValue": st.lists(st.text(max_size=2), max_size=2),
        "FieldsV1": st.just({}),
    }
    one = objects(field.type, depth - 1) if field.is_message else leaf.get(field.type, st.just("2026-01-02T03:04:05Z"))
    if field.shape == "[]":
        return st.lists(one, max_size=2)
    return st.dictionaries(st.sampled_from("ab"), one, max_size=2) if field.shape == "{}" else one


def objects(name: str, depth: int = 4) -> st.SearchStrategy[dict[str, Any]]:
    fields = messages()[name].fields.items() if depth else ()
    usable = [(key, field) for key, field in fields if depth > 1 or not field.is_message]
    if not usable:
        return st.just({})
    return st.lists(st.sampled_from(usable), max_size=3).flatmap(
        lambda chosen: st.fixed_dictionaries({key: values(field, depth) for key, field in chosen})
    )


@given(
    st.sampled_from(("Pod", "Deployment", "Service", "Node", "Event")).flatmap(
        lambda k: st.tuples(st.just(k), objects(k))
    )
)
def test_what_has_its_shape_keeps_it(drawn: tuple[str, dict[str, Any]]) -> None:
    kind, o = drawn
    once = shape(kind, o)
    assert once.unknown == []
    assert shape(kind, once.object) == once
