"""Claims about files that must be whole or not there."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from recordings.audit.new_file import create, destroy, replace


def test_a_file_appears_whole_with_its_mode_and_leaves_nothing_else(tmp_path: Path) -> None:
    create(tmp_path / "a", b"secret")
    create(tmp_path / "b", b"public", 0o644)
    assert {one.name: (one.read_bytes(), stat.S_IMODE(one.stat().st_mode)) for one in tmp_path.iterdir()} == {
        "a": (b"secret", 0o600),
        "b": (b"public", 0o644),
    }


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    create(tmp_path / "a", b"first")
    with pytest.raises(FileExistsError):
        create(tmp_path / "a", b"second")
    assert [one.name for one in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"first"


def test_a_file_takes_the_place_of_the_one_before_or_leaves_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    replace(path, b"first")
    replace(path, b"second")

    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        replace(path, b"third")
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == {"a": b"second"}


def test_a_destroyed_file_was_overwritten(tmp_path: Path) -> None:
    path, other = tmp_path / "a", tmp_path / "b"
    create(path, b"secret")
    os.link(path, other)
    destroy(path)
    assert not path.exists()
    assert other.read_bytes() == bytes(6)
    destroy(path)
