"""A sample of the matrix; `make syscalls` runs all of it."""

import shutil
from pathlib import Path

import pytest

from tests.battery.syscalls.matrix import CALLS, NotTracedError, Worker, cells, occurrences, tried

EVERY = 83
"""One cell in so many; no divisor of the seven faults, so that each of them has its turn."""


@pytest.mark.skipif(
    shutil.which("strace") is None, reason="strace is not installed: no system call can be made to fail"
)
def test_whatever_system_call_fails_no_promise_is_broken_and_the_next_start_goes_on(tmp_path: Path) -> None:
    with Worker() as worker:
        try:
            most = occurrences(worker, tmp_path)
        except NotTracedError as error:
            pytest.skip(f"{error}")
        assert {"openat", "write", "fsync", "fdatasync", "ftruncate", "fallocate", "link", "unlink"} <= set(most)
        assert set(most) <= set(CALLS)
        every = list(cells(most))
        assert len(every) >= 2_500
        broken = {str(cell): wrong for cell in every[::EVERY] if (wrong := tried(worker, tmp_path, cell)[1])}
    assert broken == {}
