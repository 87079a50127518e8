"""What a request does, whatever method and form it comes in."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.rbac import KUBERNETES_VERBS, OWN_VERBS
from proxy.effects import Effect, effects
from proxy.request_info import parse
from proxy.target import canonical

MATRIX = json.loads((Path(__file__).parents[1] / "vectors/effects.json").read_text())
UPGRADES = "?command=id&stdout=1"  # an upgrade shows in headers alone, of which `effects` is told nothing
RBAC = "rbac.authorization.k8s.io"


def of(method: str, target: str, content_type: str = "") -> tuple[Effect, ...]:
    read = canonical(target.encode())
    return effects(parse(method, read), method, read.query, content_type)


def namespace(target: str) -> str:
    return "a" if "/namespaces/a/" in target else ""


@pytest.mark.parametrize("row", MATRIX, ids=lambda row: f"{row['method']} {row['form']} {row['target']}")
def test_the_matrix_of_methods_forms_and_subresources(row: dict[str, Any]) -> None:
    target = row["target"]
    found = of(row["method"], target + (UPGRADES if row["form"] == "upgrade" else ""))
    assert found == tuple(
        Effect(verb, group, resource, subresource, namespace(target), name)
        for verb, group, resource, subresource, name in row["effects"]
    )


@pytest.mark.parametrize(
    "content_type", ["application/apply-patch+yaml", "Application/Apply-Patch+YAML; charset=utf-8"]
)
def test_server_side_apply_needs_patch_and_create(content_type: str) -> None:
    found = of("PATCH", "/apis/apps/v1/namespaces/a/deployments/d?fieldManager=kubectl", content_type)
    assert found == (
        Effect("patch", "apps", "deployments", "", "a", "d"),
        Effect("create", "apps", "deployments", "", "a", "d"),
    )


@pytest.mark.parametrize("content_type", ["", "application/json-patch+json", "application/strategic-merge-patch+json"])
def test_another_patch_needs_patch_alone(content_type: str) -> None:
    found = of("PATCH", "/apis/apps/v1/namespaces/a/deployments/d", content_type)
    assert found == (Effect("patch", "apps", "deployments", "", "a", "d"),)


@pytest.mark.parametrize(
    ("resource", "verb"),
    [("roles", "escalate"), ("clusterroles", "escalate"), ("rolebindings", "bind"), ("clusterrolebindings", "bind")],
)
def test_roles_and_bindings_need_kubernetes_verb_and_ours(resource: str, verb: str) -> None:
    path = f"/apis/{RBAC}/v1/namespaces/a/{resource}"
    one = f"{path}/r"
    assert of("POST", path) == (
        Effect("create", RBAC, resource, "", "a", ""),
        Effect(verb, RBAC, resource, "", "a", ""),
    )
    assert of("PUT", one) == (
        Effect("update", RBAC, resource, "", "a", "r"),
        Effect(verb, RBAC, resource, "", "a", "r"),
    )
    assert [effect.verb for effect in of("PATCH", one, "application/apply-patch+yaml")] == ["patch", "create", verb]
    assert of("DELETE", one) == (Effect("delete", RBAC, resource, "", "a", "r"),)
    assert of("GET", one) == (Effect("get", RBAC, resource, "", "a", "r"),)


@pytest.mark.parametrize("resource", ["certificatesigningrequests", "podcertificaterequests"])
def test_asking_for_a_certificate_is_minting_and_reading_the_request_is_not(resource: str) -> None:
    group, path = "certificates.k8s.io", f"/apis/certificates.k8s.io/v1/{resource}"
    assert of("POST", path) == (Effect("mint", group, resource, "", "", ""),)
    assert of("GET", path) == (Effect("list", group, resource, "", "", ""),)


def test_the_same_words_in_another_group_are_only_words() -> None:
    assert of("POST", "/apis/x.io/v1/namespaces/a/pods/p/exec") == (Effect("create", "x.io", "pods", "exec", "a", "p"),)
    assert of("POST", "/apis/x.io/v1/namespaces/a/roles") == (Effect("create", "x.io", "roles", "", "a", ""),)
    assert of("GET", "/apis/x.io/v1/namespaces/a/foos/f/proxy/y") == (Effect("proxy", "x.io", "foos", "", "a", "f"),)


def test_asking_what_one_may_is_an_ordinary_create() -> None:
    found = of("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
    assert found == (Effect("create", "authorization.k8s.io", "selfsubjectaccessreviews", "", "", ""),)


def test_a_path_that_is_no_resource_is_its_method() -> None:
    assert of("GET", "/openapi/v3") == (Effect("get", "", "", "", "", ""),)


@pytest.mark.parametrize(
    ("spelled", "name"),
    [
        ("s", "s"),
        ("s:80", "s"),
        ("s:http", "s"),
        ("http:s:80", "s"),
        ("https:s:", "s"),
        (":s:", "s"),
        ("a:b:c:d", "a:b:c:d"),
    ],
)
def test_a_proxied_name_is_known_in_every_spelling(spelled: str, name: str) -> None:
    assert of("GET", f"/api/v1/namespaces/a/services/{spelled}/proxy/x") == (
        Effect("proxy", "", "services", "", "a", name),
    )


@given(
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]),
    st.sampled_from(["/api/v1/", "/apis/apps/v1/", "/api/v1/namespaces/a/", f"/apis/{RBAC}/v1/"]),
    st.lists(
        st.sampled_from(["pods", "roles", "exec", "proxy", "token", "serviceaccounts", "x"]), min_size=1, max_size=4
    ),
    st.sampled_from(["", "application/apply-patch+yaml"]),
)
def test_no_request_is_without_effect_and_every_verb_is_one_that_roles_know(
    method: str, head: str, segments: list[str], content_type: str
) -> None:
    if segments[0] == "proxy":
        segments = ["pods", *segments]
    found = of(method, head + "/".join(segments), content_type)
    assert found
    assert {effect.verb for effect in found} <= KUBERNETES_VERBS | OWN_VERBS
