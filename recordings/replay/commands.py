r"""Which commands a person typed: a guess from keys and echo, never evidence by itself.

A terminal's recording holds keys, and what came back on the screen. What is done here: the keys between two Enters are
put together as a line editor would (letters, backspace, Ctrl-U, Ctrl-W, Ctrl-C); a line of the screen that ends with
them when it ends is the echo, and so they are a command. Where keys were used that only the shell understands (Tab,
arrows, Ctrl-R) the line on the screen is the command, from the column on where the first key was pressed.

What it cannot know: whether a shell read it, what an alias or a pasted block did, a prompt that is redrawn, what was
typed before the prompt stood there. What did not come back (a password) is no command. On an alternate screen (an
editor, a pager) nothing is one. Without a terminal, lines of input are commands if the recorded command is a shell.
"""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

MAX_COMMAND_CHARS = 4_096
MAX_WAITING = 64
"""Lines typed ahead of their echo; a longer paste loses its first ones."""
MAX_LINES_WAITED = 64
"""Lines of output after which an echo no longer comes."""
SHELLS = frozenset(("sh", "bash", "zsh", "ash", "dash", "ksh", "fish", "busybox", "pwsh"))
_KEYS = re.compile(r"\x1b\[[0-9;]*[@-~]|\x1bO[@-~]|\x1b.|.", re.DOTALL)
_WORD = re.compile(r"\S+\s*$")


@dataclass(frozen=True, slots=True)
class Command:
    """`at`: microseconds at which Enter was pressed."""

    at: int
    text: str


@dataclass(slots=True)
class _Typed:
    at: int
    text: str
    is_plain: bool
    """Every key is known, so the text is what was typed."""
    column: int
    waited: int = 0


class TypedCommands:
    """Fed with input, and with each line of the screen before its line feed; tells what looks like a command."""

    def __init__(self, told: Callable[[Command], None]) -> None:
        self._told = told
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._line = _Typed(0, "", is_plain=True, column=0)
        self._waiting: deque[_Typed] = deque(maxlen=MAX_WAITING)

    def typed(self, at: int, data: bytes, *, column: int, is_alternate: bool) -> None:
        """Keys; `column` is the cursor's while they were pressed."""
        if is_alternate:
            self._begin()
            self._waiting.clear()
            return
        for key in _KEYS.findall(self._decoder.decode(data)):
            self._key(at, key, column)

    def unseen(self, *, column: int, is_alternate: bool) -> None:
        """Keys that the recording has not: the screen says what came of them."""
        if not is_alternate:
            self._begin_at(column)
            self._line.is_plain = False

    def drawn(self, line: str) -> None:
        """A line of the screen, whole, at its line feed."""
        if not self._waiting:
            return
        first = self._waiting[0]
        text = first.text if first.is_plain else line[first.column :].strip()
        if line.rstrip().endswith(text.rstrip()):
            self._waiting.popleft()
            if text.strip():
                self._told(Command(first.at, text.strip()[:MAX_COMMAND_CHARS]))
            return
        first.waited += 1
        if first.waited > MAX_LINES_WAITED:
            self._waiting.popleft()

    def _key(self, at: int, key: str, column: int) -> None:
        self._begin_at(column)
        line = self._line
        if key in "\r\n":
            if line.text.strip() or not line.is_plain:
                line.at = at
                self._waiting.append(line)
            self._begin()
        elif key in "\x03\x04":
            self._begin()
        elif key in "\x7f\b":
            line.text = line.text[:-1]
        elif key == "\x15":
            line.text = ""
        elif key == "\x17":
            line.text = _WORD.sub("", line.text)
        elif key.isprintable():
            line.text = (line.text + key)[:MAX_COMMAND_CHARS]
        elif key not in ("\x1b[200~", "\x1b[201~"):  # a bracketed paste is what stands between
            line.is_plain = False

    def _begin_at(self, column: int) -> None:
        if not self._line.text and self._line.is_plain:
            self._line.column = column

    def _begin(self) -> None:
        self._line = _Typed(0, "", is_plain=True, column=0)


class PipedCommands:
    """Lines of input to a shell without a terminal."""

    def __init__(self, told: Callable[[Command], None]) -> None:
        self._told = told
        self._held = b""

    def typed(self, at: int, data: bytes) -> None:
        *lines, rest = (self._held + data).split(b"\n")
        self._held = rest[: 4 * MAX_COMMAND_CHARS]
        for line in lines:
            text = line.decode(errors="replace").strip()
            if text:
                self._told(Command(at, text[:MAX_COMMAND_CHARS]))


def is_shell(command: tuple[str, ...]) -> bool:
    """Whether lines of its input are commands: a shell that was not given what to run."""
    name = command[0].rsplit("/", 1)[-1] if command else ""
    return name in SHELLS and not any(one.startswith("-") and "c" in one for one in command[1:])
