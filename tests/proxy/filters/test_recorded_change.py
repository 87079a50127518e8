"""Claims about the annotations of a change that need no data plane (`tests/proxy/test_object_before.py`)."""

from __future__ import annotations

import json

from auth.identity import Credential
from proxy.context import RequestContext
from proxy.filters.recorded_change import change_of
from proxy.filters.request_info import request_info
from proxy.http1 import parse_request_head
from proxy.object_before import Before
from recordings.audit.bodies.body import Body
from recordings.audit.bodies.redaction import Redaction

KEY = b"k" * 32
SECRET = {
    "kind": "Secret",
    "metadata": {"name": "s", "uid": "u", "resourceVersion": "1"},
    "data": {"same": "c2FtZQ==", "other": "b2xk"},
}


def context(before: Before | None) -> RequestContext:
    head = parse_request_head(b"PATCH /api/v1/namespaces/n/secrets/s HTTP/1.1\r\nHost: h\r\n\r\n")
    credential = Credential("i", "c", "l", "s", 0.0, 0.0, "f")  # type: ignore[arg-type]
    made = RequestContext(head, credential, "192.0.2.1", 0.0, 0.0, "id", before=before)
    assert request_info(made) is None
    return made


def test_values_of_secrets_are_the_hashes_that_stand_for_them_everywhere() -> None:
    redaction = Redaction(KEY)
    body = Body(json.dumps(SECRET).encode(), 1, "application/json")
    after = redaction.of({**SECRET, "data": {"same": "c2FtZQ==", "other": "bmV3"}}, "secrets")
    found = change_of(context(Before(body)), 200, after, redaction, KEY)
    patch = json.loads(found["kubewitness.dev/change"])
    assert [one["path"] for one in patch] == ["/data/other", "/data/other"]
    assert patch[0]["value"] == redaction.of(SECRET, "secrets")["data"]["other"]


def test_what_was_not_read_or_not_done_says_nothing() -> None:
    redaction = Redaction(KEY)
    assert change_of(context(None), 200, {}, redaction, KEY) == {}
    assert change_of(context(Before()), None, {}, redaction, KEY) == {}
    assert change_of(context(Before()), 404, {}, redaction, KEY) == {}
