"""Constrained impersonation (KEP-5284): the API server itself keeps our account from what no role of ours may send."""

from __future__ import annotations

import http
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.installation import Installation
from tests.e2e.test_attribution import ask

pytestmark = [pytest.mark.cluster, pytest.mark.kubectl]


class Constrained(Installation):
    namespace = "kwit-constrained"
    manifest = ("--constrained",)


@pytest.fixture(scope="module")
def constrained(
    cluster: Cluster, admin: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Constrained]:
    """A kwit whose account was prepared with `kwit cluster manifest --constrained`."""
    with Constrained(tmp_path_factory.mktemp("constrained"), cluster, admin) as constrained:
        yield constrained


def test_people_work_through_it(constrained: Installation, kubectls: dict[int, Path], tmp_path: Path) -> None:
    alice = constrained.sign_in("alice", "default", tmp_path)
    kubectl = kubectls[max(kubectls)]
    assert alice.run(kubectl, ("get", "configmaps", "-o", "name")).code == 0
    assert alice.run(kubectl, ("create", "configmap", "made")).out == "configmap/made created\n"
    assert alice.run(kubectl, ("delete", "configmap", "made")).code == 0
    assert alice.run(kubectl, ("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")).out == "USER"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([("Impersonate-User", "alice"), ("Impersonate-Group", "system:masters")], id="masters"),
        pytest.param([("Impersonate-User", "system:node:one"), ("Impersonate-Group", "system:nodes")], id="a node"),
        pytest.param([("Impersonate-User", "system:serviceaccount:kube-system:default")], id="a service account"),
        pytest.param([("Impersonate-User", "alice"), ("Impersonate-Group", "another")], id="a group no role sends"),
    ],
)
def test_a_stolen_token_is_worth_no_more(
    headers: list[tuple[str, str]], constrained: Installation, cluster: Cluster, admin: Callable[..., str]
) -> None:
    assert ask(cluster, admin, headers, account="kwit", namespace=constrained.namespace) == http.HTTPStatus.FORBIDDEN
