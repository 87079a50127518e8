import json

import pytest

from auth.errors import Reason
from proxy.status import Refusal, response, wants_text

DENIED = Refusal(Reason.DENIED, "no é")


def parts(data):
    head, _, body = data.partition(b"\r\n\r\n")
    return head.decode().split("\r\n"), body


def test_a_refusal_is_a_status_that_kubectl_reads():
    head, body = parts(response(DENIED, b"id-1", head_only=False, close=False))
    assert head == [
        "HTTP/1.1 403 Forbidden",
        "content-type: application/json",
        "x-content-type-options: nosniff",
        "cache-control: no-store",
        f"content-length: {len(body)}",
        "audit-id: id-1",
    ]
    assert json.loads(body) == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "no é",
        "reason": "Forbidden",
        "code": 403,
    }


def test_one_that_can_be_tried_again_says_when_and_one_that_closes_says_so():
    refusal = Refusal(Reason.LOG_UNAVAILABLE, "full", retry_after_seconds=5)
    head, body = parts(response(refusal, b"id-1", head_only=False, close=True))
    assert head[0] == "HTTP/1.1 503 ServiceUnavailable"
    assert head[-2:] == ["retry-after: 5", "connection: close"]
    assert json.loads(body)["details"] == {"retryAfterSeconds": 5}


def test_an_answer_to_head_has_the_length_and_no_body():
    whole, body = parts(response(DENIED, b"id-1", head_only=False, close=False))
    assert parts(response(DENIED, b"id-1", head_only=True, close=False)) == (whole, b"")
    assert body


def test_as_text_it_is_the_sentence_alone():
    head, body = parts(response(DENIED, b"id-1", head_only=False, close=False, text=True))
    assert body == "no é\n".encode()
    assert head[1] == "content-type: text/plain; charset=utf-8"
    assert head[4] == f"content-length: {len(body)}"


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (b"/api", True),
        (b"/api?timeout=32s", True),
        (b"/apis/", True),
        (b"/clusters/staging/api?timeout=32s", True),
        (b"/clusters/staging/apis", True),
        (b"/openapi/v2?timeout=32s", True),
        (b"/openapi/v3/apis/apps/v1?hash=1", True),
        (b"/version", True),
        (b"/api/v1", False),
        (b"/apis/apps/v1?timeout=32s", False),
        (b"/api/v1/namespaces/default/pods", False),
        (b"/clusters/staging/api/v1/pods", False),
        (b"/clusters/a/b/api", False),
        (b"/apiserver", False),
        (b"/healthz", False),
        (b"/x/api", False),
    ],
)
def test_text_is_for_what_client_go_reads_raw(target, text):
    assert wants_text(target) is text


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_an_error_of_some_code(reason):
    refusal = Refusal(reason, "x")
    assert 400 <= refusal.code < 600
    assert refusal.status_reason
