"""The API server's own audit log names the person behind the proxy's account."""

import http.client
import json
import ssl
import urllib.parse
import uuid
from collections.abc import Callable

import pytest

from tests.e2e.cluster import Cluster

pytestmark = [pytest.mark.cluster]
ACCOUNT = "system:serviceaccount:kubewitness:proxy"


def ask(
    cluster: Cluster,
    admin: Callable[..., str],
    headers: list[tuple[str, str]],
    account: str = "proxy",
    namespace: str = "kubewitness",
) -> int:
    """List the namespaces as the proxy's account would, with these headers besides; the status."""
    config = json.loads(cluster.kubeconfig.read_text())
    token = admin("create", "token", account, f"--namespace={namespace}").strip()
    address = urllib.parse.urlsplit(config["clusters"][0]["cluster"]["server"]).netloc
    context = ssl.create_default_context(cafile=config["clusters"][0]["cluster"]["certificate-authority"])
    connection = http.client.HTTPSConnection(address, timeout=10, context=context)
    connection.putrequest("GET", "/api/v1/namespaces")
    for name, value in [("Authorization", f"Bearer {token}"), *headers]:
        connection.putheader(name, value)
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_record_names_account_person_and_our_audit_id(cluster: Cluster, admin: Callable[..., str]) -> None:
    if cluster.audit_log is None:
        pytest.skip("the audit log of the cluster that KWIT_E2E_KUBECONFIG names cannot be read from here")
    audit_id = str(uuid.uuid4())
    person = [("Impersonate-User", "alice"), ("Impersonate-Group", "kwit-e2e-developers")]
    login = ("Impersonate-Extra-Kubewitness.dev%2flogin", "login-1")
    assert ask(cluster, admin, [("Audit-ID", audit_id), *person, login]) == http.HTTPStatus.OK
    events = [json.loads(line) for line in cluster.audit_log.read_text().splitlines()]
    (event,) = (one for one in events if one["auditID"] == audit_id and one["stage"] == "ResponseComplete")
    assert event["user"]["username"] == ACCOUNT
    assert event["impersonatedUser"] == {
        "username": "alice",
        "groups": ["kwit-e2e-developers", "system:authenticated"],
        "extra": {"kubewitness.dev/login": ["login-1"]},
    }


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="nobody impersonated"),
        pytest.param(
            [("Impersonate-User", "alice"), ("Impersonate-Group", "system:masters")], id="a group not granted"
        ),
        pytest.param([("Impersonate-User", "alice"), ("Impersonate-Extra-Other", "x")], id="an extra key not granted"),
    ],
)
def test_the_account_can_do_no_more_than_it_was_granted(
    headers: list[tuple[str, str]], cluster: Cluster, admin: Callable[..., str]
) -> None:
    assert ask(cluster, admin, headers) == http.HTTPStatus.FORBIDDEN
