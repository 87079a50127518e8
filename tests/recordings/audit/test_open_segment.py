"""A segment's file by itself; what the log makes of its errors is in test_log.py."""

import errno
import os

import pytest

from recordings.audit import open_segment
from recordings.audit.disk import RealDisk
from recordings.audit.open_segment import begin
from recordings.audit.segments import segment_name


def start(folder, header=lambda: b"{}\n", disk=None):
    return begin(disk or RealDisk(), folder, 7, header, reserve_bytes=4096, mono=lambda: 5.0)


def test_it_begins_with_its_header_and_grows_by_what_is_written(tmp_path):
    segment, line = start(tmp_path)
    assert (line, segment.size, segment.opened_at, segment.records) == (b"{}\n", 3, 5.0, 0)
    segment.write(b"one\n")
    segment.sync(segment.size)
    assert (segment.path, segment.size) == (tmp_path / segment_name(7, 0), 7)
    segment.close(release=True)
    assert segment.path.read_bytes() == b"{}\none\n"


def test_a_short_write_is_a_full_disk_and_counts_for_nothing(tmp_path, monkeypatch):
    segment, _ = start(tmp_path)
    monkeypatch.setattr(segment.disk, "write", lambda _fd, data: len(data) - 1)
    with pytest.raises(OSError, match="No space left") as found:
        segment.write(b"one\n")
    assert (found.value.errno, segment.size) == (errno.ENOSPC, 3)
    segment.close(release=False)


@pytest.mark.parametrize("harm", ["removed", "replaced", "cut"])
def test_a_file_that_is_not_whole_under_its_name_cannot_be_made_durable(tmp_path, harm):
    segment, _ = start(tmp_path)
    if harm == "cut":
        os.truncate(segment.path, 1)
    else:
        segment.path.unlink()
    if harm == "replaced":
        segment.path.write_bytes(b"{}\n")
    with pytest.raises(OSError, match="was removed, replaced or cut"):
        segment.sync(segment.size)
    segment.close(release=False)


def test_one_that_cannot_begin_leaves_no_file(tmp_path):
    def keyless():
        raise OSError(errno.EIO, "no key")

    with pytest.raises(OSError, match="no key"):
        start(tmp_path, keyless)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_taken_is_passed_over_but_not_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(open_segment, "MAX_ATTEMPTS", 2)
    for attempt in range(2):
        segment, _ = start(tmp_path)
        assert segment.path.name == segment_name(7, attempt)
        segment.close(release=True)
    with pytest.raises(FileExistsError, match="2 segments of number 7 were given up"):
        start(tmp_path)
