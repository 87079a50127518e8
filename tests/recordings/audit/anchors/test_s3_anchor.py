"""Claims about checkpoints in a bucket."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from aiohttp import web

from recordings.audit.anchors.anchor import AnchorError
from recordings.audit.anchors.outbound import Outbound
from recordings.audit.anchors.s3_anchor import Bucket, S3Anchor, put
from recordings.audit.anchors.signature_v4 import AccessKey
from tests.recordings.audit.anchors.conftest import Place, checkpoint

KEY = AccessKey("id", "secret", "eu-central-1")
BUCKET = Bucket("https://s3.example.com/", "logs", "kwit/prod")
NOW = 1_700_000_000.0


def test_each_checkpoint_is_an_object_of_its_own() -> None:
    message = put(BUCKET, KEY, checkpoint(7), NOW)
    assert message.method == "PUT"
    assert message.url == f"https://s3.example.com/logs/kwit/prod/acme__host-0/{7:020d}"
    assert message.body.decode() == checkpoint(7).note
    assert "x-amz-object-lock-mode" not in message.headers
    assert put(replace(BUCKET, prefix=""), KEY, checkpoint(7), NOW).url.startswith("https://s3.example.com/logs/acme")


def test_an_object_is_locked_for_as_long_as_it_shall_be_kept_and_that_is_signed() -> None:
    message = put(replace(BUCKET, retain_seconds=86_400), KEY, checkpoint(7), NOW)
    assert message.headers["x-amz-object-lock-mode"] == "COMPLIANCE"
    assert message.headers["x-amz-object-lock-retain-until-date"] == "2023-11-15T22:13:20Z"
    assert len(message.headers["Content-MD5"]) == 24
    signed = message.headers["Authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    assert {"content-md5", "host", "x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date"} <= set(signed)


async def test_what_was_signed_is_what_is_sent(place: Place) -> None:
    bucket = Bucket(place.url, "logs", "p")
    anchor = S3Anchor(bucket, Outbound(None), key=lambda: KEY, clock=lambda: NOW)
    await anchor.publish(checkpoint(7))
    await anchor.close()
    wanted = put(bucket, KEY, checkpoint(7), NOW)
    ((method, path, headers, body),) = place.seen
    assert (method, place.url + path, body) == (wanted.method, wanted.url, wanted.body)
    assert {name.lower(): value for name, value in wanted.headers.items()}.items() <= headers.items()


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (403, "AccessDenied", "it answered 403 AccessDenied: the key needs s3:PutObject"),
        (404, "NoSuchBucket", "it answered 404 NoSuchBucket: `bucket` is not there"),
        (500, "InternalError", "it answered 500: <Error><Code>InternalError</Code></Error>"),
    ],
)
async def test_a_refusal_says_what_to_do(place: Place, status: int, code: str, says: str) -> None:
    place.answers.append(web.Response(status=status, text=f"<Error><Code>{code}</Code></Error>"))
    anchor = S3Anchor(Bucket(place.url, "logs", "p"), Outbound(None), key=lambda: KEY, clock=lambda: NOW)
    with pytest.raises(AnchorError, match=re.escape(says)):
        await anchor.publish(checkpoint(7))
    await anchor.close()
