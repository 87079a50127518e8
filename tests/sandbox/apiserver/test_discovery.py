"""Discovery: plain and aggregated say the same, and each client gets the form that it can read."""

from __future__ import annotations

import pytest

from deploy.sandbox.apiserver.discovery import GROUPS, aggregated, plain
from deploy.sandbox.apiserver.kinds import KINDS, REVIEWS

V2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
V2_BETA = V2.replace("v=v2;", "v=v2beta1;")


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("application/json", None),
        ("", None),
        (f"application/json,{V2}", None),
        (f"{V2},application/json", V2),
        (f"{V2},{V2_BETA},application/json", V2),
        (f"{V2_BETA}, application/json", V2_BETA),
        ("application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io", V2),
        ("application/vnd.kubernetes.protobuf;q=1", None),
    ],
)
@pytest.mark.parametrize("path", ["/api", "/apis"])
def test_the_first_form_that_a_client_names_and_we_have_is_given(
    path: str, accept: str, media_type: str | None
) -> None:
    found = aggregated(path, accept)
    assert (found[1] if found else None) == media_type
    if found:
        assert found[0]["apiVersion"] == (
            "apidiscovery.k8s.io/v2beta1" if media_type == V2_BETA else "apidiscovery.k8s.io/v2"
        )


def test_only_the_roots_are_aggregated() -> None:
    assert aggregated("/version", V2) is None


def test_both_forms_name_the_same_resources_with_the_same_verbs() -> None:
    by_aggregate = {}
    for path in ("/api", "/apis"):
        found = aggregated(path, V2)
        assert found is not None
        for group in found[0]["items"]:
            name = group["metadata"].get("name", "")
            for one in group["versions"][0]["resources"]:
                by_aggregate[name, one["resource"]] = one["verbs"]
                for sub in one.get("subresources", ()):
                    by_aggregate[name, f"{one['resource']}/{sub['subresource']}"] = sub["verbs"]
    by_list = {}
    for name in ("", *GROUPS):
        document = plain(f"/apis/{name}/v1" if name else "/api/v1")
        assert document is not None
        by_list |= {(name, one["name"]): one["verbs"] for one in document["resources"]}
    assert by_list == by_aggregate
    assert {(kind.group, kind.resource) for kind in (*KINDS, *REVIEWS)} <= by_list.keys()


@pytest.mark.parametrize("path", ["/", "/api", "/api/", "/apis", "/apis/apps", "/apis/apps/v1", "/api/v1", "/version"])
def test_there_is_a_document(path: str) -> None:
    assert plain(path)


@pytest.mark.parametrize("path", ["/apis/nope", "/apis/apps/v2", "/metrics", "/api/v2"])
def test_there_is_none(path: str) -> None:
    assert plain(path) is None
