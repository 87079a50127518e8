"""Claims about logs in buckets on the command line; what is fetched how: tests/recordings/audit/test_bucket_log.py."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from proxy.cli import main
from tests.proxy.cli.test_audit_verify import KEY


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(["audit", "verify", *arguments, "--key", KEY])
    return code, capsys.readouterr().err


def test_without_a_key_it_says_where_one_is_looked_for(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = said(capsys, "s3://archive/prod")
    assert (code, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in text) == (2, True)


def test_a_place_that_is_none_and_a_store_that_is_away_are_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert "is not s3://BUCKET/PREFIX" in said(capsys, "s3://UPPER/x")[1]
    code, text = said(capsys, "s3://archive/x")
    assert (code, "s3://archive/x cannot be read: Cannot connect" in text) == (1, True)


def test_the_fetched_folder_is_gone_afterwards(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from proxy.cli import audit_bucket

    async def fetch(_text: str, folder: Path, _bar: object) -> None:
        (folder / "keys").write_bytes(b"x")

    @contextmanager
    def bar(_total: int) -> Iterator[None]:
        yield

    monkeypatch.setattr(audit_bucket, "_fetch", fetch)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with audit_bucket.fetched("s3://archive/x", bar) as folder:
        assert (folder / "keys").read_bytes() == b"x"
    assert list(tmp_path.iterdir()) == []
