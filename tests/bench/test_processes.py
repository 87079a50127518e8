"""Claims about `tests/bench/processes.py`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.bench.processes import StartError, cpu_seconds, free_port, kilobytes, rss_bytes, start, stop, ticks

STAT = "4242 (a) b (c) S 1 4242 4242 0 -1 4194560 900 0 0 0 731 269 5 6 20 0 1 0 100 1000 200 18446744073709551615"


def test_ticks_are_user_and_system_time_whatever_the_program_is_called() -> None:
    assert ticks(STAT) == 731 + 269


def test_a_value_of_the_status_is_found_by_its_whole_name() -> None:
    status = "Name:\tVmRSS\nVmRSSX:\t  1 kB\nVmHWM:\t  20 kB\nVmRSS:\t  300 kB\n"

    assert (kilobytes(status, "VmRSS"), kilobytes(status, "VmHWM")) == (300, 20)
    with pytest.raises(ValueError, match="no VmSwap"):
        kilobytes(status, "VmSwap")


def test_a_program_that_ends_before_it_listens_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="the key does not fit"):
        start([sys.executable, "-c", "raise SystemExit('the key does not fit')"], free_port(), tmp_path / "log")


def test_a_program_that_listens_is_running_and_can_be_weighed(tmp_path: Path) -> None:
    port = free_port()
    listening = f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(60)"

    process = start([sys.executable, "-c", listening], port, tmp_path / "log")
    try:
        assert process.poll() is None
        assert cpu_seconds([process.pid]) >= 0
        assert rss_bytes([process.pid]) > 1024 * 1024
    finally:
        stop(process)
    assert process.poll() is not None
