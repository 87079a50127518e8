"""Processes of the benchmark and what the kernel says of them (proc_pid_stat(5), proc_pid_status(5)). Linux only."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 15.0
"""From exec to a listening socket; the slowest needs one second on an idle machine."""
STOP_SECONDS = 10.0
"""From SIGTERM to the end, before SIGKILL."""
POLL_SECONDS = 0.02
TICKS = os.sysconf("SC_CLK_TCK")


class StartError(Exception):
    """A program that did not come up; the message ends with its last words."""


@dataclass(frozen=True, slots=True)
class Running:
    """A program that listens on `address`, and what a client needs to reach it."""

    address: str
    certificate: Path
    key: Path
    ca: Path
    process: subprocess.Popen[bytes]

    def pids(self) -> tuple[int, ...]:
        """The process and its children: nginx works in one."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return (self.process.pid, *map(int, children))

    def stop(self) -> None:
        stop(self.process)


def free_port() -> int:
    """A port of loopback that nobody listens on; somebody else may take it, then the start fails and says so."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(command: Sequence[str | Path], port: int, log: Path, cwd: Path | None = None) -> subprocess.Popen[bytes]:
    """Start and wait until the port accepts. Raises StartError."""
    with log.open("ab") as output:
        process = subprocess.Popen([*map(str, command)], stdout=output, stderr=output, cwd=cwd)
    until = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process
        time.sleep(POLL_SECONDS)
    stop(process)
    raise StartError(f"{Path(command[0]).name} did not start: {log.read_text(errors='replace')[-2000:].strip()}")


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def cpu_seconds(pids: Sequence[int]) -> float:
    """User and system time so far, in steps of one tick (10 ms on Linux)."""
    return sum(ticks(Path(f"/proc/{pid}/stat").read_text()) for pid in pids) / TICKS


def ticks(stat: str) -> int:
    """utime + stime of a line of /proc/PID/stat; the second field may hold blanks and brackets."""
    fields = stat.rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def rss_bytes(pids: Sequence[int]) -> int:
    return sum(_status(pid, "VmRSS") for pid in pids)


def peak_bytes(pids: Sequence[int]) -> int:
    """The highest RSS since the last `forget_peak`, summed over the processes."""
    return sum(_status(pid, "VmHWM") for pid in pids)


def forget_peak(pids: Sequence[int]) -> None:
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def _status(pid: int, name: str) -> int:
    return kilobytes(Path(f"/proc/{pid}/status").read_text(), name) * 1024


def kilobytes(status: str, name: str) -> int:
    """The value of a line such as `VmRSS:   1234 kB`. Raises ValueError where there is none."""
    for line in status.splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0])
    raise ValueError(f"no {name} in this status")
