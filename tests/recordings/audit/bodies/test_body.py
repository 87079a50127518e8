import gzip
import json

import pytest

from recordings.audit.bodies.body import MAX_BODY_BYTES, Body, viewed
from recordings.audit.bodies.redaction import Redaction
from recordings.audit.redact import keyed_hash

KEY = b"k" * 32
POD = {"kind": "Pod", "metadata": {"name": "web"}}
JSON = "application/json"


def view(payload: bytes | None, content_type: str = JSON, encoding: str = "", size: int | None = None):
    body = Body(payload, len(payload or b"") if size is None else size, content_type, encoding)
    return viewed(body, Redaction(KEY), KEY, "pods")


def test_no_body_is_nothing():
    assert view(b"") == (None, False)


@pytest.mark.parametrize(
    "content_type",
    [JSON, "application/json; charset=utf-8", "application/merge-patch+json", "application/apply-patch+yaml", ""],
)
def test_json_is_shown_as_the_object_that_it_is(content_type):
    assert view(json.dumps(POD).encode(), content_type) == (POD, False)


def test_compressed_json_is_shown_too():
    assert view(gzip.compress(json.dumps(POD).encode()), encoding="gzip") == (POD, False)


@pytest.mark.parametrize(
    ("payload", "content_type", "media"),
    [
        (b"k8s\x00\x0a\x00", "application/vnd.kubernetes.protobuf", "application/vnd.kubernetes.protobuf"),
        (b"kind: Pod\n", "application/apply-patch+yaml", "application/apply-patch+yaml"),
        (b"{", JSON, JSON),
    ],
)
def test_what_cannot_be_read_is_named_by_type_size_and_hash(payload, content_type, media):
    digest = keyed_hash(payload.decode("latin-1"), KEY)
    expected = {"kubewitness.dev/body": {"contentType": media, "bytes": len(payload), "hash": f"hmac:{digest}"}}
    assert view(payload, content_type) == (expected, False)


def test_what_is_too_large_or_no_gzip_is_truncated():
    assert view(None, size=MAX_BODY_BYTES * 4) == (None, True)
    assert view(b"x" * (MAX_BODY_BYTES + 1)) == (None, True)
    assert view(gzip.compress(b"x" * (MAX_BODY_BYTES + 1)), encoding="gzip") == (None, True)
    assert view(b"no gzip", encoding="gzip") == (None, True)
    assert view(gzip.compress(b"{}" * 99)[:-9], encoding="gzip") == (None, True)
    assert view(b"{}", encoding="zstd") == (None, True)
