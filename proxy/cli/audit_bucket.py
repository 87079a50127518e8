"""`s3://BUCKET/PREFIX` where a command takes a log's directory: it is fetched into a folder that goes afterwards."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from proxy.cli.client.problem import Problem

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from recordings.audit.bucket_log import BucketLog

SCHEME = "s3://"
DEFAULT_REGION = "us-east-1"

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,254}")


@contextmanager
def fetched(text: str, bar: Callable[[int], AbstractContextManager[Callable[[int], None]]]) -> Iterator[Path]:
    """The log at `text`, in a folder. `bar` shows progress over so many bytes. Raises Problem."""
    from recordings.audit.bucket_log import BucketError

    with tempfile.TemporaryDirectory(prefix="kwit-log.") as name:
        folder = Path(name) / _last(text)
        folder.mkdir()
        try:
            asyncio.run(_fetch(text, folder, bar))
        except BucketError as error:
            raise Problem(f"{text} cannot be read: {error}") from error
        yield folder


def _last(text: str) -> str:
    """What the folder is called: one writer's prefix names the writer, in cursors and answers."""
    name = text.rstrip("/").rpartition("/")[2]
    return name if _NAME.fullmatch(name) else "log"


async def _fetch(text: str, folder: Path, bar: Callable[[int], AbstractContextManager[Callable[[int], None]]]) -> None:
    log = _log(text)
    try:
        objects = await log.listed()
        if not objects:
            raise Problem(f"there is no log in {text}")
        size = sum(one.size for one in objects)
        if size > shutil.disk_usage(folder).free:
            raise Problem(f"{text} has {size:,} bytes, more than {folder} has room for; set TMPDIR to where there is")
        with bar(size) as progress:
            for one in objects:
                await log.fetch(one, folder, progress)
    finally:
        await log.close()


def _log(text: str) -> BucketLog:
    """With what every tool for S3 reads from the environment. Raises BucketError, Problem."""
    from recordings.audit.anchors.signature_v4 import AccessKey
    from recordings.audit.bucket_log import BucketLog, BucketPlace

    environ = os.environ  # noqa: TID251 - where every tool for S3 looks for its key
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or DEFAULT_REGION
    own = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL")
    identity, secret = environ.get("AWS_ACCESS_KEY_ID", ""), environ.get("AWS_SECRET_ACCESS_KEY", "")
    if not identity or not secret:
        raise Problem("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a key that may read the bucket", exit_code=2)
    return BucketLog(
        own or f"https://s3.{region}.amazonaws.com",
        BucketPlace.parse(text),
        AccessKey(identity, secret, region),
        token=environ.get("AWS_SESSION_TOKEN", ""),
        clock=time.time,  # noqa: TID251 - the composition root of a command
    )
