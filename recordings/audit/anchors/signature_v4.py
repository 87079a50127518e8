"""AWS Signature Version 4 for one request to S3 or what speaks like it, with its body's digest signed.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import quote, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class AccessKey:
    """Who asks. `region` is part of what is signed; other stores than Amazon's take any."""

    id: str
    secret: str = field(repr=False)
    region: str


def encoded_path(path: str) -> str:
    """As it must stand in the URL and in what is signed: all but letters, digits, `-._~` and `/` escaped."""
    return quote(path, safe="/-._~")


def encoded_query(**parameters: str) -> str:
    """As it must stand in the URL: every name with its value, also an empty one."""
    return "&".join(f"{quote(name, safe='-._~')}={quote(value, safe='-._~')}" for name, value in parameters.items())


def signed_headers(
    key: AccessKey, method: str, url: str, headers: Mapping[str, str], *, body: bytes, now: float
) -> dict[str, str]:
    """`headers` with those that sign the request. The URL is of `encoded_path` and `encoded_query`."""
    parts = urlsplit(url)
    host, path, query = parts.netloc, parts.path, "&".join(sorted(parts.query.split("&")))
    time = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    digest = sha256(body).hexdigest()
    sent = {**headers, "Host": host, "x-amz-date": time, "x-amz-content-sha256": digest}
    lower = sorted((name.lower(), " ".join(value.split())) for name, value in sent.items())
    names = ";".join(name for name, _ in lower)
    lines = "".join(f"{name}:{value}\n" for name, value in lower)
    request = f"{method}\n{path}\n{query}\n{lines}\n{names}\n{digest}"
    scope = f"{time[:8]}/{key.region}/s3/aws4_request"
    text = f"{ALGORITHM}\n{time}\n{scope}\n{sha256(request.encode()).hexdigest()}"
    signing = f"AWS4{key.secret}".encode()
    for part in (time[:8], key.region, "s3", "aws4_request"):
        signing = _hmac(signing, part)
    credential = f"Credential={key.id}/{scope},SignedHeaders={names},Signature={_hmac(signing, text).hex()}"
    return {**sent, "Authorization": f"{ALGORITHM} {credential}"}


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
