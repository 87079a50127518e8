"""OpenAPI 3: complete in itself, with what kubectl looks for."""

from __future__ import annotations

import json
import re

import pytest

from deploy.sandbox.apiserver.kinds import KINDS
from deploy.sandbox.apiserver.openapi import document, index

PLACES = list(index()["paths"])


@pytest.mark.parametrize("place", PLACES)
def test_every_reference_leads_somewhere(place: str) -> None:
    found = document(place)
    assert found is not None
    references = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(found)))
    assert references <= set(found["components"]["schemas"])


def test_kubectl_sees_that_the_server_validates_and_tries() -> None:
    for kind in KINDS:
        found = document(f"apis/{kind.group}/v1" if kind.group else "api/v1")
        assert found is not None
        gvk = {"group": kind.group, "version": "v1", "kind": kind.kind}
        patches = [
            item["patch"]
            for item in found["paths"].values()
            if item.get("patch", {}).get("x-kubernetes-group-version-kind") == gvk
        ]
        if "patch" in kind.verbs:
            (patch,) = patches
            assert {"dryRun", "fieldValidation"} <= {one["name"] for one in patch["parameters"]}


def test_lists_that_merge_say_by_what() -> None:
    found = document("api/v1")
    assert found is not None
    containers = found["components"]["schemas"]["sandbox.v1.PodSpec"]["properties"]["containers"]
    assert {key: value for key, value in containers.items() if key.startswith("x-")} == {
        "x-kubernetes-patch-strategy": "merge",
        "x-kubernetes-patch-merge-key": "name",
    }


def test_there_is_no_other_document() -> None:
    assert document("apis/nope/v1") is None
