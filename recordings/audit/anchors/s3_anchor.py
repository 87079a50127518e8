"""Checkpoints as objects of a bucket: `<prefix>/<origin>/<size>`, each one new, so that none is written over.

With `retain_seconds` each object is locked in COMPLIANCE mode (S3 Object Lock): nobody can remove it before, not even
who has our key. The bucket must have been made with Object Lock.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import md5

from recordings.audit.anchors.anchor import AnchorError, Published, file_stem
from recordings.audit.anchors.outbound import Message, Outbound, expect_success
from recordings.audit.anchors.signature_v4 import AccessKey, encoded_path, signed_headers

_CODE = re.compile(rb"<Code>([A-Za-z]{1,64})</Code>")
MENDS = {
    "AccessDenied": "the key needs s3:PutObject, and with `retain` s3:PutObjectRetention, on the bucket's objects",
    "InvalidAccessKeyId": "`access_key_id` is not known there",
    "InvalidRequest": "with `retain` the bucket must be there, and have been made with Object Lock",
    "NoSuchBucket": "`bucket` is not there",
    "ObjectLockConfigurationNotFoundError": "with `retain` the bucket must have been made with Object Lock",
    "RequestTimeTooSkewed": "this machine's clock is more than a quarter of an hour from the store's",
    "SignatureDoesNotMatch": "what `secret_key_file` holds is not the secret of `access_key_id`",
}
"""What to do, by the error's code (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html)."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """`endpoint`: scheme and host, as https://s3.eu-central-1.amazonaws.com; the bucket stands in the path."""

    endpoint: str
    name: str
    prefix: str
    retain_seconds: int | None = None


class S3Anchor:
    """`Anchor` in a bucket. `key` gives the access key of now, `clock` UTC seconds; `key` may raise AnchorError."""

    def __init__(
        self,
        bucket: Bucket,
        outbound: Outbound,
        *,
        key: Callable[[], AccessKey],
        clock: Callable[[], float],
        every: float = 1.0,
    ) -> None:
        self.name, self.every = f"s3:{bucket.name}/{bucket.prefix}", every
        self._bucket, self._outbound, self._key, self._clock = bucket, outbound, key, clock

    async def publish(self, checkpoint: Published) -> None:
        answer = await self._outbound.send(put(self._bucket, self._key(), checkpoint, self._clock()))
        code = _CODE.search(answer.body)
        if answer.status >= 300 and code is not None and code[1].decode() in MENDS:
            raise AnchorError(f"it answered {answer.status} {code[1].decode()}: {MENDS[code[1].decode()]}")
        expect_success(answer)

    async def close(self) -> None:
        await self._outbound.close()


def put(bucket: Bucket, key: AccessKey, checkpoint: Published, now: float) -> Message:
    """The request that stores it."""
    body = checkpoint.note.encode()
    name = f"{bucket.prefix}/{file_stem(checkpoint.origin)}/{checkpoint.size:020d}".lstrip("/")
    url = bucket.endpoint.rstrip("/") + encoded_path(f"/{bucket.name}/{name}")
    headers = {"Content-Type": "text/plain; charset=utf-8"}
    if bucket.retain_seconds is not None:
        until = datetime.fromtimestamp(now + bucket.retain_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        headers |= {"x-amz-object-lock-mode": "COMPLIANCE", "x-amz-object-lock-retain-until-date": until}
        # S3 demands a checksum of the body where a lock is asked for; this one every store knows
        headers["Content-MD5"] = b64encode(md5(body, usedforsecurity=False).digest()).decode()
    return Message("PUT", url, signed_headers(key, "PUT", url, headers, body=body, now=now), body)
