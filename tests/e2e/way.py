"""One person, one way to the cluster, one kubectl and one protocol; and what a recording holds of what passed."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recordings.recorder.directory import RecordingDirectory
from recordings.recorder.moment import Kind
from recordings.recorder.reader import RecordingReader, open_recording
from tests.e2e.installation import Installation
from tests.e2e.story import Person

SPDY = {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false", "KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"}
WAYS = {"1.24": (24, {}), "1.30": (30, {}), "newest": (37, {}), "newest by SPDY": (37, SPDY)}


PATIENCE = 60.0  # seconds for something to be shown, or for a program to end
Step = tuple[bytes, bytes]
"""What is awaited, and what is typed then."""


@dataclass
class Way:
    """One person, on one way to the cluster, with one kubectl."""

    person: Person
    kubectl: Path
    environment: dict[str, str]

    def command(self, *arguments: str) -> list[str]:
        return self.person.command(self.kubectl, arguments)

    def env(self) -> dict[str, str]:
        return {**self.person.environment(), **self.environment}

    def run(self, *arguments: str, stdin: bytes = b"", patience: float = 120.0) -> tuple[int, bytes, bytes]:
        done = subprocess.run(
            self.command(*arguments), check=False, capture_output=True, input=stdin, env=self.env(), timeout=patience
        )
        return done.returncode, done.stdout, done.stderr

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Begin, with nothing on standard input; to be ended with `ended`."""
        return subprocess.Popen(
            self.command(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.env(),
        )

    def on_a_terminal(self, *arguments: str, steps: Sequence[Step] = ()) -> tuple[int, bytes]:
        """Run on a terminal: what is awaited, and what is typed once it was shown, in turn."""
        terminal = Terminal(self.command(*arguments), self.env())
        for awaited, keys in steps:
            terminal.wait_for(awaited)
            terminal.type(keys)
        return terminal.end()


class Terminal:
    """A program on a terminal of 99 columns and 33 rows. To be ended."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
        self._process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
        )
        os.close(theirs)
        self._seen = 0
        self.shown = b""

    def wait_for(self, awaited: bytes) -> None:
        """Until it was shown, behind what was awaited before; raises AssertionError if it is not in time."""
        end = time.monotonic() + PATIENCE
        while (found := self.shown.find(awaited, self._seen)) < 0:
            assert time.monotonic() < end, (awaited, self.shown)
            assert self._read(), (awaited, self.shown)
        self._seen = found + len(awaited)

    def type(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def end(self) -> tuple[int, bytes]:
        """Exit code, and all that was shown; the program is killed if it does not end by itself."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self._read():
            pass
        try:
            code = self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        os.close(self._ours)
        return code, self.shown

    def _read(self) -> bool:
        """Take what is there, after a moment; False once nothing can come any more."""
        readable, _, _ = select.select([self._ours], [], [], 0.2)
        if not readable:
            return self._process.poll() is None
        try:
            piece = os.read(self._ours, 65536)
        except OSError:  # EIO: the other side of the terminal is closed
            return False
        self.shown += piece
        return bool(piece)


Ways = tuple[Way, Way]
"""Without kwit, and through it."""


def newest_recording(installation: Installation) -> RecordingReader:
    """The recording that was made last, once it is sealed."""
    directory = RecordingDirectory(installation.folder / "data" / "recordings")
    end = time.monotonic() + 10
    while time.monotonic() < end:
        paths = list(directory.paths())
        newest = max(paths, key=lambda path: path.stat().st_mtime_ns, default=None)
        if newest is not None:
            reader = open_recording(newest)
            if reader.footer is not None:
                return reader
            reader.close()
        time.sleep(0.1)
    raise AssertionError("no recording was sealed")


def carried(reader: RecordingReader, kind: Kind) -> bytes:
    return b"".join(moment.data for moment in reader.moments() if moment.kind is kind)
