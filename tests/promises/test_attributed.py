"""Promise 1, Attributed: a durable record before every effect, naming person, login, certificate, role and rule."""

from __future__ import annotations

import errno
import os
import ssl

import pytest

from tests.promises.conftest import Upstream
from tests.proxy.running import Running

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
WRITES = [
    ("POST", CONFIGMAPS, "create"),
    ("PUT", CONFIGMAPS + "/settings", "update"),
    ("PATCH", CONFIGMAPS + "/settings", "patch"),
    ("DELETE", CONFIGMAPS + "/settings", "delete"),
    ("DELETE", CONFIGMAPS, "deletecollection"),
]


@pytest.mark.parametrize(("method", "path", "verb"), WRITES)
async def test_the_record_of_a_write_is_there_before_the_api_server_hears_of_it(
    method: str, path: str, verb: str, running: Running, upstream: Upstream, ask, ada: ssl.SSLContext
) -> None:
    answer = await ask(method, path, json={"kind": "ConfigMap"})
    assert answer.status == 200
    (seen,) = upstream.seen
    (intent,) = seen.records
    (issued,) = running.records("cert.issue")
    assert intent["outcome"] == "intent"
    assert intent["actor"] == {
        "connector": "corp",
        "issuer": running.config.connectors[0].issuer,  # type: ignore[union-attr]
        "subject": "u-1",
        "username": "ada@example.com",
    }
    assert intent["login"] == running.engineer.login_id
    event = intent["event"]
    assert (event["auditID"], event["verb"], event["stage"]) == (seen.header("audit-id")[0], verb, "RequestReceived")
    assert event["user"]["username"] == "ada@example.com"
    assert event["user"]["extra"]["kubewitness.dev/login"] == [running.engineer.login_id]
    assert event["user"]["extra"]["kubewitness.dev/certificate"] == [issued["body"]["serial"]]
    assert event["annotations"]["kubewitness.dev/role"] == "developer"
    assert event["annotations"]["kubewitness.dev/rule"] == "allow[0]"
    assert event["annotations"]["authorization.k8s.io/decision"] == "allow"


@pytest.mark.parametrize(("method", "path", "verb"), WRITES)
async def test_a_write_whose_record_is_not_durable_never_reaches_the_api_server(
    method: str, path: str, verb: str, running: Running, upstream: Upstream, ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lies(_fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    assert running.app.kube is not None
    monkeypatch.setattr(running.app.kube.writer.log._disk, "sync", lies)
    answer = await ask(method, path, json={"kind": "ConfigMap"})
    assert (answer.status, upstream.seen) == (503, []), verb
    assert "nothing is done without a record" in answer.message or "try again" in answer.message


@pytest.mark.parametrize(
    ("method", "path", "reason", "status"),
    [
        ("GET", "/api/v1/namespaces/default/secrets/root", "denied", 403),
        ("GET", "/api/v1/namespaces/other/pods", "denied", 403),
        ("DELETE", "/api/v1/nodes/one", "denied", 403),
        ("GET", "/clusters/prod/api/v1/pods", "wrong_cluster", 403),
        ("GET", "/api/v1/pods/../secrets", "bad_request", 400),
        ("GET", "/metrics", "denied", 403),
    ],
)
async def test_every_refusal_has_a_record_with_the_reason_and_the_person(
    method: str, path: str, reason: str, status: int, running: Running, upstream: Upstream, ask
) -> None:
    answer = await ask(method, path)
    (record,) = running.records("kube.request")
    assert (answer.status, upstream.seen) == (status, [])
    assert record["outcome"] == "refused"
    assert record["event"]["annotations"]["kubewitness.dev/refused"] == reason
    assert record["event"]["responseStatus"]["code"] == status
    assert record["actor"]["username"] == "ada@example.com"
    assert record["login"] == running.engineer.login_id


async def test_the_api_server_is_told_who_it_is_by_name_login_and_certificate(
    running: Running, upstream: Upstream, ask
) -> None:
    await ask("GET", "/api/v1/nodes")
    (seen,) = upstream.seen
    (issued,) = running.records("cert.issue")
    (login,) = (login for login in running.app.in_force.live._logins.values())
    told = sorted((name.lower(), value) for name, value in seen.headers if name.lower().startswith("impersonate-"))
    assert told == [
        ("impersonate-extra-kubewitness.dev%2fcertificate", issued["body"]["serial"]),
        ("impersonate-extra-kubewitness.dev%2flogin", running.engineer.login_id),
        ("impersonate-group", "kwit:readers"),
        ("impersonate-uid", login.identity.uid),
        ("impersonate-user", "ada@example.com"),
    ]
