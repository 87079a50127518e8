"""Claims about proofs that a log on the disk has only grown."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path

import pytest

from recordings.audit.anchors.log_lines import LogLines
from recordings.audit.merkle import ProofError, Tree, check_consistency
from recordings.audit.record import Outcome, RecordType
from recordings.audit.segments import forwards, segments
from tests.recordings.audit.conftest import Bench


async def written(tmp_path: Path) -> tuple[Path, list[bytes]]:
    """Of several segments, one of them sealed by name alone in what follows."""
    bench = Bench(tmp_path / "node-0", is_signed=True, segment_bytes=3_000)
    log = bench.log()
    await log.open()
    for _ in range(25):
        seq = log.append(RecordType.CONFIG_CHANGE, Outcome.DONE, body={"what": "x" * 100})
    await log.durable(seq)
    await log.close()
    assert len(segments(bench.directory)) > 2
    return bench.directory, [line for path in segments(bench.directory) for line in forwards(path)]


def root(lines: list[bytes]) -> bytes:
    tree = Tree()
    tree.extend(lines)
    return tree.root()


async def test_from_any_line_on_to_any_other_it_is_proven(tmp_path: Path) -> None:
    directory, lines = await written(tmp_path)
    going, size = LogLines(directory), len(lines)
    for first, second in [(0, 3), (3, 3), (3, 9), (9, size), (2, size), (5, 6), (size, size), (1, 2), (20, size - 1)]:
        for one in (going, LogLines(directory)):
            proof = [b64decode(node) for node in one.consistency(first, second)]
            check_consistency(first, second, proof, root(lines[:first]), root(lines[:second]))


async def test_what_is_not_here_cannot_be_proven(tmp_path: Path) -> None:
    directory, lines = await written(tmp_path)
    with pytest.raises(ProofError, match=f"the log has {len(lines)} lines, not {len(lines) + 1}"):
        LogLines(directory).consistency(3, len(lines) + 1)
    segments(directory)[0].unlink()
    with pytest.raises(ProofError, match="line 3 of the log is not here"):
        LogLines(directory).consistency(3, len(lines))
