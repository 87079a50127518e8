"""Claims about files that get their name when they are whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from recordings.audit.placing import clear, finish, make, place, temporary, write


def test_a_file_has_its_name_only_when_it_is_whole_and_for_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "manifest"
    old_umask = os.umask(0)
    try:
        with make(temporary(path)) as file:
            file.write(b"whole")
            finish(file)
            assert not path.exists()
    finally:
        os.umask(old_umask)
    place(path)
    assert path.read_bytes() == b"whole"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["manifest"]


def test_what_was_cut_off_is_replaced_or_cleared_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "manifest"
    temporary(path).write_bytes(b"half of somet")
    write(path, b"first")
    temporary(path).write_bytes(b"half")
    write(path, b"second")
    assert path.read_bytes() == b"second"
    for name in (".other.tmp", "kept.tmp", ".kept"):
        (tmp_path / name).touch()
    clear(tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir()) == [".kept", "kept.tmp", "manifest"]


def test_a_link_that_waits_under_the_temporary_name_is_not_followed(tmp_path: Path) -> None:
    path, victim = tmp_path / "manifest", tmp_path / "victim"
    victim.write_bytes(b"untouched")
    temporary(path).symlink_to(victim)
    write(path, b"new")
    assert victim.read_bytes() == b"untouched"
    assert not path.is_symlink()


def test_a_file_that_cannot_be_made_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "manifest"
    write(path, b"old")
    temporary(path).mkdir()
    with pytest.raises(OSError):
        write(path, b"new")
    assert path.read_bytes() == b"old"
