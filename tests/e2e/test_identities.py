"""Whom a real API server sees in the lines that we write: the very person, name by name."""

import contextlib
import http.client
import json
import ssl
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from proxy.impersonation import Impersonation, lines
from tests.e2e.cluster import Cluster, ControlPlane
from tests.proxy.drawn_identities import IDENTITIES

pytestmark = [pytest.mark.cluster]
REVIEW = b'{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}'
PATH = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


@contextlib.contextmanager
def connected(kubeconfig: Path) -> Iterator[http.client.HTTPSConnection]:
    """As the administrator, who may impersonate anybody."""
    config = json.loads(kubeconfig.read_text())
    server, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    context = ssl.create_default_context(cafile=server["certificate-authority"])
    context.load_cert_chain(user["client-certificate"], user["client-key"])
    connection = http.client.HTTPSConnection(
        urllib.parse.urlsplit(server["server"]).netloc, timeout=10, context=context
    )
    yield connection
    connection.close()


def seen_by(connection: http.client.HTTPSConnection, impersonation: Impersonation) -> dict[str, Any]:
    """The user as the API server tells it; the lines go out byte for byte as `proxy.impersonation` wrote them."""
    connection.putrequest("POST", PATH)
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(len(REVIEW)))
    for line in lines(impersonation).split(b"\r\n")[:-1]:
        name, _, value = line.partition(b": ")
        connection.putheader(name.decode(), value)
    connection.endheaders(REVIEW)
    answer = connection.getresponse()
    body = json.loads(answer.read())
    assert answer.status == http.HTTPStatus.CREATED, body
    return dict(body["status"]["userInfo"])


def test_the_api_server_sees_whom_we_mean(cluster: Cluster) -> None:
    if not isinstance(cluster, ControlPlane):
        pytest.skip("the cluster that KWIT_E2E_KUBECONFIG names may prove us by something else than certificate files")
    with connected(cluster.kubeconfig) as connection:

        @settings(max_examples=200, deadline=None)
        @given(IDENTITIES)
        def told(impersonation: Impersonation) -> None:
            user = seen_by(connection, impersonation)
            assert (user["username"], tuple(user["groups"]), user.get("uid"), user["extra"]) == (
                impersonation.user,
                (*impersonation.groups, "system:authenticated"),
                impersonation.uid,
                {key: [value] for key, value in impersonation.extra},
            )

        told()
