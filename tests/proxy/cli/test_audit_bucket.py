"""Claims about logs in buckets on the command line; what is fetched how: tests/recordings/audit/test_bucket_log.py."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from proxy.cli import audit_bucket, main
from tests.proxy.cli.small_log import small_log
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


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A store that holds a log wherever it is asked; where it was asked."""
    log = tmp_path / "prod"
    log.mkdir()
    small_log(log, ({"id": f"record-{name}", "type": "x", "actor": {"username": name}} for name in ("ada", "bob")))
    asked: list[str] = []

    async def fetch(text: str, folder: Path, _bar: object) -> None:
        asked.append(text)
        shutil.copytree(log, folder, dirs_exist_ok=True)

    monkeypatch.setattr(audit_bucket, "_fetch", fetch)
    return asked


@pytest.mark.parametrize(
    "words",
    [
        ["search", "--user", "ada"],
        ["tail"],
        ["show", "record-ada"],
        ["stats"],
        ["timeline", "ada"],
        ["sql", "SELECT username, count(*) FROM records GROUP BY 1 ORDER BY 1"],
        ["export", "--all"],
    ],
)
def test_a_log_in_a_bucket_answers_as_its_files_do(
    bucket: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert main(["audit", *words, "--dir", str(tmp_path / "prod")]) == 0
    expected = capfd.readouterr()
    assert main(["audit", *words, "--dir", "s3://archive/prod"]) == 0
    assert (capfd.readouterr(), bucket) == (expected, ["s3://archive/prod"])
    assert expected.out


def test_what_follows_or_asks_a_server_fetches_nothing(bucket: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["tail", "-f"], ["search", "-f"], ["export", "--follow"]):
        assert main(["audit", *words, "--dir", "s3://archive/prod"]) == 2
        assert "leave --follow out" in capsys.readouterr().err
    assert main(["audit", "stats", "--dir", "s3://archive/prod", "--server", "https://kwit.example"]) == 2
    assert bucket == []


def test_one_writers_folder_has_its_name_and_no_name_leaves_the_folder(
    bucket: list[str],
) -> None:
    assert bucket == []

    @contextmanager
    def bar(_total: int) -> Iterator[None]:
        yield

    for text, name in (("s3://a-b/prod/writer-1/", "writer-1"), ("s3://a-b/x/..", "log"), ("s3://a-b", "a-b")):
        with audit_bucket.fetched(text, bar) as folder:
            assert folder.name == name
