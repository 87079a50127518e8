"""`kwit play ID|FILE`: a recording in the terminal; its text where there is no terminal."""

from __future__ import annotations

import os
import re
import select
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from proxy.cli.client.problem import Problem
from proxy.cli.client.terminal import say
from proxy.cli.recordings_source import Recording, opened_file, source, source_options
from proxy.cli.terminal_player import Look, Player
from recordings.errors import RecordingsError
from recordings.recorder.head import ID
from recordings.recorder.moment import OUTPUT, Moment
from recordings.replay.play_index import index_of
from recordings.replay.search import among
from recordings.replay.timeline import MAX_SPEED, MIN_SPEED
from recordings.replay.transcript import Line, Origin, transcript

MAX_PLAYED_BYTES = 512 * 1024 * 1024
"""Held while a recording is played; larger ones have been floods, which nobody watches."""
_TIME = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)")


@click.command(
    "play",
    epilog="\b\nExamples:\n  kwit play 4kq2…                      watch it\n"
    "  kwit play 4kq2… --speed 4 --idle-limit 1   in a hurry\n"
    "  kwit play 4kq2… | less               read it\n",
)
@click.argument("recording", metavar="ID|FILE")
@click.option("--speed", type=click.FloatRange(MIN_SPEED, MAX_SPEED), default=1.0, show_default=True, help="How fast.")
@click.option("--idle-limit", type=click.FloatRange(min=0.01), help="Seconds that a silence takes at most.")
@click.option("--from", "start", default="0", help="Where to begin: seconds, 12:30, 1:02:03.")
@click.option("--no-color", is_flag=True, help="Leave colours out.")
@source_options
def command(
    *,
    recording: str,
    speed: float,
    idle_limit: float | None,
    start: str,
    no_color: bool,
    directory: Path | None,
    server: str | None,
) -> None:
    """Replay a recorded shell, attach or copy. Press ? for the keys; escape sequences are filtered."""
    look = Look(speed, idle_limit, _seconds(start), not no_color and not _says_no_color())
    one = opened(recording, directory, server)
    try:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            show_text(one)
            return
        _play(one, look)
    except RecordingsError as error:
        raise Problem(f"the recording cannot be read further: {error}") from error


def opened(recording: str, directory: Path | None, server: str | None) -> Recording:
    """What is named: a file if it looks like one, else an id. Raises Problem."""
    if not ID.fullmatch(recording) or (directory is None and Path(recording).is_file()):
        path = Path(recording)
        if path.is_file():
            return opened_file(path)
        if not ID.fullmatch(recording):
            raise Problem(
                f"{recording[:200]!r} is neither a file nor a recording's id; `kwit recordings ls` lists them",
                exit_code=2,
            )
    return source(directory, server).open(recording)


def show_text(recording: Recording, *, typed: bool = False) -> None:
    """Every line that was ever drawn, and with `typed` what was sent."""
    for line in transcript(recording.head, recording.moments()):
        if line.origin in (Origin.DRAWN, Origin.STDOUT, Origin.STDERR, Origin.HIDDEN):
            click.echo(line.text)
        elif typed and line.origin is Origin.TYPED:
            click.echo(f"> {line.text}")


def _play(recording: Recording, look: Look) -> None:
    moments = _held(recording.moments())
    known: list[Line] = []

    def lines() -> list[Line]:
        """Found out once, when it is needed: it takes a second for each megabyte and a half."""
        if not known:
            known.extend(transcript(recording.head, moments))
        return known

    if not any(one.kind in OUTPUT for one in moments):
        say("Nothing was shown in this recording; `kwit recordings show` says what it is of.")
        return
    kept = recording.index()
    with _raw_terminal() as glass:
        Player(
            recording.head,
            moments,
            glass,
            look,
            index=lambda: kept or index_of(recording.head, moments),
            is_ready=kept is not None,
            search=lambda text: sorted(among(lines(), text), key=lambda hit: hit.line.at),
        ).play()


def _held(moments: Iterator[Moment]) -> list[Moment]:
    held, size = [], 0
    for moment in moments:
        size += len(moment.data)
        if size > MAX_PLAYED_BYTES:
            raise Problem(
                f"this recording holds more than {MAX_PLAYED_BYTES >> 20} MiB; "
                "`kwit recordings text` and `search` read it"
            )
        held.append(moment)
    return held


class _Terminal:
    """The viewer's."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._waiting = ""

    def write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    def size(self) -> tuple[int, int]:
        size = shutil.get_terminal_size()
        return size.columns, size.lines

    def key(self, seconds: float | None) -> str:
        if not self._waiting:
            ready, _, _ = select.select([self._fd], [], [], seconds)
            if ready:
                data = os.read(self._fd, 256)
                if not data:
                    return "q"
                self._waiting = data.decode(errors="replace")
        match = re.match(r"\x1b\[[0-9;]*[@-~]|.", self._waiting, re.DOTALL)
        if match is None:
            return ""
        self._waiting = self._waiting[match.end() :]
        return match[0]

    def mono(self) -> float:
        return time.monotonic()


@contextmanager
def _raw_terminal() -> Iterator[_Terminal]:
    """Keys as they are pressed; the terminal as it was, whatever happens."""
    try:
        import termios
        import tty
    except ModuleNotFoundError as error:
        raise Problem("this system has no terminal to play on; `kwit recordings export` makes a page") from error
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    try:
        tty.setcbreak(fd)
        yield _Terminal(fd)
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def _seconds(text: str) -> float:
    match = _TIME.fullmatch(text)
    if match is None:
        raise Problem(f"{text[:40]!r} is no place in a recording; expected seconds, 12:30 or 1:02:03", exit_code=2)
    return int(match[1] or 0) * 3600 + int(match[2] or 0) * 60 + float(match[3])


def _says_no_color() -> bool:
    return bool(os.environ.get("NO_COLOR"))  # noqa: TID251 - what every program heeds (no-color.org)
