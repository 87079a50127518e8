"""OpenAPI 2: the protobuf form says what the JSON form says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from deploy.sandbox.apiserver.openapi_v2 import document, in_protobuf


def fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Of a message that has texts and messages only."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        length, at = varint(data, at)
        assert (tag & 7, at + length <= len(data)) == (2, True)
        yield tag >> 3, data[at : at + length]
        at += length


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 0x80:
            return value, at


def named(data: bytes) -> tuple[str, bytes]:
    found = dict(fields(data))
    return found[1].decode(), found.get(2, b"")


def test_every_reference_leads_to_a_definition() -> None:
    references = set(re.findall(r'"#/definitions/([^"]+)"', json.dumps(document()["definitions"])))
    assert references <= set(document()["definitions"])


def test_paths_and_definitions_are_all_there() -> None:
    whole = dict(fields(in_protobuf()))
    assert whole[1] == b"2.0"
    assert [named(one)[0] for number, one in fields(whole[8]) if number == 2] == list(document()["paths"])
    assert [named(one)[0] for _, one in fields(whole[9])] == list(document()["definitions"])


def test_a_definition_has_its_fields_its_requirements_and_its_marks() -> None:
    definitions = dict(named(one) for _, one in fields(dict(fields(in_protobuf()))[9]))
    schema = list(fields(definitions["sandbox.v1.PodSpec"]))
    (properties,) = (value for number, value in schema if number == 25)
    found = dict(named(one) for _, one in fields(properties))
    assert list(found) == list(document()["definitions"]["sandbox.v1.PodSpec"]["properties"])
    assert [value for number, value in schema if number == 19] == [b"containers"]
    containers = list(fields(found["containers"]))
    assert [dict(fields(value)) for number, value in containers if number == 22] == [{1: b"array"}]
    (items,) = (value for number, value in containers if number == 23)
    assert dict(fields(dict(fields(items))[1]))[1] == b"#/definitions/sandbox.v1.Container"
    marks = dict(named(value) for number, value in containers if number == 31)
    assert {key: dict(fields(value))[2] for key, value in marks.items()} == {
        "x-kubernetes-patch-strategy": b'"merge"',
        "x-kubernetes-patch-merge-key": b'"name"',
    }


def test_a_patch_has_its_kind_and_its_parameters() -> None:
    paths = dict(named(one) for _, one in fields(dict(fields(in_protobuf()))[8]))
    patch = list(fields(dict(fields(paths["/api/v1/namespaces/{namespace}/pods/{name}"]))[8]))
    kind = dict(named(value) for number, value in patch if number == 13)
    assert json.loads(dict(fields(kind["x-kubernetes-group-version-kind"]))[2]) == {
        "group": "",
        "version": "v1",
        "kind": "Pod",
    }
    parameters = []
    for number, value in patch:
        if number == 8:
            for inner in (1, 2, 3):  # ParametersItem, Parameter, NonBodyParameter
                value = dict(fields(value))[inner]  # noqa: PLW2901
            parameters.append(dict(fields(value)))
    assert [(one[2], one[4]) for one in parameters] == [
        (b"query", b"dryRun"),
        (b"query", b"fieldManager"),
        (b"query", b"fieldValidation"),
    ]
