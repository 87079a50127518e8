"""A command of a sandbox pod: a process of this machine behind pipes or a pseudo-terminal, with its user's rights.

A pod's commands share a folder, which is empty at first, and an environment that has nothing of ours. That is no
container: who may exec in the sandbox may run programs on this machine. So it listens on loopback, its credentials are
random, and its commands end with their connections. POSIX only.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.sandbox.apiserver.descriptors import Descriptor
from deploy.sandbox.apiserver.stream_options import StreamOptions
from recordings.streams.events import Role
from recordings.streams.resize import TerminalSize

if sys.platform != "win32":
    import fcntl
    import termios

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TAKE_TERMINAL = 'terminal=$1; shift; exec "$@" <"$terminal" >"$terminal" 2>&1'
"""Who leads a session and opens a terminal gets it as its own (POSIX, General Terminal Interface, 11.1.3)."""


class CannotStartError(Exception):
    """What the container runtime would say."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pod's commands run: `folder` exists, `name` is the pod's."""

    folder: Path
    name: str

    def environment(self, *, tty: bool) -> dict[str, str]:
        """All that a command sees; a shell's prompt names the pod."""
        known = {"PATH": PATH, "HOME": str(self.folder), "HOSTNAME": self.name, "PS1": f"{self.name}$ "}
        return known | {"LANG": "C.UTF-8", **({"TERM": "xterm"} if tty else {})}


class PodProcess:
    """`input` and `outputs` are our ends; `await wait()` for the exit code; `end()` always."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        stdin: Descriptor | None,
        outputs: Mapping[Role, Descriptor],
        *,
        tty: bool,
    ) -> None:
        self.outputs = outputs
        self.stdin = stdin
        self._process, self._tty = process, tty

    @property
    def is_over(self) -> bool:
        """Whether the command has ended and was waited for."""
        return self._process.returncode is not None

    async def wait(self) -> int:
        """The exit code; 128 and the signal's number where that ended it."""
        code = await self._process.wait()
        return code if code >= 0 else 128 - code

    def resize(self, size: TerminalSize) -> None:
        """Tell the terminal, which tells the programs on it."""
        terminal = self.outputs.get(Role.STDOUT) or self.stdin
        if self._tty and terminal is not None:
            packed = struct.pack("HHHH", size.height, size.width, 0, 0)
            with contextlib.suppress(OSError):
                fcntl.ioctl(terminal.number, termios.TIOCSWINSZ, packed)

    def close_stdin(self) -> None:
        """Pipes: the command reads its end. A terminal has no such thing, and stays."""
        if not self._tty and self.stdin is not None:
            self.stdin.close()

    def kill(self) -> None:
        """The command and what it has started in its session."""
        for pid in _session(self._process.pid):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def end(self) -> None:
        """Kill what is left, and give the descriptors back."""
        self.kill()
        for one in {id(one): one for one in (self.stdin, *self.outputs.values()) if one is not None}.values():
            one.close()
        await self._process.wait()


async def start(options: StreamOptions, place: Place) -> PodProcess:
    """Raises CannotStartError."""
    if sys.platform == "win32":
        raise CannotStartError("the sandbox runs commands on POSIX systems only")
    program = shutil.which(options.command[0], path=PATH)
    if program is None:
        why = f'exec: "{options.command[0]}": executable file not found in $PATH'
        raise CannotStartError(f"OCI runtime exec failed: exec failed: unable to start container process: {why}")
    try:
        return await (_on_terminal if options.tty else _on_pipes)(options, place, program)
    except OSError as error:
        raise CannotStartError(f"OCI runtime exec failed: {error.strerror}") from error


async def _on_terminal(options: StreamOptions, place: Place, program: str) -> PodProcess:
    master, slave = os.openpty()
    try:
        command = ("/bin/sh", "-c", _TAKE_TERMINAL, "sh", os.ttyname(slave), program, *options.command[1:])
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=place.folder,
            env=place.environment(tty=True),
            start_new_session=True,
        )
    except BaseException:
        os.close(master)
        raise
    finally:
        os.close(slave)
    ours = Descriptor(master)
    return PodProcess(process, ours if options.stdin else None, {Role.STDOUT: ours}, tty=True)


async def _on_pipes(options: StreamOptions, place: Place, program: str) -> PodProcess:
    asked = {Role.STDIN: options.stdin, Role.STDOUT: options.stdout, Role.STDERR: options.stderr}
    pipes = {role: os.pipe() for role, wanted in asked.items() if wanted}
    theirs = {role: pipe[0 if role is Role.STDIN else 1] for role, pipe in pipes.items()}
    ours = {role: pipe[1 if role is Role.STDIN else 0] for role, pipe in pipes.items()}
    nowhere = asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            options.command[0],
            *options.command[1:],
            executable=program,
            stdin=theirs.get(Role.STDIN, nowhere),
            stdout=theirs.get(Role.STDOUT, nowhere),
            stderr=theirs.get(Role.STDERR, nowhere),
            cwd=place.folder,
            env=place.environment(tty=False),
            start_new_session=True,
        )
    except BaseException:
        for number in ours.values():
            os.close(number)
        raise
    finally:
        for number in theirs.values():
            os.close(number)
    ends = {role: Descriptor(number) for role, number in ours.items()}
    return PodProcess(process, ends.pop(Role.STDIN, None), ends, tty=False)


def _session(leader: int) -> list[int]:
    """Who is in the session of `leader`, as /proc tells; where there is none, the leader's group is all we know."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            # proc(5): after the name, which may hold anything, come state, ppid, pgrp and session
            if int((entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[3]) == leader:
                found.append(int(entry.name))
    return found or [leader]
