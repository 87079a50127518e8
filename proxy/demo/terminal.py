"""A terminal with somebody at it who types a script: a command's own, made of a pseudo-terminal. POSIX only."""

from __future__ import annotations

import asyncio
import os
import struct
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deploy.sandbox.apiserver.descriptors import Descriptor

if sys.platform != "win32":
    import fcntl
    import termios

COLUMNS, ROWS = 80, 24
SECONDS = 30.0
"""For a whole script; the demo's takes one."""
MAX_SHOWN = 1 << 20
"""Bytes; more is no script that a person reads."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What is typed once `after` has come up behind what was shown when the last keys were typed."""

    after: bytes
    typed: bytes


@dataclass(frozen=True, slots=True)
class Sat:
    """What was on the screen, all that was typed, and how it ended: the exit code, -1 where it took too long."""

    shown: bytes
    typed: bytes
    code: int


class Typist:
    """Says what to type next; `shown` grows as it comes."""

    def __init__(self, script: Sequence[Keys]) -> None:
        self.shown, self.typed = b"", b""
        self._script = list(script)
        self._seen = 0

    def see(self, data: bytes) -> bytes:
        """What to type now that this has come up; nothing where it is not what the script waits for."""
        self.shown += data
        if not self._script or self._script[0].after not in self.shown[self._seen :]:
            return b""
        keys, self._seen = self._script.pop(0).typed, len(self.shown)
        self.typed += keys
        return keys


async def sit(argv: Sequence[str], script: Sequence[Keys], *, at: Path, environment: Mapping[str, str]) -> Sat:
    """Run a command on a terminal of 80 by 24. Raises OSError."""
    master, slave = os.openpty()
    screen = Descriptor(master)
    try:
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=slave, stdout=slave, stderr=slave, cwd=at, env=dict(environment), start_new_session=True
        )
    except BaseException:
        screen.close()
        raise
    finally:
        os.close(slave)
    typist = Typist(script)
    try:
        async with asyncio.timeout(SECONDS):
            while len(typist.shown) < MAX_SHOWN and (data := await screen.read()):
                if keys := typist.see(data):
                    await screen.write(keys)
            code = await process.wait()
    except TimeoutError:
        code = -1
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        screen.close()
    return Sat(typist.shown, typist.typed, code)
