"""One name is changed in a copy, and nothing else anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.demo.tampering import changed_copy


@pytest.fixture
def log(tmp_path: Path) -> Path:
    log = tmp_path / "log"
    (log / "w").mkdir(parents=True)
    (log / "w" / "1.ndjson").write_bytes(b'{"u":"bob"}\n')
    (log / "w" / "2.ndjson").write_bytes(b'{"u":"alice"}\n{"u":"alice"}\n')
    (log / "w" / "lock").touch()
    return log


def test_the_first_name_is_changed_in_the_copy_only(log: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for _ in range(2):  # a second demo in the same directory finds the first one's copy
        assert changed_copy(log, copy, b'"alice"', b'"carol"') == copy / "w" / "2.ndjson"
    assert (copy / "w" / "2.ndjson").read_bytes() == b'{"u":"carol"}\n{"u":"alice"}\n'
    assert (copy / "w" / "1.ndjson").read_bytes() == (log / "w" / "1.ndjson").read_bytes()
    assert b"carol" not in (log / "w" / "2.ndjson").read_bytes()
    assert not (copy / "w" / "lock").exists()


def test_where_nobody_is_named_there_is_nothing_to_change(log: Path, tmp_path: Path) -> None:
    assert changed_copy(log, tmp_path / "copy", b'"dora"', b'"erik"') is None
