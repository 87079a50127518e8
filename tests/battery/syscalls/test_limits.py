"""Limits that a process runs into: open files, the size of a file, memory. Nothing is corrupt afterwards.

`KWIT_LIMITS=1` tries every limit, else one in eleven.
"""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from tests.battery.syscalls.matrix import Worker, emptied, judged

PAGE = resource.getpagesize()
STEP = 1 if os.environ.get("KWIT_LIMITS") else 11
FILES = list(range(4, 44))
SIZES = list(range(0, 12_000, 100))
MORE_MEMORY = [megabytes << 20 for megabytes in range(42)]
"""Bytes above what the process has when it begins."""


def memory_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * PAGE


@pytest.mark.parametrize(
    ("what", "values"),
    [(resource.RLIMIT_NOFILE, FILES), (resource.RLIMIT_FSIZE, SIZES), (resource.RLIMIT_AS, MORE_MEMORY)],
    ids=["open files", "size of a file", "memory"],
)
def test_whatever_limit_a_process_runs_into_no_promise_is_broken(tmp_path: Path, what: int, values: list[int]) -> None:
    broken, hit = {}, 0
    with Worker() as worker:
        worker.run(tmp_path / "warm", tmp_path / "warm.promises")
        for value in values[::STEP]:

            def limit(pid: int, value: int = value) -> None:
                bound = value + (memory_of(pid) if what == resource.RLIMIT_AS else 0)
                resource.prlimit(pid, what, (bound, bound))

            place, promises = emptied(tmp_path)
            ended, wrong = judged(place, promises, worker.run(place.directory, promises, prepare=limit))
            hit += ended != "went on" or '"sealed"' not in (promises.read_text() if promises.exists() else "")
            if wrong:
                broken[value] = [ended, *wrong]
    assert broken == {}
    assert hit > 0
