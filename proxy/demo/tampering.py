"""Somebody who has the disk changes one byte of the log: in a copy, to see that it is found."""

from __future__ import annotations

import shutil
from pathlib import Path


def changed_copy(log: Path, copy: Path, word: bytes, other: bytes) -> Path | None:
    """Make `copy`, in which the first `word` has become `other`, as long; the file that has it, None where none does.

    Raises OSError.
    """
    assert len(word) == len(other)
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(log, copy, ignore=shutil.ignore_patterns("lock"))
    for path in sorted(copy.glob("*/*.ndjson")):
        data = path.read_bytes()
        at = data.find(word)
        if at >= 0:
            path.chmod(0o600)
            path.write_bytes(data[:at] + other + data[at + len(word) :])
            return path
    return None
