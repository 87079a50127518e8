"""A log that lies in a bucket, brought here to be read: the objects below a prefix, as files of a folder.

They are what somebody copied there with their names: `<prefix>/<writer>/<file>`, or one writer's `<prefix>/<file>`. No
name from the bucket leaves the folder, and no answer is trusted: what was fetched is for the verifier to judge.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import aiohttp
from yarl import URL

from recordings.audit.anchors.signature_v4 import AccessKey, encoded_path, encoded_query, signed_headers
from recordings.errors import RecordingsError

MAX_OBJECTS = 100_000
"""A year of a segment each five minutes."""
MAX_LISTING_BYTES = 4 << 20
"""Of one page: a thousand names of at most a kilobyte, with what stands around them."""
SILENCE_SECONDS = 30.0
"""Without a byte; a large object takes as long as it takes."""
BLOCK_BYTES = 1 << 20
DEPTH = 2
"""A writer's folder, and a file in it."""

_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,254}")
_PLACE = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([!-~]{0,900}))?")
_CODE = re.compile(rb"<Code>([A-Za-z]{1,64})</Code>")
_MENDS = {
    "AccessDenied": "the key needs s3:ListBucket on the bucket and s3:GetObject on its objects",
    "InvalidAccessKeyId": "AWS_ACCESS_KEY_ID is not known there",
    "NoSuchBucket": "there is no such bucket",
    "RequestTimeTooSkewed": "this machine's clock is more than a quarter of an hour from the store's",
    "SignatureDoesNotMatch": "AWS_SECRET_ACCESS_KEY is not the secret of AWS_ACCESS_KEY_ID",
}


class BucketError(RecordingsError):
    """The bucket cannot be read; the message says why, and what to do where that is known."""


@dataclass(frozen=True, slots=True)
class BucketPlace:
    """`prefix` without slashes around it; empty: the whole bucket."""

    name: str
    prefix: str

    @classmethod
    def parse(cls, text: str) -> BucketPlace:
        """Of `s3://BUCKET/PREFIX`. Raises BucketError."""
        found = _PLACE.fullmatch(text)
        if found is None:
            raise BucketError(f"{text[:200]} is not s3://BUCKET/PREFIX")
        return cls(found[1], (found[2] or "").strip("/"))


@dataclass(frozen=True, slots=True)
class LogObject:
    """An object that may be a log's file: its key, where it goes below the folder, its size in bytes."""

    key: str
    file: tuple[str, ...]
    size: int


class BucketLog:
    """`listed`, then `fetch` for each; `close` at the end. `clock` gives UTC seconds."""

    def __init__(
        self, endpoint: str, place: BucketPlace, key: AccessKey, *, token: str = "", clock: Callable[[], float]
    ) -> None:
        """`endpoint`: scheme and host; the bucket stands in the path. `token`: of temporary keys."""
        self._url = endpoint.rstrip("/")
        self._place, self._key, self._token, self._clock = place, key, token, clock
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10.0, sock_read=SILENCE_SECONDS)
        self._client = aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)

    async def close(self) -> None:
        await self._client.close()

    async def listed(self) -> list[LogObject]:
        """Raises BucketError."""
        found: list[LogObject] = []
        prefix = f"{self._place.prefix}/" if self._place.prefix else ""
        query = {"list-type": "2", "prefix": prefix}
        while True:
            page = b"".join([block async for block in self._get("", MAX_LISTING_BYTES, **query)])
            objects, query["continuation-token"] = read_page(page, prefix)
            found += objects
            if len(found) > MAX_OBJECTS:
                raise BucketError(f"there are more than {MAX_OBJECTS:,} objects; name a writer's prefix")
            if not query["continuation-token"]:
                return found

    async def fetch(self, one: LogObject, folder: Path, progress: Callable[[int], None]) -> None:
        """Raises BucketError, OSError; FileExistsError where two objects have one name."""
        path = folder.joinpath(*one.file)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            async for block in self._get(one.key, one.size):
                file.write(block)
                progress(len(block))

    async def _get(self, key: str, limit: int, **query: str) -> AsyncIterator[bytes]:
        path = encoded_path(f"/{self._place.name}/{key}" if key else f"/{self._place.name}")
        url = f"{self._url}{path}" + (f"?{encoded_query(**query)}" if query else "")
        headers = {"x-amz-security-token": self._token} if self._token else {}
        signed = signed_headers(self._key, "GET", url, headers, body=b"", now=self._clock())
        try:
            async with self._client.get(URL(url, encoded=True), headers=signed, allow_redirects=False) as answer:
                if answer.status != 200:
                    raise BucketError(_refusal(answer.status, await answer.content.read(MAX_LISTING_BYTES)))
                async for block in answer.content.iter_chunked(BLOCK_BYTES):
                    limit -= len(block)
                    if limit < 0:
                        raise BucketError(f"{key or 'a page of names'} is longer than it may be")
                    yield block
        except TimeoutError as error:
            raise BucketError(f"{urlsplit(self._url).netloc} is silent for {SILENCE_SECONDS:g} s") from error
        except aiohttp.ClientError as error:
            raise BucketError(str(error)[:200] or type(error).__name__) from error


def read_page(page: bytes, prefix: str) -> tuple[list[LogObject], str]:
    """(the objects that may be a log's, the token of the next page or nothing). Raises BucketError.

    ListObjectsV2, https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html. Folders, deeper names and
    names that no file of a log has are passed over.
    """
    try:
        root = ET.fromstring(page)  # noqa: S314 - bounded, and expat itself refuses to expand without end
    except ET.ParseError as error:
        raise BucketError(f"what lists the bucket cannot be read: {error}") from error
    space = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
    objects = []
    for entry in root.iter(f"{space}Contents"):
        key, size = entry.findtext(f"{space}Key", ""), entry.findtext(f"{space}Size", "")
        file = tuple(key.removeprefix(prefix).split("/"))
        if key.startswith(prefix) and len(file) <= DEPTH and all(map(_FILE.fullmatch, file)) and size.isdecimal():
            objects.append(LogObject(key, file, int(size)))
    more = root.findtext(f"{space}IsTruncated", "false") == "true"
    return objects, root.findtext(f"{space}NextContinuationToken", "") if more else ""


def _refusal(status: int, body: bytes) -> str:
    code = _CODE.search(body)
    word = code[1].decode() if code is not None else ""
    mend = f": {_MENDS[word]}" if word in _MENDS else ""
    return f"it answered {status}{' ' if word else ''}{word}{mend}"
