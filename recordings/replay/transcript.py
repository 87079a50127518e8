"""A recording as text: every line that was ever drawn or typed, in the order in which it was complete.

With a terminal, a line is one that stood on the screen, whether or not it was wiped, covered or overwritten since
(`screen`); without one, a line of stdout or stderr. Text here is harmless to show: nothing in it commands a terminal.
"""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from recordings.audit.row import harmless
from recordings.recorder.head import RecordingHead
from recordings.recorder.moment import Kind, Moment
from recordings.replay.commands import Command, PipedCommands, TypedCommands, is_shell
from recordings.replay.screen import Terminal, size_of

MAX_LINE_CHARS = 4_096
"""Of a line without a terminal; what is longer becomes several."""

_ENDS_LINE = re.compile(rb"[\r\n\x03\x04]")


class Origin(StrEnum):
    """Where a line comes from."""

    DRAWN = "drawn"
    STDOUT = "stdout"
    STDERR = "stderr"
    TYPED = "typed"
    """Input as it was sent: with a terminal, also what never came back, such as a password."""
    COMMAND = "command"
    """A guess; see `commands`."""
    HIDDEN = "hidden"
    """Input that was not kept; the text is its length."""


@dataclass(frozen=True, slots=True)
class Line:
    """`at`: microseconds at which its first character came."""

    at: int
    origin: Origin
    text: str


def transcript(head: RecordingHead, moments: Iterable[Moment]) -> Iterator[Line]:
    """Every line; nothing is held but the screen and what is not complete."""
    reader = transcript_reader(head)
    for moment in moments:
        reader.take(moment)
        yield from reader.ready()
    reader.end()
    yield from reader.ready()


class TranscriptReader(Protocol):
    """Fed moment by moment; `terminal` is the screen of a recording that has one."""

    @property
    def terminal(self) -> Terminal | None: ...
    def take(self, moment: Moment) -> None: ...
    def end(self) -> None: ...
    def ready(self) -> Iterator[Line]:
        """The lines that are complete now."""


def transcript_reader(head: RecordingHead) -> TranscriptReader:
    return _ScreenLines() if head.tty else _PlainLines(is_shell(head.command))


def commands(head: RecordingHead, moments: Iterable[Moment]) -> Iterator[Command]:
    """What the person typed, as far as it can be told."""
    for line in transcript(head, moments):
        if line.origin is Origin.COMMAND:
            yield Command(line.at, line.text)


class _TypedLines:
    """Input, cut at line ends."""

    def __init__(self, lines: deque[Line]) -> None:
        self._lines = lines
        self._parts: dict[Kind, _Parts] = {}

    def take(self, moment: Moment, origin: Origin, *, also: str = "") -> None:
        parts = self._parts.setdefault(moment.kind, _Parts(origin))
        self._lines.extend(parts.feed(moment.at, moment.data, also))

    def end(self) -> None:
        for parts in self._parts.values():
            self._lines.extend(parts.end())


class _Parts:
    """Bytes → lines of one stream."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self._since = 0

    def feed(self, at: int, data: bytes, also: str) -> Iterator[Line]:
        """`also`: characters that end a line beside the line feed."""
        text = self._decoder.decode(data)
        for one in also:
            text = text.replace(one, "\n")
        if not self._held:
            self._since = at
        *whole, rest = (self._held + text).split("\n")
        for line in whole:
            yield from self._line(line)
            self._since = at
        while len(rest) > MAX_LINE_CHARS:
            yield from self._line(rest[:MAX_LINE_CHARS])
            rest = rest[MAX_LINE_CHARS:]
        self._held = rest

    def end(self) -> Iterator[Line]:
        yield from self._line(self._held + self._decoder.decode(b"", final=True))
        self._held = ""

    def _line(self, text: str) -> Iterator[Line]:
        text = text.removesuffix("\r")
        for start in range(0, len(text), MAX_LINE_CHARS):
            shown = harmless(text[start : start + MAX_LINE_CHARS].replace("\t", "    "))
            yield Line(self._since, self._origin, shown)


class _PlainLines:
    """A recording without a terminal."""

    terminal = None

    def __init__(self, shell: bool) -> None:
        self._lines: deque[Line] = deque()
        self._streams = _TypedLines(self._lines)
        self._commands = PipedCommands(self._command) if shell else None

    def take(self, moment: Moment) -> None:
        match moment.kind:
            case Kind.STDOUT:
                self._streams.take(moment, Origin.STDOUT)
            case Kind.STDERR:
                self._streams.take(moment, Origin.STDERR)
            case Kind.STDIN:
                self._streams.take(moment, Origin.TYPED)
                if self._commands is not None:
                    self._commands.typed(moment.at, moment.data)
            case _:
                pass

    def end(self) -> None:
        self._streams.end()

    def ready(self) -> Iterator[Line]:
        while self._lines:
            yield self._lines.popleft()

    def _command(self, command: Command) -> None:
        self._lines.append(Line(command.at, Origin.COMMAND, harmless(command.text)))


class _ScreenLines:
    """A recording with a terminal."""

    def __init__(self) -> None:
        self._lines: deque[Line] = deque()
        self._typed = _TypedLines(self._lines)
        self._hidden = 0
        self._hidden_since = 0
        self.terminal = Terminal(lines=self._drawn, before_line_feed=self._line_feed)
        self._commands = TypedCommands(self._command)

    def take(self, moment: Moment) -> None:
        display = self.terminal.display
        match moment.kind:
            case Kind.STDOUT | Kind.STDERR:
                self.terminal.feed(moment.at, moment.data)
            case Kind.RESIZE:
                size = size_of(moment.data)
                if size is not None:
                    self.terminal.resize(moment.at, size)
            case Kind.STDIN:
                if _ENDS_LINE.search(moment.data):
                    self._tell_hidden()
                self._typed.take(moment, Origin.TYPED, also="\r")
                self._commands.typed(moment.at, moment.data, column=display.cursor.x, is_alternate=display.is_alternate)
            case Kind.HIDDEN:
                self._hidden_since = self._hidden_since if self._hidden else moment.at
                self._hidden += int(moment.data) if moment.data.isdigit() else 0
                self._commands.unseen(column=display.cursor.x, is_alternate=display.is_alternate)
            case _:
                pass

    def end(self) -> None:
        self._tell_hidden()
        self.terminal.end()
        self._typed.end()

    def ready(self) -> Iterator[Line]:
        while self._lines:
            yield self._lines.popleft()

    def _tell_hidden(self) -> None:
        """Of what was typed on one line; keys come one by one."""
        if self._hidden:
            text = f"({self._hidden} byte{'' if self._hidden == 1 else 's'} typed unseen)"
            self._lines.append(Line(self._hidden_since, Origin.HIDDEN, text))
            self._hidden = 0

    def _drawn(self, at: int, text: str) -> None:
        self._lines.append(Line(at, Origin.DRAWN, harmless(text)))

    def _line_feed(self, line: str, column: int) -> None:
        del column
        self._commands.drawn(line)

    def _command(self, command: Command) -> None:
        self._lines.append(Line(command.at, Origin.COMMAND, harmless(command.text)))
