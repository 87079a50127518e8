"""Claims about the audit.k8s.io Event of a request."""

from __future__ import annotations

from dataclasses import replace

from auth.identity import Identity
from recordings.audit.event import RequestFacts, event, user_info

ADA = Identity("corp", "https://idp", "1", "ada@example.com", ("eng",))
LIST = RequestFacts(
    audit_id="a1",
    verb="list",
    request_uri="/api/v1/namespaces/shop/pods",
    user_agent="kubectl",
    source="10.0.0.1",
    received_at=1_700_000_000.0,
    is_resource_request=True,
    api_version="v1",
    resource="pods",
    namespace="shop",
)


def test_the_user_is_the_person_with_login_and_certificate_under_our_domain() -> None:
    assert user_info(ADA, {"login": "l", "certificate": "c"}) == {
        "username": "ada@example.com",
        "uid": ADA.uid,
        "groups": ["eng"],
        "extra": {"kubewitness.dev/login": ["l"], "kubewitness.dev/certificate": ["c"]},
    }


def test_an_outcome_is_a_whole_event() -> None:
    assert event(
        LIST, "ResponseComplete", 1_700_000_000.5, user={"username": "ada"}, annotations={"k": "v"}, code=200
    ) == {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": "a1",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/shop/pods",
        "verb": "list",
        "user": {"username": "ada"},
        "sourceIPs": ["10.0.0.1"],
        "userAgent": "kubectl",
        "objectRef": {"resource": "pods", "namespace": "shop", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": "2023-11-14T22:13:20.000000Z",
        "stageTimestamp": "2023-11-14T22:13:20.500000Z",
        "annotations": {"k": "v"},
    }


def test_an_intent_has_one_time_and_no_status() -> None:
    made = event(LIST, "RequestReceived", 1_700_000_001.0, user=None, annotations={})
    assert made["stageTimestamp"] == made["requestReceivedTimestamp"]
    assert "responseStatus" not in made
    assert made["user"] == {}


def test_a_refusal_is_a_failure_with_reason_and_message() -> None:
    made = event(
        replace(LIST, is_resource_request=False),
        "ResponseComplete",
        1.0,
        user=None,
        annotations={},
        code=403,
        status_reason="Forbidden",
        message="no",
    )
    assert made["responseStatus"] == {
        "metadata": {},
        "code": 403,
        "status": "Failure",
        "message": "no",
        "reason": "Forbidden",
    }
    assert "objectRef" not in made


def test_a_long_user_agent_is_cut_as_kubernetes_does() -> None:
    made = event(replace(LIST, user_agent="x" * 1025), "RequestReceived", 1.0, user=None, annotations={})
    assert made["userAgent"] == "x" * 1024 + "...TRUNCATED"


def test_who_was_impersonated_stands_beside_the_person() -> None:
    made = event(
        LIST, "RequestReceived", 1.0, user={"username": "ada"}, annotations={}, impersonated={"username": "bob"}
    )
    assert (made["user"], made["impersonatedUser"]) == ({"username": "ada"}, {"username": "bob"})
