"""Claims about records as Events."""

from __future__ import annotations

from typing import Any

import pytest

from recordings.audit.native_event import native_event

OWN: dict[str, Any] = {
    "v": 1,
    "seq": 3,
    "id": "id-3",
    "time": "2026-01-02T03:04:05.123456Z",
    "type": "cert.refuse",
    "outcome": "refused",
    "cluster": "prod",
    "actor": {"username": "ada@example.com"},
    "login": "l1",
    "source": "10.0.0.1",
    "body": {"reason": "locked"},
}


def test_a_requests_event_is_its_own() -> None:
    event = {"kind": "Event", "auditID": "a"}
    assert native_event({"type": "kube.request", "event": event}) == event


def test_a_record_of_our_own_is_an_event_of_a_path_that_no_api_server_has() -> None:
    assert native_event(OWN) == {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": "id-3",
        "stage": "ResponseComplete",
        "requestURI": "/kubewitness.dev/v1/cert.refuse",
        "verb": "create",
        "user": {"username": "ada@example.com"},
        "sourceIPs": ["10.0.0.1"],
        "responseStatus": {"metadata": {}, "code": 403},
        "requestReceivedTimestamp": "2026-01-02T03:04:05.123456Z",
        "stageTimestamp": "2026-01-02T03:04:05.123456Z",
        "annotations": {
            "kubewitness.dev/type": "cert.refuse",
            "kubewitness.dev/outcome": "refused",
            "authorization.k8s.io/decision": "forbid",
            "cluster_name": "prod",
            "kubewitness.dev/login": "l1",
            "kubewitness.dev/body": '{"reason":"locked"}',
        },
    }


@pytest.mark.parametrize(("outcome", "code"), [("done", 200), ("failed", 500), ("refused", 403)])
def test_its_code_says_what_came_of_it(outcome: str, code: int) -> None:
    event = native_event({"id": "x", "type": "log.suspect", "outcome": outcome})
    assert event["responseStatus"]["code"] == code
    assert (event["user"], event["sourceIPs"]) == ({}, [])
