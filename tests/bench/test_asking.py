"""Claims about the measurement of asking: it asks what it says, of a log that holds it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from recordings.audit.housekeeping import housekeep
from recordings.audit.segments import is_sealed, segments
from tests.bench import asking


def test_every_question_has_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "SEGMENT_BYTES", 300_000)
    asking.make_log(tmp_path, 1_000)
    housekeep(tmp_path, 2e9)
    assert [is_sealed(path) for path in segments(tmp_path / "node-0")] == [True, True, True, False]
    for asked in asking.questions(tmp_path, 1_000):
        command = [sys.executable, "-m", "proxy.cli", "audit", *asked.arguments, "--dir", str(tmp_path)]
        done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
        assert done.returncode == (1 if asked.name == "text that is nowhere" else 0), done.stderr
        compile(asked.code, asked.name, "exec")
