"""Claims about a log in a bucket; tests/e2e/test_object_store.py asks a real store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from recordings.audit.anchors.signature_v4 import AccessKey
from recordings.audit.bucket_log import BucketError, BucketLog, BucketPlace, LogObject, read_page

KEY = AccessKey("id", "secret", "eu-central-1")
PAGE = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix>logs/</Prefix>
{entries}<IsTruncated>{more}</IsTruncated>{token}</ListBucketResult>"""


def page(*names: str, token: str = "") -> bytes:
    entries = "".join(f"<Contents><Key>{name}</Key><Size>3</Size></Contents>" for name in names)
    element = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    return PAGE.format(entries=entries, more=str(bool(token)).lower(), token=element).encode()


def test_a_page_gives_what_may_be_a_logs_files_and_where_the_next_begins() -> None:
    names = (
        "logs/node-0/keys",
        "logs/00000000000000000001.ndjson",
        "logs/",
        "logs/a/b/c",
        "other/keys",
        "logs/node-0/",
    )
    assert read_page(page(*names, token="t/1="), "logs/") == (
        [
            LogObject("logs/node-0/keys", ("node-0", "keys"), 3),
            LogObject("logs/00000000000000000001.ndjson", ("00000000000000000001.ndjson",), 3),
        ],
        "t/1=",
    )


@pytest.mark.parametrize("name", ["logs/../keys", "logs/./keys", "logs//keys", "logs/.keys", "logs/a\\b", "logs/-rf"])
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    assert read_page(page(name), "logs/") == ([], "")


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff"])
def test_what_is_no_list_is_said(body: bytes) -> None:
    with pytest.raises(BucketError, match="cannot be read"):
        read_page(body, "")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("s3://archive", BucketPlace("archive", "")),
        ("s3://archive/", BucketPlace("archive", "")),
        ("s3://my.archive/kwit/prod/", BucketPlace("my.archive", "kwit/prod")),
    ],
)
def test_a_place_is_a_bucket_and_a_prefix(text: str, place: BucketPlace) -> None:
    assert BucketPlace.parse(text) == place


@pytest.mark.parametrize("text", ["s3://", "s3:///x", "s3://A", "s3://a b/c", "https://archive/x"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(BucketError, match="is not s3://BUCKET/PREFIX"):
        BucketPlace.parse(text)


class Store:
    """Two pages of names; each object holds its own name's last three characters."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.status, self.body = 200, b""

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append((request.raw_path, request.headers.get("x-amz-security-token", "")))
        if self.body:
            return web.Response(status=self.status, body=self.body)
        if "list-type" not in request.query:
            return web.Response(body=request.path[-3:].encode())
        if "continuation-token" in request.query:
            return web.Response(body=page("logs/b/keys"))
        return web.Response(body=page("logs/a/keys", token="more"))


@pytest.fixture
async def store() -> AsyncIterator[tuple[Store, BucketLog]]:
    found, app = Store(), web.Application()
    app.router.add_route("*", "/{rest:.*}", found.handle)
    server = TestServer(app)
    await server.start_server()
    log = BucketLog(
        f"http://127.0.0.1:{server.port}",
        BucketPlace("archive", "logs"),
        KEY,
        token="tmp",
        clock=lambda: 1_700_000_000.0,
    )
    yield found, log
    await log.close()
    await server.close()


async def test_every_page_is_read_and_every_object_fetched(store: tuple[Store, BucketLog], tmp_path: Path) -> None:
    fake, log = store
    objects = await log.listed()
    read: list[int] = []
    for one in objects:
        await log.fetch(one, tmp_path, read.append)
    assert {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("keys")} == {
        "a/keys": b"eys",
        "b/keys": b"eys",
    }
    assert read == [3, 3]
    assert fake.asked == [
        ("/archive?list-type=2&prefix=logs%2F", "tmp"),
        ("/archive?list-type=2&prefix=logs%2F&continuation-token=more", "tmp"),
        ("/archive/logs/a/keys", "tmp"),
        ("/archive/logs/b/keys", "tmp"),
    ]


async def test_an_object_that_is_longer_than_it_was_said_to_be_is_refused(
    store: tuple[Store, BucketLog], tmp_path: Path
) -> None:
    fake, log = store
    fake.body = b"four"
    with pytest.raises(BucketError, match="longer than it may be"):
        await log.fetch(LogObject("logs/a/keys", ("a", "keys"), 3), tmp_path, lambda _: None)


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (403, "AccessDenied", "it answered 403 AccessDenied: the key needs s3:ListBucket"),
        (404, "NoSuchBucket", "it answered 404 NoSuchBucket: there is no such bucket"),
        (500, "InternalError", "it answered 500 InternalError$"),
    ],
)
async def test_a_refusal_says_what_to_do(store: tuple[Store, BucketLog], status: int, code: str, says: str) -> None:
    fake, log = store
    fake.status, fake.body = status, f"<Error><Code>{code}</Code></Error>".encode()
    with pytest.raises(BucketError, match=says):
        await log.listed()
