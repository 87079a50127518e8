"""Claims about the lock of a log's writer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from recordings.audit.writer_lock import WriterLock
from recordings.errors import LogUnavailableError

ROOT = Path(__file__).parents[3]
HOLDER = """
import sys, time
from pathlib import Path
from recordings.audit.writer_lock import WriterLock

lock = WriterLock()
lock.take(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""


def test_one_holds_it_and_the_next_takes_it_after(tmp_path: Path) -> None:
    first, second = WriterLock(), WriterLock()
    first.take(tmp_path)
    assert (first.is_held, (tmp_path / "lock").stat().st_mode & 0o777) == (True, 0o600)
    with pytest.raises(LogUnavailableError, match=f"another process writes the audit log in {tmp_path}; stop it"):
        second.take(tmp_path)
    second.release()
    first.release()
    first.release()
    assert (first.is_held, second.is_held) == (False, False)
    second.take(tmp_path)
    second.release()


def test_it_goes_with_the_process_that_held_it(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    ours = WriterLock()
    with pytest.raises(LogUnavailableError):
        ours.take(tmp_path)
    ours.release()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    ours.take(tmp_path)
    ours.release()
