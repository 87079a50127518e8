"""Claims about checkpoints in files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from recordings.audit.anchors.anchor import AnchorError
from recordings.audit.anchors.file_anchor import FileAnchor
from recordings.audit.anchors.kept import notes_of
from tests.recordings.audit.anchors.conftest import checkpoint


async def test_each_log_has_a_file_that_only_grows(tmp_path: Path) -> None:
    anchor = FileAnchor(tmp_path)
    for one in (checkpoint(3), checkpoint(5), checkpoint(2, "acme/host-1")):
        await anchor.publish(one)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "acme__host-0.checkpoints",
        "acme__host-1.checkpoints",
    ]
    kept = notes_of((tmp_path / "acme__host-0.checkpoints").read_bytes())
    assert kept == [checkpoint(3).note, checkpoint(5).note]
    await anchor.close()


async def test_half_a_line_that_a_crash_left_damages_nothing_behind_it(tmp_path: Path) -> None:
    anchor, path = FileAnchor(tmp_path), tmp_path / "acme__host-0.checkpoints"
    await anchor.publish(checkpoint(3))
    path.write_bytes(path.read_bytes() + b'{"checkpoint":"acm')
    await anchor.publish(checkpoint(5))
    assert notes_of(path.read_bytes()) == [checkpoint(3).note, checkpoint(5).note]


async def test_a_directory_that_is_not_mounted_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(AnchorError, match="absent cannot be written: No such file"):
        await FileAnchor(tmp_path / "absent").publish(checkpoint(1))
    assert list(tmp_path.iterdir()) == []


async def test_a_full_disk_is_told(tmp_path: Path) -> None:
    (tmp_path / "acme__host-0.checkpoints").symlink_to("/dev/full")
    with pytest.raises(AnchorError, match="No space left"):
        await FileAnchor(tmp_path).publish(checkpoint(1))


async def test_a_new_files_name_is_on_the_disk_once_its_first_checkpoint_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.fstat(fd).st_ino))
    anchor = FileAnchor(tmp_path)
    await anchor.publish(checkpoint(3))
    await anchor.publish(checkpoint(5))
    (file,) = tmp_path.iterdir()
    assert synced == [file.stat().st_ino, tmp_path.stat().st_ino, file.stat().st_ino]
