"""Protobuf: bodies that kubectl 1.37 sent, and every way in which bytes can be no object."""

from __future__ import annotations

import base64
import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.sandbox.apiserver.protobuf import MAGIC, Unreadable, read

SENT: dict[str, tuple[str, dict[str, Any]]] = {
    "ConfigMap": (
        "azhzAAoPCgJ2MRIJQ29uZmlnTWFwEh4KFAoBYxIAGgNjYXAiACoAMgA4AEIAEgYKAWESAWIaACIA",
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "cap"}, "data": {"a": "b"}},
    ),
    "Secret": (
        "azhzAAoMCgJ2MRIGU2VjcmV0EiAKFAoBcxIAGgNjYXAiACoAMgA4AEIAEgYKAWESAWIaABoAIgA=",
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "cap"}, "data": {"a": "Yg=="}},
    ),
    "Deployment": (
        (
            "azhzAAoVCgdhcHBzL3YxEgpEZXBsb3ltZW50EsEBCiIKA3dlYhIAGgNjYXAiACoAMgA4AEIAWgoKA2FwcBIDd2ViEowBCAASDAoKCgNhcHAS"
            "A3dlYhpyChwKABIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViElISNAoDd2ViEg1leGFtcGxlL3dlYjoxKgAyCgoAEAAYUCIAKgBCAGoAcgCA"
            "AQCIAQCQAQCiAQAaADIAQgBKAFIAWABgAGgAggEAigEAmgEAwgEAIgIKACgAOAAaDAgAEAAYACAAKAA4ABoAIgA="
        ),
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "cap", "labels": {"app": "web"}},
            "spec": {
                "replicas": 0,  # said, and so not the default
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {
                        "containers": [{"name": "web", "image": "example/web:1", "ports": [{"containerPort": 80}]}]
                    },
                },
            },
        },
    ),
    "Service": (
        (
            "azhzAAoNCgJ2MRIHU2VydmljZRJpCh4KAXgSABoDY2FwIgAqADIAOABCAFoICgNhcHASAXgSQwoeCgc4MC1odHRwEgNUQ1AYUCIKCAEQABoE"
            "aHR0cCgAEggKA2FwcBIBeBoAIglDbHVzdGVySVA6AEIAUgBaAGAAaAAaAgoAGgAiAA=="
        ),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "x", "namespace": "cap", "labels": {"app": "x"}},
            "spec": {
                "ports": [{"name": "80-http", "protocol": "TCP", "port": 80, "targetPort": "http"}],
                "selector": {"app": "x"},
                "type": "ClusterIP",
            },
        },
    ),
    "SelfSubjectAccessReview": (
        (
            "azhzAAoyChdhdXRob3JpemF0aW9uLms4cy5pby92MRIXU2VsZlN1YmplY3RBY2Nlc3NSZXZpZXcSOwoQCgASABoAIgAqADIAOABCABIdChsK"
            "A2NhcBIDZ2V0GgAiACoEcG9kczIAOgNsb2caCAgAEgAaACAAGgAiAA=="
        ),
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {"namespace": "cap", "verb": "get", "resource": "pods", "name": "log"}},
        },
    ),
    "SelfSubjectReview": (
        (
            "azhzAAotChhhdXRoZW50aWNhdGlvbi5rOHMuaW8vdjESEVNlbGZTdWJqZWN0UmV2aWV3EhoKEAoAEgAaACIAKgAyADgAQgASBgoECgASABoA"
            "IgA="
        ),
        {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"},
    ),
}


@pytest.mark.parametrize("name", SENT)
def test_what_kubectl_sends_is_read(name: str) -> None:
    sent, o = SENT[name]
    assert read(base64.b64decode(sent), name) == o


@pytest.mark.parametrize("name", [name for name in SENT if name != "SelfSubjectReview"])  # all of which is empty
def test_a_body_that_is_cut_is_never_taken_for_the_whole(name: str) -> None:
    sent, o = SENT[name]
    whole = base64.b64decode(sent)
    for end in range(len(whole) - 4):  # the envelope's own last fields are empty
        with contextlib.suppress(Unreadable):
            assert read(whole[:end], name) != o


def field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def enveloped(raw: bytes) -> bytes:
    return MAGIC + field(2, raw)


METADATA = 1


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (field(15, b"x"), "ConfigMap has no field 15 here"),
        (field(METADATA, 7), "a number stands where text is expected"),
        (field(METADATA, field(1, 7)), "a number stands where text is expected"),
        (field(METADATA, field(7, b"x")), "text stands where a number is expected"),
        (field(METADATA, field(8, field(1, 1 << 62))), "a time lies outside the calendar"),
        (field(METADATA, field(17, field(7, field(1, b"{")))), "managed fields are not JSON"),
        (field(METADATA, field(1, b"\xff")), "text is not UTF-8"),
        (bytes([METADATA << 3 | 1]) + b"12345678", "wire type 1 is not used"),
        (bytes([METADATA << 3 | 2, 9]) + b"x", "a field is longer than the message"),
        (b"\x80", "the message ends within a number"),
        (b"\xff" * 11, "a number is longer than 64 bits"),
    ],
)
def test_bytes_that_are_no_object_are_refused_with_the_reason(raw: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        read(enveloped(raw), "ConfigMap")


def test_without_its_magic_it_is_not_read() -> None:
    with pytest.raises(Unreadable, match="does not appear to be a protobuf message"):
        read(b"{}", "ConfigMap")


def test_a_message_in_a_message_for_ever_is_refused() -> None:
    owner = b""
    for _ in range(60):  # JSON within managed fields is the only thing that nests, and is no message
        owner = field(METADATA, field(13, owner))
    with pytest.raises(Unreadable):
        read(enveloped(owner), "ConfigMap")


def test_times_numbers_and_managed_fields() -> None:
    stamp = field(1, 1767323045) + field(2, 123456000)
    managed = field(6, b"FieldsV1") + field(7, field(1, b'{"f:a":{}}'))
    metadata = field(8, stamp) + field(7, (1 << 64) - 1) + field(17, managed)
    assert read(enveloped(field(METADATA, metadata) + field(10, stamp)), "Event") == {
        "metadata": {
            "creationTimestamp": "2026-01-02T03:04:05Z",
            "generation": -1,
            "managedFields": [{"fieldsType": "FieldsV1", "fieldsV1": {"f:a": {}}}],
        },
        "eventTime": "2026-01-02T03:04:05.123456Z",
    }


def test_a_message_whose_fields_stand_in_its_owner() -> None:
    probe = field(1, field(2, field(1, b"/") + field(2, field(1, 0) + field(2, 80))))
    container = field(1, b"c") + field(10, probe)
    assert read(enveloped(field(2, field(2, container))), "Pod")["spec"]["containers"] == [
        {"name": "c", "livenessProbe": {"httpGet": {"path": "/", "port": 80}}}
    ]


@given(st.binary(max_size=60))
def test_any_bytes_are_an_object_or_unreadable(data: bytes) -> None:
    with contextlib.suppress(Unreadable):
        assert isinstance(read(MAGIC + data, "Pod"), dict)
